"""Learning by reward: what is rewarded gets likelier, and a phase runs, resumes and is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import cnnlg_tf
from cnnlg_tf.config import ModelConfig, PhaseConfig
from cnnlg_tf.errors import ConfigError, TrainingError
from cnnlg_tf.models import gaussian
from cnnlg_tf.models.cnnlg import CNNLG
from cnnlg_tf.training import reward
from cnnlg_tf.training.batch import Batch, Critics
from cnnlg_tf.training.critics import VGGFeatures
from cnnlg_tf.training.run import train
from tests.conftest import write_checkpoint

pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config.*run_functions_eagerly"),
]

PHASE = {"name": "reward", "kind": "reward", "crop": 32, "batch_size": 2}


def test_log_prob_is_that_of_a_normal_distribution() -> None:
    mean, log_variance = tf.constant([[[[0.5, -1.0]]]]), tf.constant([[[[0.0, 1.0]]]])
    found = gaussian.log_prob(gaussian.Gaussian(mean, log_variance), tf.constant([[[[1.0, 1.0]]]]))
    expected = -0.5 * (0.25 + 4 / np.e + 1.0 + 2 * np.log(2 * np.pi))
    np.testing.assert_allclose(found, [[[expected]]], rtol=1e-5)


@pytest.fixture
def batch() -> Batch:
    image = tf.random.stateless_uniform([2, 64, 64, 3], [1, 2], -0.8, 0.8)
    mask = np.zeros((2, 64, 64, 1), np.float32)
    mask[:, 16:48, 16:48] = 1.0
    return Batch(image, image, tf.constant(mask), tf.constant([0, 1]))


def test_what_is_rewarded_gets_likelier(
    stirred: CNNLG, vgg_file: Path, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reward is how much of the synthesis was taken: the merge's logits must rise."""
    seen: list[tf.Tensor] = []

    def drawn(*arguments: Any) -> Any:
        made = real_draw(*arguments)
        seen.append(made.shift)
        return made

    def taken(*_: Any) -> dict[str, tf.Tensor]:
        return {"fidelity": seen[-1][..., 0]}

    real_draw = reward._draw
    monkeypatch.setattr(reward, "_draw", drawn)
    monkeypatch.setattr(reward, "_rewards", taken)
    phase = PhaseConfig(**PHASE, steps=1, reward={"samples": 8, "kl": 0.0})
    critics = Critics(VGGFeatures(vgg_file), None, stirred)
    assert stirred.merge is not None
    bias = stirred.merge.head.bias
    with tf.GradientTape() as tape:
        loss = reward.rewarding(stirred, batch, phase, critics).metrics["loss"]
    (slope,) = tape.gradient(loss, [bias.value])
    logits, added = slope.numpy().reshape(4, 4)[:, 0], slope.numpy().reshape(4, 4)[:, 1:]
    assert np.all(logits < 0)  # descent raises them
    np.testing.assert_allclose(added, 0.0, atol=1e-7)  # what is added was not drawn


def test_the_divergence_from_the_start_is_nothing_at_the_start(
    stirred: CNNLG, vgg_file: Path, batch: Batch
) -> None:
    phase = PhaseConfig(**PHASE, steps=1, reward={"samples": 2, "realism": 0.0})
    model = CNNLG(stirred.config)
    model.set_weights(stirred.get_weights())
    critics = Critics(VGGFeatures(vgg_file), None, stirred)
    metrics = reward.rewarding(model, batch, phase, critics).metrics
    assert float(metrics["drift"]) == pytest.approx(0.0, abs=1e-5)
    assert float(metrics["fidelity"]) < 0 and float(metrics["spread"]) > 0
    assert model.merge is not None
    model.merge.head.bias.assign_add(tf.ones([16]))
    moved = reward.rewarding(model, batch, phase, critics).metrics
    assert float(moved["drift"]) == pytest.approx(0.5, rel=1e-3)  # 1 logit at noise 1


Run = Callable[[str, int], list[float]]


@pytest.fixture
def run(make_config: Any, stirred: CNNLG, vgg_file: Path, tmp_path: Path) -> Run:
    """run(folder, steps) goes on there, from the weights of `stirred`: how far each step has drifted."""
    start = write_checkpoint(tmp_path / "start" / "checkpoint-00000001", stirred)

    def run(folder: str, steps: int) -> list[float]:
        phase = PHASE | {"steps": steps, "reward": {"samples": 2}, "discriminator": {"width": 4}}
        phase["optimizer"] = {"warmup_steps": 0, "final_fraction": 1.0}
        config = make_config(
            phase,
            model=stirred.config,
            vgg_weights=str(vgg_file),
            initial_weights=str(start),
        )
        train(config, tmp_path / folder, quiet=True)
        lines = (tmp_path / folder / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line)["drift"] for line in lines]

    return run


def test_a_phase_trains_the_policy_alone(run: Run, stirred: CNNLG, tmp_path: Path) -> None:
    assert run("whole", 1) == [pytest.approx(0.0, abs=1e-5)]
    after = cnnlg_tf.load(tmp_path / "whole")
    for old, new in zip(stirred.prior.variables, after.prior.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    assert stirred.merge is not None and after.merge is not None
    assert np.any(stirred.merge.head.bias != after.merge.head.bias)


@pytest.mark.slow
def test_a_phase_resumes(run: Run) -> None:
    run("broken", 1)
    assert run("broken", 2) == pytest.approx(run("whole", 2), rel=1e-4, abs=1e-7)


def test_what_a_reward_phase_needs(
    make_config: Any, plain_model_config: ModelConfig, tiny_model_config: ModelConfig, batch: Batch
) -> None:
    phase = PHASE | {"steps": 1}
    with pytest.raises(ConfigError, match="vgg_weights is needed: .* or a reward"):
        make_config(phase, model=tiny_model_config)
    with pytest.raises(ConfigError, match="initial_weights is needed: a phase of kind reward"):
        make_config(phase, model=tiny_model_config, vgg_weights="vgg.npz")
    with pytest.raises(ConfigError, match="reward needs model.merge.enabled true"):
        make_config(phase, model=plain_model_config, vgg_weights="vgg.npz", initial_weights="start")
    with pytest.raises(ConfigError, match="kind reward must be a multiple of 32; received 48"):
        make_config(phase | {"crop": 48}, model=tiny_model_config)
    model, parsed = CNNLG(plain_model_config), PhaseConfig(**phase)
    with pytest.raises(TrainingError, match="needs the latent guide and the merge"):
        reward.rewarding(model, batch, parsed, Critics())
    with pytest.raises(TrainingError, match="needs VGG and the model that it starts from"):
        reward.rewarding(CNNLG(tiny_model_config), batch, parsed, Critics())
