"""Publishing a checkpoint: half the size, the same repairs, no folders of the machine that trained it."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml

import cnnlg_tf
import cnnlg_tf.checkpoint
from cnnlg_tf.checkpoint import CONFIG, STATE, WEIGHTS
from cnnlg_tf.config_files import dump_config, parse_config
from cnnlg_tf.errors import ConfigError
from cnnlg_tf.integrity import ABOUT
from cnnlg_tf.models.cnnlg import CNNLG
from cnnlg_tf.publish import publish


def test_a_published_checkpoint_repairs_alike_and_tells_no_folders(
    untrained: CNNLG, tmp_path: Path
) -> None:
    phase = {"name": "p", "kind": "prediction", "steps": 1}
    config = parse_config(
        {
            "data": {"root": "/home/somebody/photos"},
            "model": untrained.config.model_dump(mode="json"),
            "train": {"phases": [phase], "vgg_weights": "/home/somebody/vgg16.npz"},
        }
    )
    about = {"phase": "p", "phase_step": 1, "step": 1}
    source = cnnlg_tf.checkpoint.save_checkpoint(
        tmp_path / "checkpoint-00000001",
        untrained,
        dump_config(config),
        about,
        {"v00000": np.zeros(1)},
    )
    published = publish(source, tmp_path / "published")
    assert sorted(p.name for p in published.iterdir()) == sorted([ABOUT, CONFIG, WEIGHTS])
    assert not (published / STATE).exists()
    tree = yaml.safe_load((published / CONFIG).read_text())
    assert tree["data"]["root"] == "photos" and tree["train"]["vgg_weights"] == "vgg16.npz"
    image = tf.random.stateless_uniform([1, 32, 48, 3], [0, 1])
    mask = tf.cast(tf.random.stateless_uniform([1, 32, 48, 1], [0, 2]) > 0.7, tf.float32)
    before, _ = untrained.repair(image, mask)
    after, _ = cnnlg_tf.load(published).repair(image, mask)
    np.testing.assert_allclose(after, before, atol=2e-3)
    other = CNNLG(untrained.config)
    for variable, value in zip(other.network_weights, untrained.network_weights, strict=True):
        variable.assign(3.0 * value)
    later = cnnlg_tf.checkpoint.save_checkpoint(
        tmp_path / "checkpoint-00000002", other, dump_config(config), about, {"v00000": np.zeros(1)}
    )
    averaged = cnnlg_tf.load(publish(source, tmp_path / "mean", average_with=later, share=0.25))
    for mean, value in zip(averaged.network_weights, other.network_weights, strict=True):
        np.testing.assert_allclose(mean, 0.5 * value, rtol=2e-3, atol=1e-6)
    with pytest.raises(ConfigError, match="share must lie between 0 and 1. Received: 2"):
        publish(source, tmp_path / "none", average_with=later, share=2)
