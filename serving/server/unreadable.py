"""Messages that are none: gRPC's bytes that are not of the method's request type."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc

_KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


@dataclass(frozen=True)
class _Unreadable:
    fault: str


class RefuseUnreadable(grpc.ServerInterceptor):
    """Answers INTERNAL, as TensorFlow Serving does, to a request that cannot be read.

    gRPC 1.85 itself ends such a call twice, and then keeps what belongs to it: 15 KiB each.
    """

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        handler = continuation(details)
        if handler is None or handler.request_deserializer is None:
            return handler
        read = handler.request_deserializer

        def deserialize(data: bytes) -> Any:
            try:
                return read(data)
            except Exception as error:  # protobuf's versions raise several types
                return _Unreadable(f"{type(error).__name__}: {error}")

        changes = {"request_deserializer": deserialize}
        for kind in _KINDS:
            answer = getattr(handler, kind)
            if answer is not None:
                changes[kind] = _checked(answer, details.method, handler.request_streaming)
        return handler._replace(**changes)


def _checked(answer: Callable[..., Any], method: str, streaming: bool) -> Callable[..., Any]:
    def check(request: Any, context: Any) -> Any:
        if isinstance(request, _Unreadable):
            context.abort(
                grpc.StatusCode.INTERNAL,
                f"a request of {method} must be of its message's type. Received: {request.fault}",
            )
        return request

    def check_each(requests: Iterator[Any], context: Any) -> Iterator[Any]:
        for request in requests:
            yield check(request, context)

    if streaming:
        return lambda requests, context: answer(check_each(requests, context), context)
    return lambda request, context: answer(check(request, context), context)
