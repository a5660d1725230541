"""The client's calls over REST, blocking and (in threads) asyncio; standard library only."""

import asyncio
import http.client
import json
import queue
import time
from typing import Any
from urllib.parse import SplitResult, quote

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.client import rest_codec as codec
from cnnlg_tf.serving.client.metadata import Arrays, Metadata, ModelRef, Signature, VersionStatus
from cnnlg_tf.serving.client.tls import TLS

# What the gRPC interface calls each HTTP status; any other is UNKNOWN.
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class RestTransport:
    """Keep-alive connections to one server; threads may share it, each call holds its own."""

    def __init__(
        self, url: SplitResult, model: ModelRef, tls: TLS | None, max_message_bytes: int
    ) -> None:
        self._address = url.netloc
        self._model = model
        self._max_message_bytes = max_message_bytes
        self._context = (tls or TLS()).ssl_context() if url.scheme == "https" else None
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()
        self._path = f"{url.path.rstrip('/')}/v1/models/{quote(model.name, safe='')}"
        if model.version is not None:
            self._path += f"/versions/{model.version}"
        if model.label is not None:
            self._path += f"/labels/{quote(model.label, safe='')}"

    def predict(self, signature: str, inputs: Arrays, specs: Signature, timeout: float) -> Arrays:
        body = json.dumps(codec.predict_body(signature, inputs)).encode()
        return codec.predict_reply(self._call("POST", ":predict", body, timeout), specs)

    def metadata(self, timeout: float) -> Metadata:
        return codec.metadata_reply(self._call("GET", "/metadata", None, timeout), self._model)

    def status(self, timeout: float) -> list[VersionStatus]:
        return codec.status_reply(self._call("GET", "", None, timeout))

    def close(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    def _call(self, method: str, suffix: str, body: bytes | None, timeout: float) -> Any:
        connection = self._connection()
        deadline = time.monotonic() + timeout
        try:
            status, content = self._exchange(
                connection, method, self._path + suffix, body, deadline
            )
        except TimeoutError as error:
            connection.close()
            raise ServingError(
                f"{self._address} gave no answer in {timeout:.3g} s", "DEADLINE_EXCEEDED"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ServingError(
                f"{self._address} cannot be reached: {error}", "UNAVAILABLE"
            ) from error
        except BaseException:
            connection.close()
            raise
        self._idle.put(connection)
        return self._parse(status, content)

    def _connection(self) -> http.client.HTTPConnection:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            if self._context is None:
                return http.client.HTTPConnection(self._address)
            return http.client.HTTPSConnection(self._address, context=self._context)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        deadline: float,
    ) -> tuple[int, bytes]:
        connection.timeout = _left(deadline)
        if connection.sock is None:
            connection.connect()
        sock = connection.sock
        sock.settimeout(_left(deadline))
        connection.request(method, path, body, {"Content-Type": "application/json"})
        sock.settimeout(_left(deadline))
        response = connection.getresponse()
        chunks, size = [], 0
        while chunk := response.read1(1 << 20):
            sock.settimeout(_left(deadline))
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_message_bytes:
                raise ServingError(
                    f"a reply of {self._address} must have at most {self._max_message_bytes} bytes "
                    "(max_message_bytes). Received: more",
                    "RESOURCE_EXHAUSTED",
                )
        response.read()  # read1 leaves a response open at its end, and the connection busy
        return response.status, b"".join(chunks)

    def _parse(self, status: int, content: bytes) -> Any:
        code = "" if status == 200 else _CODES.get(status, "UNKNOWN")
        try:
            reply = json.loads(content)
        except ValueError as error:
            text = content[:200].decode("utf-8", "replace")
            raise ServingError(
                f"{self._address} must answer in JSON. Received: HTTP {status} {text!r}",
                code or "INTERNAL",
            ) from error
        if code:
            message = reply.get("error", reply) if isinstance(reply, dict) else reply
            raise ServingError(f"{self._address} answered {code}: {message}", code)
        return reply


class ThreadedRestTransport:
    """RestTransport for asyncio: each call runs in a thread of the loop's pool."""

    def __init__(
        self, url: SplitResult, model: ModelRef, tls: TLS | None, max_message_bytes: int
    ) -> None:
        self._rest = RestTransport(url, model, tls, max_message_bytes)

    async def predict(
        self, signature: str, inputs: Arrays, specs: Signature, timeout: float
    ) -> Arrays:
        return await asyncio.to_thread(self._rest.predict, signature, inputs, specs, timeout)

    async def metadata(self, timeout: float) -> Metadata:
        return await asyncio.to_thread(self._rest.metadata, timeout)

    async def status(self, timeout: float) -> list[VersionStatus]:
        return await asyncio.to_thread(self._rest.status, timeout)

    async def close(self) -> None:
        self._rest.close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
