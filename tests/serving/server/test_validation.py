"""Inputs are checked before native code sees them."""

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from cnnlg_tf.errors import ServingError
from cnnlg_tf.export.cases import arguments
from cnnlg_tf.export.signatures import SIGNATURES
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


def described(*signatures: str) -> dict[str, dict[str, InputRule]]:
    """The rules of the product's signatures, as an export's manifest tells them."""
    rules = {}
    for name in signatures:
        made = meta_graph_pb2.SignatureDef()
        for alias, tensor in SIGNATURES[name].inputs.items():
            made.inputs[alias].name = f"{alias}:0"
            made.inputs[alias].dtype = tf.dtypes.as_dtype(tensor.dtype).as_datatype_enum
            for size in tensor.shape:
                made.inputs[alias].tensor_shape.dim.add().size = (
                    size if isinstance(size, int) else -1
                )
        inputs = SIGNATURES[name].describe()["inputs"]
        ranges = json.loads(json.dumps(SIGNATURES[name].ranges()))
        rules[name] = input_rules(made, inputs, lambda _: True, ranges)
    return rules


PLANE = zeros(1, 8, 9, 1)
PRODUCT = described("serving_default", "paint", "refine", "sample", "find_damage", "inpaint_bytes")


def product_inputs(signature: str, **changes: Any) -> dict[str, np.ndarray]:
    hole = zeros(1, 8, 9, 1)
    hole[:, 2:4] = 1.0
    good = arguments(signature, np.full((1, 8, 9, 3), 0.5, np.float32), hole)
    if "reference" in good:
        good["reference"] = zeros(1, 16, 16, 3)
    return good | {name: np.asarray(value, np.float32) for name, value in changes.items()}


def with_pixel(value: float, row: int) -> np.ndarray:
    """An image with one value changed: row 0 is known, row 2 in the hole."""
    image = np.full((1, 8, 9, 3), 0.5, np.float32)
    image[0, row, 0, 0] = value
    return image


@pytest.mark.parametrize("signature", ["serving_default", "refine", "sample"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 255.0, -7.0])
def test_what_the_hole_holds_is_missing_and_may_be_anything(signature: str, value: float) -> None:
    rules = PRODUCT[signature]
    check_inputs(product_inputs(signature, image=with_pixel(value, 2)), rules, Limits())
    message = refused(product_inputs(signature, image=with_pixel(value, 0)), rules)
    told = "1 NaN" if np.isnan(value) else f"from {value:g} to {value:g}"
    assert message == (
        "input image must lie in [0, 1] where it is known. "
        f"Received: 1 of 216 values outside, {told}"
    )


@pytest.mark.parametrize(
    ("signature", "changes", "message"),
    [
        ("serving_default", {"mask": 255 + PLANE}, "mask must lie in [0, 1]. Received: 72 of 72 values"),
        ("serving_default", {"mask": np.nan * PLANE}, "mask must lie in [0, 1]. Received: 72 of 72 values outside, 72"),
        ("serving_default", {"image": 255 * with_pixel(0, 0)}, "image must lie in [0, 1] where it is known"),
        ("sample", {"temperature": -1.0}, "temperature must be 0 or more. Received: 1 of 1 values outside, from -1"),
        ("sample", {"temperature": np.inf}, "temperature must be 0 or more"),
        ("sample", {"temperature": np.nan}, "temperature must be 0 or more. Received: 1 of 1 values outside, 1 NaN"),
        ("refine", {"detail": 2.5}, "detail must lie in [0, 2]. Received: 1 of 1 values outside, from 2.5 to 2.5"),
        ("refine", {"guide": with_pixel(np.nan, 2)}, "guide must lie in [0, 1]. Received: 1 of 216 values outside, 1"),
        ("refine", {"reference": 1.5 + zeros(1, 16, 16, 3)}, "reference must be at most 1."),
        ("paint", {"sketch": with_pixel(1.5, 2)}, "sketch must lie in [0, 1]. Received: 1 of 216 values outside"),
        ("find_damage", {"image": with_pixel(np.nan, 2)}, "image must lie in [0, 1]. Received: 1 of 216"),
    ],
)  # fmt: skip
def test_values_outside_an_exports_ranges_are_refused(
    signature: str, changes: dict[str, Any], message: str
) -> None:
    rules = PRODUCT[signature]
    check_inputs(product_inputs(signature), rules, Limits())
    assert refused(product_inputs(signature, **changes), rules).startswith(f"input {message}")


def test_what_rounding_adds_and_references_of_nothing_pass() -> None:
    image = with_pixel(1.0005, 0)
    check_inputs(
        product_inputs("refine", image=image, guide=image, reference=zeros(1, 16, 16, 3) - 1),
        PRODUCT["refine"],
        Limits(),
    )


def test_models_without_a_manifest_take_any_value() -> None:
    check_inputs(
        {"x": np.float32([np.nan, 300])}, input_rules(signature([-1]), None, bool), Limits()
    )


PAINT = RULES | {
    "sketch": InputRule("float32", ("batch", "height", "width", 3), or_empty=True),
    "reference": InputRule("float32", ("references", "rows >= 16", "columns >= 16", 3), True),
}


def painting(sketch: np.ndarray, reference: np.ndarray) -> dict[str, np.ndarray]:
    image, mask = zeros(1, 20, 24, 3), zeros(1, 20, 24, 1)
    return {"image": image, "mask": mask, "sketch": sketch, "reference": reference}


@pytest.mark.parametrize("empty", [(0,), (0, 0, 0, 3), (1, 0, 0, 3), (0, 16, 16, 3)])
def test_what_may_be_empty_is_so_in_any_shape(empty: tuple[int, ...]) -> None:
    check_inputs(painting(zeros(*empty), zeros(*empty)), PAINT, Limits())
    check_inputs(painting(zeros(1, 20, 24, 3), zeros(2, 16, 30, 3)), PAINT, Limits())
    assert "with no dimension of size 0" in refused({"image": zeros(0, 8, 8, 3)})


@pytest.mark.parametrize(
    ("sketch", "reference", "message"),
    [
        (
            (1, 20, 20, 3),
            (0,),
            "input sketch must be float32 [batch, height, width, 3] or empty with the width of input image, 24. "
            "Received: float32 [1, 20, 20, 3]",
        ),
        (
            (0,),
            (1, 30, 15, 3),
            "input reference must be float32 [references, rows >= 16, columns >= 16, 3] or empty. "
            "Received: float32 [1, 30, 15, 3]",
        ),
        ((0,), (30, 16, 3), "input reference must be float32 [references"),
    ],
)
def test_a_sketch_is_like_the_photo_and_references_are_not_too_small(
    sketch: tuple[int, ...], reference: tuple[int, ...], message: str
) -> None:
    assert message in refused(painting(zeros(*sketch), zeros(*reference)), PAINT)
