"""TensorFlow's profiler on the gRPC port: calls are passed on to TensorFlow's own server."""

import socket
import threading
from typing import Any

import grpc
import tensorflow as tf

_SERVICES = {
    "tensorflow.ProfilerService": ("Profile", "Terminate", "Monitor"),
    "tensorflow.ProfileAnalysis": ("NewSession", "EnumSessions", "GetSessionToolData"),
}


class _Proxy:
    """Starts the profiler server on the first call: who never profiles does not pay for it."""

    def __init__(self) -> None:
        self._channel: Any = None
        self._lock = threading.Lock()

    def forward(self, method: str, request: bytes, context: Any) -> bytes:
        try:
            answer: bytes = self._connect().unary_unary(method)(
                request, timeout=context.time_remaining(), wait_for_ready=True
            )
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
        return answer

    def _connect(self) -> Any:
        with self._lock:
            if self._channel is None:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", 0))
                    port = probe.getsockname()[1]
                tf.profiler.experimental.server.start(port)
                self._channel = grpc.insecure_channel(
                    f"127.0.0.1:{port}", options=[("grpc.max_receive_message_length", -1)]
                )
            return self._channel


def add_profiler_service(server: grpc.Server) -> None:
    """Register the profiler's services (`tf.profiler.experimental.client.trace` calls them)."""
    proxy = _Proxy()

    def handler(method: str) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: proxy.forward(method, request, context)
        )

    for service, methods in _SERVICES.items():
        handlers = {name: handler(f"/{service}/{name}") for name in methods}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
