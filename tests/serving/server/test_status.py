"""One error, four forms."""

import grpc
import pytest
import tensorflow as tf

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server import status


@pytest.mark.parametrize(
    ("name", "http"),
    [
        ("INVALID_ARGUMENT", 400),
        ("FAILED_PRECONDITION", 400),
        ("NOT_FOUND", 404),
        ("CANCELLED", 499),
        ("RESOURCE_EXHAUSTED", 429),
        ("UNAVAILABLE", 503),
        ("DEADLINE_EXCEEDED", 504),
        ("UNIMPLEMENTED", 501),
        ("INTERNAL", 500),
    ],
)
def test_codes(name: str, http: int) -> None:
    error = ServingError("text", name)
    assert status.http_code(name) == http
    assert status.grpc_code(error) == grpc.StatusCode[name]
    proto = status.to_proto(error)
    assert (proto.error_code, proto.error_message) == (grpc.StatusCode[name].value[0], "text")


def test_an_error_without_a_code_is_unknown_and_none_is_success() -> None:
    assert status.grpc_code(ServingError("text")) == grpc.StatusCode.UNKNOWN
    assert status.to_proto(None).error_code == 0


def test_other_exceptions() -> None:
    error = status.to_serving_error(tf.errors.NotFoundError(None, None, "gone"))
    assert (str(error), error.code) == ("gone", "NOT_FOUND")
    error = status.to_serving_error(KeyError("x"))
    assert (str(error), error.code) == ("KeyError: 'x'", "INTERNAL")
    same = ServingError("a", "ABORTED")
    assert status.to_serving_error(same) is same
