import numpy as np
import pytest

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.client.metadata import Metadata, ModelRef, Signature, TensorSpec

SPECS = Signature(
    {
        "image": TensorSpec("DT_HALF", (None, None, 3)),
        "seed": TensorSpec("DT_INT32", (2,)),
        "text": TensorSpec("DT_STRING", None),
    },
    {},
)


def test_inputs_take_the_dtypes_of_the_server() -> None:
    inputs = {"image": np.ones((1, 2, 3)), "seed": [1, 2], "text": [b"a\0"]}
    cast = SPECS.cast(inputs)
    assert cast["image"].dtype == np.float16
    assert cast["seed"].dtype == np.int32
    assert cast["text"].tolist() == [b"a\0"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("image", np.ones((2, 3)), r"'image' must have shape \[\?, \?, 3\]. Received: \[2, 3\]"),
        ("image", np.ones((1, 2, 4)), r"'image' must have shape .* Received: \[1, 2, 4\]"),
        ("seed", np.ones(2), "'seed' must be DT_INT32. Received: float64"),
    ],
)
def test_wrong_inputs_are_refused(name: str, value: np.ndarray, message: str) -> None:
    inputs = {"image": np.ones((1, 2, 3)), "seed": [1, 2], "text": [b""], name: value}
    with pytest.raises(ServingError, match=message) as caught:
        SPECS.cast(inputs)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_missing_and_unknown_inputs_are_refused() -> None:
    with pytest.raises(
        ServingError, match=r"inputs \['image', 'seed', 'text'\]. Received: \['mask'\]"
    ):
        SPECS.cast({"mask": 1})


def test_unknown_signature_is_named() -> None:
    with pytest.raises(ServingError, match=r"'m' has the signatures \['a'\]. Received: 'b'"):
        Metadata("m", 1, {"a": SPECS}).signature("b")


def test_version_and_label_exclude_each_other() -> None:
    with pytest.raises(ServingError, match="not both. Received: version=1, label='stable'"):
        ModelRef("m", 1, "stable")
