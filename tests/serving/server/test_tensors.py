"""TensorProto to numpy and back, against TensorFlow's own conversion."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server.limits import Limits
from cnnlg_tf.serving.server.tensors import to_array, to_proto

DTYPES = (
    "float32 float64 float16 bfloat16 int8 uint8 int16 uint16 int32 uint32 int64 uint64 bool "
    "complex64 complex128"
).split()


def sample(dtype: str) -> np.ndarray:
    values = np.array([[0, 1, 3], [100, 2, 1]])
    return values.astype(tf.dtypes.as_dtype(dtype).as_numpy_dtype)


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip_and_what_tensorflow_reads(dtype: str, as_content: bool) -> None:
    array = sample(dtype)
    proto = tensor_pb2.TensorProto()
    to_proto(array, proto, as_content=as_content)
    assert bool(proto.tensor_content) == as_content
    np.testing.assert_array_equal(to_array(proto, "x"), array)
    np.testing.assert_array_equal(tf.make_ndarray(proto), array)
    again = tensor_pb2.TensorProto.FromString(proto.SerializeToString())
    np.testing.assert_array_equal(to_array(again, "x"), array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_reads_what_tensorflow_writes(dtype: str) -> None:
    array = sample(dtype)
    np.testing.assert_array_equal(to_array(tf.make_tensor_proto(array), "x"), array)
    scalar = to_array(tf.make_tensor_proto(array[1, 1]), "x")
    assert scalar.shape == ()
    assert scalar == array[1, 1]


def test_strings_stay_in_string_val() -> None:
    array = np.array([[b"a", b"\xff"]], object)
    for as_content in (False, True):
        proto = tensor_pb2.TensorProto()
        to_proto(array, proto, as_content=as_content)
        assert list(proto.string_val) == [b"a", b"\xff"]
        assert to_array(proto, "x").tolist() == [[b"a", b"\xff"]]


def test_a_slice_is_written_as_it_looks() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    proto = tensor_pb2.TensorProto()
    to_proto(array, proto)
    np.testing.assert_array_equal(tf.make_ndarray(proto), array)


def proto(dtype: int, *sizes: int, **values: Any) -> Any:
    result = tensor_pb2.TensorProto(dtype=dtype, **values)
    for size in sizes:
        result.tensor_shape.dim.add().size = size
    return result


def test_too_few_values_repeat_the_last_and_none_are_zeros() -> None:
    assert to_array(proto(types_pb2.DT_FLOAT, 4, float_val=[1, 2]), "x").tolist() == [1, 2, 2, 2]
    assert to_array(proto(types_pb2.DT_FLOAT, 2), "x").tolist() == [0, 0]
    assert to_array(proto(types_pb2.DT_STRING, 2), "x").tolist() == [b"", b""]
    assert to_array(proto(types_pb2.DT_INT32, 1, int_val=[5, 6]), "x").tolist() == [5]


@pytest.mark.parametrize(
    "wrong",
    [
        proto(types_pb2.DT_INVALID, 1),
        proto(types_pb2.DT_RESOURCE, 1),
        proto(types_pb2.DT_FLOAT, -1, float_val=[1]),
        proto(types_pb2.DT_FLOAT, 2, tensor_content=b"1234"),
        tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape={"unknown_rank": True}),
    ],
)
def test_what_is_no_tensor_is_refused(wrong: Any) -> None:
    with pytest.raises(ServingError, match="^tensor parsing error: x$") as caught:
        to_array(wrong, "x")
    assert caught.value.code == "INVALID_ARGUMENT"


def test_a_small_message_cannot_declare_a_huge_tensor() -> None:
    with pytest.raises(ServingError, match="at most 1000 bytes. Received: shape .100, 100."):
        to_array(proto(types_pb2.DT_FLOAT, 100, 100, float_val=[1]), "x", Limits(1000))


@pytest.mark.parametrize("sizes", [(0, 2**62, 2**62), (1,) * 33])
def test_dimensions_that_numpy_has_not(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ServingError, match="too many or too large dimensions") as caught:
        to_array(proto(types_pb2.DT_FLOAT, *sizes), "x")
    assert caught.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "small",
    [
        proto(types_pb2.DT_FLOAT, 2**23, float_val=[1]),
        proto(types_pb2.DT_STRING, 2**20, string_val=[b"", b""]),
    ],
)
def test_a_small_message_cannot_take_much_memory(small: Any) -> None:
    with pytest.raises(ServingError, match="must come with all of them. Received: [12]$") as caught:
        to_array(small, "x")
    assert caught.value.code == "INVALID_ARGUMENT"


def test_values_out_of_the_types_range() -> None:
    for small in (
        proto(types_pb2.DT_INT8, 1, int_val=[300]),
        proto(types_pb2.DT_HALF, 1, half_val=[70000]),
    ):
        with pytest.raises(ServingError, match="tensor parsing error: x: .* out of bounds"):
            to_array(small, "x")


def test_a_type_that_cannot_be_sent() -> None:
    array = np.zeros(1, tf.dtypes.as_dtype("float8_e5m2").as_numpy_dtype)
    with pytest.raises(ServingError, match="outputs of type float8_e5m2 cannot be sent"):
        to_proto(array, tensor_pb2.TensorProto())
