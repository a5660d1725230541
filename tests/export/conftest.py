"""One tiny model, frozen and converted once, for all export tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlg_tf.config import ModelConfig


@pytest.fixture(scope="session")
def model(tiny_model_config: ModelConfig) -> Any:
    """A tiny CNNLG whose every weight counts: a new model's last layers are zeros, which would hide lost weights."""
    import keras

    from cnnlg_tf.models.cnnlg import CNNLG

    keras.utils.set_random_seed(1)
    model = CNNLG(tiny_model_config)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if not variable.numpy().any():
            variable.assign(rng.normal(0.0, 0.05, variable.shape))
    return model


@pytest.fixture(scope="session")
def source(model: Any) -> Any:
    """What the exports share; int8 is calibrated by two small pictures. Do not change it in place."""
    from cnnlg_tf.export.cases import drawn_case
    from cnnlg_tf.export.source import Source

    source = Source(model)
    source.calibration = [drawn_case(1, 48, 64, seed=seed)[0][0] for seed in range(2)]
    return source


@pytest.fixture(scope="session")
def saved_model(model: Any, source: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel's version folder."""
    from cnnlg_tf.export.saved_model import export_saved_model

    return export_saved_model(model, tmp_path_factory.mktemp("saved_model"), source=source)


@pytest.fixture(scope="session")
def onnx_export(model: Any, source: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cnnlg_tf.export.onnx_model import export_onnx

    return export_onnx(model, tmp_path_factory.mktemp("onnx") / "fp32", source=source)
