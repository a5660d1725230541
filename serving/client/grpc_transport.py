"""The client's calls over gRPC, blocking and asyncio."""

from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.client import wire_codec as codec
from cnnlg_tf.serving.client import wire_pb2 as wire
from cnnlg_tf.serving.client.metadata import Arrays, Metadata, ModelRef, Signature, VersionStatus
from cnnlg_tf.serving.client.tls import TLS

_PREDICTION = "/tensorflow.serving.PredictionService"
_MODEL = "/tensorflow.serving.ModelService"


class GrpcTransport:
    """One channel to `target` (host:port, or unix:path); safe to share between threads."""

    def __init__(
        self, target: str, model: ModelRef, tls: TLS | None, max_message_bytes: int
    ) -> None:
        self._model = model
        self._channel = _open(grpc, target, tls, max_message_bytes)
        self._stubs = _Stubs(self._channel, target)

    def predict(self, signature: str, inputs: Arrays, specs: Signature, timeout: float) -> Arrays:
        request = codec.predict_request(self._model, signature, inputs, specs)
        return codec.predict_reply(self._call(self._stubs.predict, request, timeout))

    def metadata(self, timeout: float) -> Metadata:
        request = codec.metadata_request(self._model)
        return codec.metadata_reply(self._call(self._stubs.metadata, request, timeout))

    def status(self, timeout: float) -> list[VersionStatus]:
        request = codec.status_request(self._model)
        return codec.status_reply(self._call(self._stubs.status, request, timeout))

    def close(self) -> None:
        self._channel.close()

    def _call(self, stub: Callable[..., Any], request: Any, timeout: float) -> Any:
        try:
            return stub(request, timeout=timeout)
        except grpc.RpcError as error:
            raise self._stubs.error(error) from error


class AsyncGrpcTransport:
    """GrpcTransport for asyncio; belongs to the event loop that is running when it is made."""

    def __init__(
        self, target: str, model: ModelRef, tls: TLS | None, max_message_bytes: int
    ) -> None:
        self._model = model
        self._channel = _open(grpc.aio, target, tls, max_message_bytes)
        self._stubs = _Stubs(self._channel, target)

    async def predict(
        self, signature: str, inputs: Arrays, specs: Signature, timeout: float
    ) -> Arrays:
        request = codec.predict_request(self._model, signature, inputs, specs)
        return codec.predict_reply(await self._call(self._stubs.predict, request, timeout))

    async def metadata(self, timeout: float) -> Metadata:
        request = codec.metadata_request(self._model)
        return codec.metadata_reply(await self._call(self._stubs.metadata, request, timeout))

    async def status(self, timeout: float) -> list[VersionStatus]:
        request = codec.status_request(self._model)
        return codec.status_reply(await self._call(self._stubs.status, request, timeout))

    async def close(self) -> None:
        await self._channel.close()

    async def _call(self, stub: Callable[..., Any], request: Any, timeout: float) -> Any:
        try:
            return await stub(request, timeout=timeout)
        except grpc.RpcError as error:
            raise self._stubs.error(error) from error


class _Stubs:
    """The three methods of a channel of either kind, and how their errors read."""

    def __init__(self, channel: Any, target: str) -> None:
        self._target = target

        def method(path: str, request: Any, reply: Any) -> Any:
            return channel.unary_unary(
                path,
                request_serializer=request.SerializeToString,
                response_deserializer=reply.FromString,
            )

        self.predict = method(f"{_PREDICTION}/Predict", wire.PredictRequest, wire.PredictResponse)
        self.metadata = method(
            f"{_PREDICTION}/GetModelMetadata",
            wire.GetModelMetadataRequest,
            wire.GetModelMetadataResponse,
        )
        self.status = method(
            f"{_MODEL}/GetModelStatus", wire.GetModelStatusRequest, wire.GetModelStatusResponse
        )

    def error(self, error: Any) -> ServingError:
        code = error.code().name
        return ServingError(f"{self._target} answered {code}: {error.details()}", code)


def _open(library: Any, target: str, tls: TLS | None, max_message_bytes: int) -> Any:
    options = [
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        # RetryPolicy decides when to try again; the channel must not wait longer than it.
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        # Notices a server that vanished behind a balancer between two requests.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
    ]
    if tls is None:
        return library.insecure_channel(target, options=options)
    return library.secure_channel(
        target, grpc.ssl_channel_credentials(**tls.pem()), options=options
    )
