"""Status codes: one name ("NOT_FOUND") for gRPC, HTTP, StatusProto and TensorFlow's errors."""

from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import status_pb2

from cnnlg_tf.errors import ServingError

_HTTP = {
    "OK": 200,
    "CANCELLED": 499,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "UNAUTHENTICATED": 401,
}
_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


def grpc_code(error: ServingError) -> grpc.StatusCode:
    """The gRPC status of an error; UNKNOWN when it has none."""
    return grpc.StatusCode[error.code or "UNKNOWN"]


def http_code(code: str) -> int:
    """The HTTP status that TF-Serving answers for a status name."""
    return _HTTP.get(code, 500)


def to_serving_error(error: Exception) -> ServingError:
    """Any exception as a ServingError: TensorFlow's keep their code, others are INTERNAL."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return ServingError(str(error.message), _NAMES.get(error.error_code, "UNKNOWN"))
    return ServingError(f"{type(error).__name__}: {error}", "INTERNAL")


def to_proto(error: ServingError | None) -> Any:
    """The StatusProto of an error, or of success."""
    if error is None:
        return status_pb2.StatusProto()
    return status_pb2.StatusProto(error_code=grpc_code(error).value[0], error_message=str(error))
