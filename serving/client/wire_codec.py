"""Between numpy and the messages of wire.proto; no sockets here."""

from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.client import wire_pb2 as wire
from cnnlg_tf.serving.client.metadata import (
    Array,
    Arrays,
    Metadata,
    ModelRef,
    Signature,
    TensorSpec,
    VersionStatus,
    numpy_dtype,
)

_FIELDS = {
    "DT_FLOAT": "float_val",
    "DT_DOUBLE": "double_val",
    "DT_HALF": "half_val",
    "DT_INT8": "int_val",
    "DT_INT16": "int_val",
    "DT_INT32": "int_val",
    "DT_INT64": "int64_val",
    "DT_UINT8": "int_val",
    "DT_UINT16": "int_val",
    "DT_UINT32": "uint32_val",
    "DT_UINT64": "uint64_val",
    "DT_BOOL": "bool_val",
    "DT_STRING": "string_val",
}
# What make_tensor_proto writes value by value at any size.
_NEVER_RAW = ("DT_STRING", "DT_BOOL", "DT_UINT16")
_SIGNATURES = "signature_def"
# The names of google.rpc.Code, by number.
_CODES = dict(
    enumerate(
        "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS "
        "PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE "
        "UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED".split()
    )
)
_STATES: dict[int, str] = {number: name for name, number in wire.ModelVersionStatus.State.items()}
_DTYPES: dict[int, str] = {number: name for name, number in wire.DataType.items()}


def write_tensor(tensor: Any, array: Array, dtype: str) -> None:
    """Fill an empty TensorProto with `array`, whose numpy dtype is that of `dtype`.

    Laid out as TensorFlow's own make_tensor_proto does (raw bytes where there is more than one
    number, else the typed field), so that the bytes on the wire are the same.
    """
    tensor.dtype = wire.DataType.Value(dtype)
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_shape.SetInParent()
    if array.size > 1 and dtype not in _NEVER_RAW:
        tensor.tensor_content = array.tobytes()
        return
    values = array.view(np.uint16) if dtype == "DT_HALF" else array
    getattr(tensor, _FIELDS[dtype]).extend(values.ravel().tolist())


def read_tensor(tensor: Any) -> Array:
    """The array in a TensorProto.

    It is held as raw bytes or in a typed field, whose last value stands for all that would follow.

    Raises:
        ServingError: an unknown dtype, or another number of values than the shape says.
    """
    dtype = dtype_name(tensor.dtype)
    target = numpy_dtype(dtype)
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    count = int(np.prod(shape, dtype=np.int64))
    content = tensor.tensor_content  # a copy each time it is read
    if content:
        if len(content) != count * target.itemsize or dtype == "DT_STRING":
            raise ServingError(
                f"a {dtype} tensor of shape {list(shape)} must hold {count * target.itemsize} "
                f"bytes. Received: {len(content)}",
                "INTERNAL",
            )
        return np.frombuffer(content, target).reshape(shape).copy()
    values = getattr(tensor, _FIELDS[dtype])
    if len(values) > count:
        raise ServingError(
            f"a {dtype} tensor of shape {list(shape)} must hold at most {count} values. "
            f"Received: {len(values)}",
            "INTERNAL",
        )
    flat = np.zeros(count, target) if dtype != "DT_STRING" else np.full(count, b"", object)
    if values:
        stored = np.uint16 if dtype == "DT_HALF" else target
        flat[: len(values)] = np.array(values, stored).view(target)
        flat[len(values) :] = flat[len(values) - 1]
    return flat.reshape(shape)


def model_spec(model: ModelRef, signature: str = "") -> Any:
    """The ModelSpec of a request."""
    spec = wire.ModelSpec(name=model.name, signature_name=signature)
    if model.version is not None:
        spec.version.value = model.version
    if model.label is not None:
        spec.version_label = model.label
    return spec


def predict_request(model: ModelRef, signature: str, inputs: Arrays, specs: Signature) -> Any:
    """A PredictRequest of inputs that `specs.cast` has made."""
    request = wire.PredictRequest(model_spec=model_spec(model, signature))
    for name, array in inputs.items():
        write_tensor(request.inputs[name], array, specs.inputs[name].dtype)
    return request


def predict_reply(reply: Any) -> Arrays:
    """The arrays of a PredictResponse."""
    return {name: read_tensor(tensor) for name, tensor in reply.outputs.items()}


def metadata_request(model: ModelRef) -> Any:
    """A GetModelMetadataRequest for the signatures, the only metadata that servers know."""
    return wire.GetModelMetadataRequest(model_spec=model_spec(model), metadata_field=[_SIGNATURES])


def metadata_reply(reply: Any) -> Metadata:
    """The signatures of a GetModelMetadataResponse.

    They come in an Any whose type is the official SignatureDefMap, not ours, so that Unpack would
    refuse it: its bytes are read as ours.
    """
    content = reply.metadata[_SIGNATURES].value
    try:
        signatures = wire.SignatureDefMap.FromString(content)
    except DecodeError as error:
        raise ServingError(
            f"the metadata must hold a SignatureDefMap. Received: {len(content)} other bytes",
            "INTERNAL",
        ) from error
    spec = reply.model_spec
    return Metadata(
        spec.name,
        spec.version.value if spec.HasField("version") else None,
        {
            name: Signature(_tensor_specs(definition.inputs), _tensor_specs(definition.outputs))
            for name, definition in signatures.signature_def.items()
            # TensorFlow's initialiser of a SavedModel: no tensors, not for clients.
            if definition.outputs and not name.startswith("__")
        },
    )


def status_request(model: ModelRef) -> Any:
    """A GetModelStatusRequest."""
    return wire.GetModelStatusRequest(model_spec=model_spec(model))


def status_reply(reply: Any) -> list[VersionStatus]:
    """The versions in a GetModelStatusResponse, newest first."""
    versions = [
        VersionStatus(
            item.version,
            _STATES.get(item.state, "UNKNOWN"),
            _CODES.get(item.status.error_code, "UNKNOWN"),
            item.status.error_message,
        )
        for item in reply.model_version_status
    ]
    return sorted(versions, key=lambda item: -item.version)


def dtype_name(number: int) -> str:
    """`DT_FLOAT` for 1; a number that wire.proto lacks comes back as `dtype 14`."""
    return _DTYPES.get(number, f"dtype {number}")


def _tensor_specs(infos: Any) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(dtype_name(info.dtype), _shape(info.tensor_shape))
        for name, info in infos.items()
    }


def _shape(shape: Any) -> tuple[int | None, ...] | None:
    return (
        None
        if shape.unknown_rank
        else tuple(dim.size if dim.size >= 0 else None for dim in shape.dim)
    )
