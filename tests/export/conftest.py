"""Two tiny models, each frozen and converted once for all export tests.

`model` has every part; its conversions take minutes, so only tests of what it alone has ask for them, and `make test`
gives all of these to one worker. `plain_model` repairs without real pixels and converts in seconds: it is for tests of
all else.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlg_tf.config import ModelConfig


def _weighty(config: ModelConfig) -> Any:
    """A CNNLG whose every weight counts: a new model's last layers are zeros, which would hide lost weights."""
    import keras

    from cnnlg_tf.models.cnnlg import CNNLG

    keras.utils.set_random_seed(1)
    model = CNNLG(config)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if not variable.numpy().any():
            variable.assign(rng.normal(0.0, 0.05, variable.shape))
    return model


def _source(model: Any) -> Any:
    from cnnlg_tf.export.cases import drawn_case
    from cnnlg_tf.export.source import Source

    source = Source(model)
    source.calibration = [drawn_case(1, 48, 64, seed=seed)[0][0] for seed in range(2)]
    return source


@pytest.fixture(scope="session")
def model(tiny_model_config: ModelConfig) -> Any:
    return _weighty(tiny_model_config)


@pytest.fixture(scope="session")
def source(model: Any) -> Any:
    """What the exports of `model` share; int8 is calibrated by two small pictures. Do not change it in place."""
    return _source(model)


@pytest.fixture(scope="session")
def repairs_only(source: Any) -> Any:
    """`source` for exports of `serving_default` alone."""
    return replace(source, chosen=["serving_default"])


@pytest.fixture(scope="session")
def saved_model(model: Any, source: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel's version folder."""
    from cnnlg_tf.export.saved_model import export_saved_model

    return export_saved_model(model, tmp_path_factory.mktemp("saved_model"), source=source)


@pytest.fixture(scope="session")
def onnx_export(model: Any, source: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cnnlg_tf.export.onnx_model import export_onnx

    return export_onnx(model, tmp_path_factory.mktemp("onnx") / "fp32", source=source)


@pytest.fixture(scope="session")
def plain_model(plain_model_config: ModelConfig, tiny_model_config: ModelConfig) -> Any:
    """It finds damage too, but offers neither paint nor refine."""
    finder = tiny_model_config.damage_finder
    return _weighty(plain_model_config.model_copy(update={"damage_finder": finder}))


@pytest.fixture(scope="session")
def plain_source(plain_model: Any) -> Any:
    return _source(plain_model)


@pytest.fixture(scope="session")
def plain_saved_model(
    plain_model: Any, plain_source: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    from cnnlg_tf.export.saved_model import export_saved_model

    folder = tmp_path_factory.mktemp("plain_saved_model")
    return export_saved_model(plain_model, folder, source=plain_source)


@pytest.fixture(scope="session")
def plain_onnx(
    plain_model: Any, plain_source: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    from cnnlg_tf.export.onnx_model import export_onnx

    return export_onnx(plain_model, tmp_path_factory.mktemp("plain") / "fp32", source=plain_source)


@pytest.fixture(scope="session")
def products() -> bytes:
    """A small ONNX file's content, with matrix products of each kind that exports have."""
    from onnx import TensorProto, helper

    shapes = {
        "a": ["n", 27],
        "b": ["m", 27],
        "c": [1, "m"],
        "stack": [2, "n", 27],
        "of_two": ["n", "m"],
        "of_stacks": [2, "n", "m"],
    }
    tensors = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    }
    nodes = [
        helper.make_node("Gemm", ["a", "b", "c"], ["of_two"], transB=1),
        helper.make_node("Transpose", ["b"], ["columns"], perm=[1, 0]),
        helper.make_node("MatMul", ["stack", "columns"], ["of_stacks"]),
    ]
    *given, of_two, of_stacks = tensors.values()
    graph = helper.make_graph(nodes, "products", given, [of_two, of_stacks])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = proto.SerializeToString()
    return content
