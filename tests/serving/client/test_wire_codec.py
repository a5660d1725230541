"""Arrays and messages, against TensorFlow's own conversion."""

from typing import Any

import numpy as np
import pytest

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.client import wire_codec as codec
from cnnlg_tf.serving.client import wire_pb2 as wire
from cnnlg_tf.serving.client.metadata import ModelRef, Signature, TensorSpec

NUMBERS = {
    "DT_FLOAT": [0.1, -2.5, np.inf],
    "DT_DOUBLE": [0.1, 1e300, -0.0],
    "DT_HALF": [0.5, -1.25, 3.0],
    "DT_INT8": [-128, 0, 127],
    "DT_INT16": [-32768, 0, 7],
    "DT_INT32": [-(2**31), 0, 2**31 - 1],
    "DT_INT64": [-(2**63), 0, 2**63 - 1],
    "DT_UINT8": [0, 7, 255],
    "DT_UINT16": [0, 7, 65535],
    "DT_UINT32": [0, 7, 2**32 - 1],
    "DT_UINT64": [0, 7, 2**64 - 1],
    "DT_BOOL": [True, False, True],
}


def written(array: np.ndarray, dtype: str) -> Any:
    tensor = wire.TensorProto()
    codec.write_tensor(tensor, array, dtype)
    return tensor


def tensor_of(dtype: str, **fields: Any) -> Any:
    tensor = wire.TensorProto(dtype=dtype, **fields)
    return tensor


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3, 1), (0, 3)])
@pytest.mark.parametrize("dtype", sorted(NUMBERS))
def test_numbers_are_laid_out_as_tensorflow_does(dtype: str, shape: tuple[int, ...]) -> None:
    import tensorflow as tf

    target = codec.numpy_dtype(dtype)
    array = np.resize(np.array(NUMBERS[dtype], target), shape)
    theirs = tf.make_tensor_proto(array)
    ours = written(array, dtype)
    assert ours.SerializeToString() == theirs.SerializeToString()
    back = codec.read_tensor(wire.TensorProto.FromString(theirs.SerializeToString()))
    np.testing.assert_array_equal(back, array, strict=True)
    np.testing.assert_array_equal(tf.make_ndarray(theirs), back, strict=True)
    assert back.flags.writeable


@pytest.mark.parametrize("dtype", sorted(NUMBERS))
def test_typed_fields_are_read(dtype: str) -> None:
    import tensorflow as tf

    array = np.array(NUMBERS[dtype], codec.numpy_dtype(dtype))
    theirs = tf.make_tensor_proto(array)
    for field in ("tensor_content", "int_val", "bool_val"):
        theirs.ClearField(field)
    for value in array:
        single = tf.make_tensor_proto(value)
        single.ClearField("tensor_shape")
        theirs.MergeFrom(single)
    back = codec.read_tensor(wire.TensorProto.FromString(theirs.SerializeToString()))
    np.testing.assert_array_equal(back, array, strict=True)


def test_strings_keep_their_trailing_zeros() -> None:
    import tensorflow as tf

    array = np.array([[b"a\0", b""], [b"\xff", b"long" * 50]], object)
    ours = written(array, "DT_STRING")
    assert ours.SerializeToString() == tf.make_tensor_proto(array).SerializeToString()
    np.testing.assert_array_equal(codec.read_tensor(ours), array, strict=True)


def test_last_value_stands_for_the_rest() -> None:
    shape = {"dim": [{"size": 2}, {"size": 2}]}
    few = tensor_of("DT_FLOAT", tensor_shape=shape, float_val=[1, 2])
    np.testing.assert_array_equal(codec.read_tensor(few), [[1, 2], [2, 2]])
    none = tensor_of("DT_STRING", tensor_shape=shape)
    np.testing.assert_array_equal(codec.read_tensor(none), [[b"", b""], [b"", b""]])


def test_wrong_tensors_are_refused() -> None:
    shape = {"dim": [{"size": 2}]}
    with pytest.raises(
        ServingError, match=r"DT_FLOAT tensor of shape \[2\] must hold 8 bytes.*: 3"
    ):
        codec.read_tensor(tensor_of("DT_FLOAT", tensor_shape=shape, tensor_content=b"abc"))
    with pytest.raises(ServingError, match=r"shape \[2\] must hold at most 2 values. Received: 3"):
        codec.read_tensor(tensor_of("DT_INT32", tensor_shape=shape, int_val=[1, 2, 3]))
    with pytest.raises(ServingError, match="must be one of .*Received: DT_BFLOAT16") as caught:
        codec.read_tensor(tensor_of("DT_BFLOAT16"))
    assert caught.value.code == "UNIMPLEMENTED"
    with pytest.raises(ServingError, match="Received: dtype 99"):
        codec.read_tensor(tensor_of(99))


def test_requests_are_the_official_bytes() -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    spec = Signature(
        {"image": TensorSpec("DT_FLOAT", None), "seed": TensorSpec("DT_INT32", None)}, {}
    )
    inputs = {"image": np.ones((1, 2, 2, 3), np.float32), "seed": np.array([1, 2], np.int32)}
    ours = codec.predict_request(ModelRef("m", version=4), "sample", inputs, spec)
    theirs = predict_pb2.PredictRequest()
    theirs.model_spec.name = "m"
    theirs.model_spec.version.value = 4
    theirs.model_spec.signature_name = "sample"
    for name, array in inputs.items():
        theirs.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    assert ours.SerializeToString(deterministic=True) == theirs.SerializeToString(
        deterministic=True
    )


def test_label_and_version_go_into_the_spec() -> None:
    assert codec.model_spec(ModelRef("m", label="stable")).version_label == "stable"
    assert codec.model_spec(ModelRef("m", version=0)).HasField("version")
    assert not codec.model_spec(ModelRef("m")).HasField("version")


def test_garbled_signatures_are_one_error() -> None:
    reply = wire.GetModelMetadataResponse()
    reply.metadata["signature_def"].value = b"\xff\xff"
    with pytest.raises(
        ServingError, match="metadata must hold a SignatureDefMap. Received: 2 other bytes"
    ):
        codec.metadata_reply(reply)


def test_unknown_rank_and_status_code() -> None:
    info = wire.TensorInfo(dtype="DT_FLOAT")
    info.tensor_shape.unknown_rank = True
    signatures = wire.SignatureDefMap()
    signatures.signature_def["s"].outputs["y"].CopyFrom(info)
    reply = wire.GetModelMetadataResponse()
    reply.metadata["signature_def"].value = signatures.SerializeToString()
    metadata = codec.metadata_reply(reply)
    assert metadata.version is None
    assert metadata.signature("s").outputs == {"y": TensorSpec("DT_FLOAT", None)}
    status = wire.GetModelStatusResponse()
    status.model_version_status.add(version=1, state=99).status.error_code = 77
    assert codec.status_reply(status)[0].code == "UNKNOWN"
    assert codec.status_reply(status)[0].state == "UNKNOWN"
