"""A training run at its smallest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlg_tf.config import Config, ModelConfig
from cnnlg_tf.config_files import parse_config

PHASE: dict[str, Any] = {
    "name": "prediction",
    "kind": "prediction",
    "steps": 4,
    "crop": 32,
    "batch_size": 4,
    "optimizer": {"warmup_steps": 0},
}


@pytest.fixture(scope="session")
def make_config(plain_model_config: ModelConfig) -> Any:
    """make_config(phase changes, model=..., data=..., train=...) -> Config of a run of 4 steps."""

    def make(
        *phases: dict[str, Any],
        model: ModelConfig | None = None,
        data: dict[str, Any] | None = None,
        **train: Any,
    ) -> Config:
        return parse_config(
            {
                "data": data or {"kind": "synthetic", "synthetic": {"length": 8, "size": 48}},
                "model": (model or plain_model_config).model_dump(mode="json"),
                "train": {
                    "compile": "none",
                    "log_every": 1,
                    "picture_every": 0,
                    "phases": [{**PHASE, **changes} for changes in phases or ({},)],
                    **train,
                },
            }
        )

    return make


@pytest.fixture(scope="module")
def eager() -> Any:
    """Steps run operation by operation: for a few tiny steps that is far quicker than tracing them."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(autouse=True)
def default_policy() -> Any:
    """Mixed precision is a global of Keras: put it back."""
    import keras

    yield
    keras.mixed_precision.set_dtype_policy("float32")


@pytest.fixture
def vgg_file(tmp_path: Path) -> Path:
    """Weights for VGGFeatures with 4 channels a layer."""
    from cnnlg_tf.training.critics import VGGFeatures

    rng = np.random.default_rng(0)
    channels, arrays = 3, {}
    for stage in VGGFeatures.LAYERS:
        for name in stage:
            kernel = rng.normal(0, 0.2, (3, 3, channels, 4))
            arrays[f"conv{name}_kernel"] = kernel.astype(np.float32)
            arrays[f"conv{name}_bias"] = np.zeros(4, np.float32)
            channels = 4
    np.savez(tmp_path / "vgg.npz", **arrays)
    return tmp_path / "vgg.npz"
