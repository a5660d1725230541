"""The critics: the discriminator learns, VGG's weights are checked, crops lie at the hole."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.config import DataConfig, MaskConfig, ModelConfig, PhaseConfig
from cnnlg_tf.data.pipeline import TrainingData
from cnnlg_tf.errors import DataError
from cnnlg_tf.training.critics import PatchDiscriminator, VGGFeatures, crop_at_hole
from cnnlg_tf.training.optimizers import make_discriminator_optimizer, make_optimizer
from cnnlg_tf.training.trainable import TrainableCNNLG


@pytest.mark.parametrize("spectral_norm", [True, False])
def test_a_step_trains_the_discriminator(
    tiny_model_config: ModelConfig, spectral_norm: bool
) -> None:
    phase = PhaseConfig.model_validate(
        {
            "name": "texture",
            "kind": "prediction",
            "steps": 4,
            "crop": 32,
            "batch_size": 2,
            "critic_crop": 32,
            "losses": {"adversarial": 0.1, "feature_matching": 1.0},
            "discriminator": {"width": 4, "spectral_norm": spectral_norm},
        }
    )
    model = TrainableCNNLG(tiny_model_config)
    critic = PatchDiscriminator(phase.discriminator)
    model.begin_phase(
        phase,
        make_optimizer(phase.optimizer, phase.steps),
        discriminator=critic,
        discriminator_optimizer=make_discriminator_optimizer(phase.discriminator),
    )
    data = TrainingData(DataConfig(kind="synthetic"), MaskConfig(), 32, 2, 0)
    batch = {name: tf.constant(value) for name, value in data.batch(0).items()}
    before = np.asarray(critic.score.kernel)
    metrics = model.train_step(batch)
    assert np.abs(np.asarray(critic.score.kernel) - before).max() > 0
    assert {"adversarial", "feature_matching", "discriminator"} <= set(metrics)


def test_a_crop_holds_some_of_the_hole() -> None:
    mask = np.zeros([2, 64, 96, 1], np.float32)
    mask[0, 5, 90] = 1
    mask[1, 60, 3] = 1
    image = np.random.default_rng(0).random([2, 64, 96, 3], np.float32)
    cut, cut_mask = crop_at_hole(
        [tf.constant(image), tf.constant(mask)], tf.constant(mask), 32, tf.constant([0, 1])
    )
    assert cut.shape == (2, 32, 32, 3)
    assert np.asarray(tf.reduce_sum(cut_mask, axis=(1, 2, 3))).tolist() == [1.0, 1.0]
    np.testing.assert_array_equal(np.asarray(cut[0]), image[0, :32, 64:])


def test_vgg_needs_its_weights(tmp_path: Path) -> None:
    np.savez(tmp_path / "vgg.npz", conv1_1_kernel=np.zeros([3, 3, 3, 64], np.float32))
    with pytest.raises(DataError, match=r"an \.npz with conv1_1_kernel to conv3_3_bias"):
        VGGFeatures(tmp_path / "vgg.npz")
