"""Inputs are checked before native code sees them."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server.limits import Limits
from cnnlg_tf.serving.server.validation import InputRule, check_inputs, input_rules

IMAGE = InputRule("float32", ("batch", "height", "width", 3))
MASK = InputRule("float32", ("batch", "height", "width", 1))
RULES = {"image": IMAGE, "mask": MASK}


def zeros(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.zeros(shape, dtype)


def refused(arrays: dict[str, np.ndarray], rules: Any = RULES, **limits: int) -> str:
    with pytest.raises(ServingError) as caught:
        check_inputs(arrays, rules, Limits(**limits))
    assert caught.value.code == "INVALID_ARGUMENT"
    return str(caught.value)


def test_what_fits_passes() -> None:
    check_inputs({"image": zeros(2, 8, 9, 3), "mask": zeros(2, 8, 9, 1)}, RULES, Limits())


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        (
            zeros(1, 8, 8, 3),
            zeros(1, 8, 8),
            "input mask must be float32 [batch, height, width, 1]. Received: float32 [1, 8, 8]",
        ),
        (
            zeros(1, 8, 8, 4),
            zeros(1, 8, 8, 1),
            "input image must be float32 [batch, height, width, 3]. Received: float32 [1, 8, 8, 4]",
        ),
        (
            zeros(1, 8, 8, 3, dtype=np.uint8),
            zeros(1, 8, 8, 1),
            "input image must be float32 [batch, height, width, 3]. Received: uint8 [1, 8, 8, 3]",
        ),
        (
            zeros(1, 8, 8, 3),
            zeros(1, 8, 9, 1),
            "input mask must be float32 [batch, height, width, 1] with the width of input image, "
            "8. Received: float32 [1, 8, 9, 1]",
        ),
        (
            zeros(2, 8, 8, 3),
            zeros(1, 8, 8, 1),
            "input mask must be float32 [batch, height, width, 1] with the batch of input image, "
            "2. Received: float32 [1, 8, 8, 1]",
        ),
        (
            zeros(1, 0, 8, 3),
            zeros(1, 0, 8, 1),
            "input image must be float32 [batch, height, width, 3] with no dimension of size 0. "
            "Received: float32 [1, 0, 8, 3]",
        ),
        (
            zeros(0, 8, 8, 3),
            zeros(0, 8, 8, 1),
            "input image must be float32 [batch, height, width, 3] with no dimension of size 0. "
            "Received: float32 [0, 8, 8, 3]",
        ),
        (
            np.array([b"text"], object),
            zeros(1, 8, 8, 1),
            "input image must be float32 [batch, height, width, 3]. Received: string [1]",
        ),
        (
            zeros(),
            zeros(1, 8, 8, 1),
            "input image must be float32 [batch, height, width, 3]. Received: float32 []",
        ),
    ],
)
def test_what_does_not_fit_is_refused(image: np.ndarray, mask: np.ndarray, message: str) -> None:
    assert refused({"image": image, "mask": mask}) == message


def test_too_many_pixels() -> None:
    message = refused({"image": zeros(2, 30, 20, 3), "mask": zeros(2, 30, 20, 1)}, image_pixels=999)
    assert message == (
        "images must have at most 999 pixels. Received: 1200 in input image [2, 30, 20, 3]"
    )


def signature(dims: list[int] | None, dtype: Any = tf.float32) -> Any:
    result = meta_graph_pb2.SignatureDef()
    info = result.inputs["x"]
    info.name, info.dtype = "x:0", dtype.as_datatype_enum
    info.tensor_shape.unknown_rank = dims is None
    for size in dims or ():
        info.tensor_shape.dim.add().size = size
    return result


@pytest.mark.parametrize(
    ("dims", "described", "argument", "rule"),
    [
        ([-1, 3], None, True, InputRule("float32", (None, 3))),
        ([-1, 3], {"x": "float32 [batch, 3]"}, True, InputRule("float32", ("batch", 3))),
        ([-1, 3], {"x": "float32 [batch]"}, True, InputRule("float32", (None, 3))),
        ([-1, 3], {"x": "nonsense"}, True, InputRule("float32", (None, 3))),
        ([], {"x": "float32 []"}, True, InputRule("float32", ())),
        ([-1, 3], None, False, InputRule("float32", None)),
        (None, None, True, InputRule("float32", None)),
        (None, {"x": "float32 [batch, 3]"}, True, InputRule("float32", ("batch", 3))),
        (None, {"x": "float32 []"}, True, InputRule("float32", ())),
    ],
)
def test_rules_come_from_the_signature_and_names_from_the_manifest(
    dims: list[int] | None, described: Any, argument: bool, rule: InputRule
) -> None:
    assert input_rules(signature(dims), described, lambda name: argument) == {"x": rule}


def test_a_tensor_inside_the_graph_is_checked_for_its_type_alone() -> None:
    rules = input_rules(signature([-1, 1]), None, lambda name: False)
    check_inputs({"x": zeros(1)}, rules, Limits())
    message = refused({"x": zeros(1, dtype=np.int32)}, rules)
    assert message == "input x must be float32 of any shape. Received: int32 [1]"


def test_other_models_may_take_nothing() -> None:
    check_inputs({"x": zeros(0)}, {"x": InputRule("float32", (None,))}, Limits())
    message = refused({"x": zeros(0, 4, 4, 3)}, {"x": InputRule("float32", (None,) * 3 + (3,))})
    assert message == (
        "input x must be float32 [any, any, any, 3] with no dimension of size 0. "
        "Received: float32 [0, 4, 4, 3]"
    )
