"""The REST face: TF-Serving's HTTP API, health checks and its Prometheus page on one port."""

import asyncio
import contextlib
import gzip
import json
import logging
import re
import socket
import ssl
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    regression_pb2,
)

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server import rest_json
from cnnlg_tf.serving.server.core import ServerCore
from cnnlg_tf.serving.server.http_server import HttpServer, listen
from cnnlg_tf.serving.server.limits import DEFAULT_LIMITS, ByteBudget, Call, Limits
from cnnlg_tf.serving.server.status import http_code, to_serving_error

_log = logging.getLogger(__name__)
_VERSION = r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_ACTION = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<action>classify|regress|predict)", re.I
)
_READ = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?P<metadata>/metadata)?", re.I)
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, GET",
    "access-control-allow-headers": "Content-Type",
}
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_INT64_MAX = 2**63 - 1
_PIECE = 64 * 2**10  # an answer is handed over in pieces, so that a client that stalls is noticed
_SLOWEST = 32 * 2**10  # bytes per second at which a client may send or take a body
_GZIP_FROM = 1024
_DRAIN_SECONDS, _DRAIN_IDLE_SECONDS = 2.0, 0.3


@dataclass
class _Answer:
    status: int
    kind: str
    body: bytes
    close: bool = False
    packed: bool = False


class _UnreadError(ServingError):
    """What is left of the request's body stays unread, so that the connection must end."""


class RestServer:
    """Serves the REST API; `threads` requests at once.

    Args:
        timeout: seconds a request may take; 0 for no limit.
        prometheus_path: where the metrics are, or None for nowhere.
        tls: encrypts the port.

    Raises:
        ServingError: UNAVAILABLE, the port is taken.
    """

    def __init__(
        self,
        core: ServerCore,
        port: int,
        *,
        threads: int,
        timeout: float,
        host: str = "0.0.0.0",
        cors: bool = False,
        prometheus_path: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._core = core
        self._timeout = timeout if timeout > 0 else None
        self._cors = cors
        self._prometheus_path = prometheus_path
        self._limits = limits
        self._budget = ByteBudget(2 * limits.rest_body_bytes)
        self._draining = False
        self._turns = asyncio.Semaphore(threads)
        listener: socket.socket = listen(host, port)
        self._pool = ThreadPoolExecutor(threads, "rest")
        self._http = HttpServer(Starlette(routes=[Mount("/", app=self._serve)]), listener, tls)

    def start(self) -> None:
        self._http.start()

    def stop(self, grace: float) -> None:
        """Close the port, wait up to `grace` seconds for the requests that are being answered."""
        self._draining = True
        self._http.stop(grace)
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        given = request.headers.get("x-request-id", "")
        name = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        try:
            answer = await self._answer(request)
        except ClientDisconnect:
            return
        except Exception as caught:
            error = to_serving_error(caught)
            if error.code == "INTERNAL":
                _log.exception("REST request %s failed in an unforeseen way", name)
            text = json.dumps({"error": str(error)})
            close = isinstance(error, _UnreadError)
            if close:
                await _drain(request)
            answer = _Answer(http_code(error.code), "application/json", text.encode(), close)
        await self._send(request, answer, name, send)

    async def _answer(self, request: Request) -> _Answer:
        path = request.scope["raw_path"].decode("ascii")
        answer = self._own_page(request, path)
        if answer is not None:
            return answer
        call = Call(self._timeout)
        pattern = {"POST": _ACTION, "GET": _READ}.get(request.method)
        match = pattern.fullmatch(path) if pattern else None
        if match is None:
            raise ServingError(f"Malformed request: {request.method} {path}", "INVALID_ARGUMENT")
        with self._budget.share() as share:
            body = await _read_body(request, self._limits.rest_body_bytes, share, call)
            leaving = asyncio.create_task(_cancel_when_left(request, call))
            try:
                return await self._in_turn(request, match, body, call)
            finally:
                leaving.cancel()

    async def _in_turn(
        self, request: Request, match: re.Match[str], body: bytearray, call: Call
    ) -> _Answer:
        headers = request.headers
        packed = headers.get("content-encoding", "").strip().lower()
        wants_gzip = _accepts_gzip(headers.get("accept-encoding", ""))

        def work() -> _Answer:
            call.check()
            if request.method == "POST":
                plain = _unpacked(body, packed, self._limits.rest_body_bytes)
                data = _act(self._core, match, plain, call)
            else:
                data = _read(self._core, match, call).encode()
            if wants_gzip and len(data) >= _GZIP_FROM:
                return _Answer(200, "application/json", gzip.compress(data, 1), packed=True)
            return _Answer(200, "application/json", data)

        try:
            async with asyncio.timeout(call.remaining()):
                await self._turns.acquire()
        except TimeoutError:
            call.check()
            raise
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._turns.release()

    def _own_page(self, request: Request, path: str) -> _Answer | None:
        """Pages that need no body and no turn: health, metrics, CORS, and what is not here."""
        if path == "/healthz":
            return _Answer(200, "text/plain", b"ok\n")
        if path == "/readyz":
            missing = ["the server is stopping"] if self._draining else self._core.not_ready()
            text = "ready\n" if not missing else f"not ready: {', '.join(missing)}\n"
            return _Answer(503 if missing else 200, "text/plain", text.encode())
        if self._prometheus_path is not None and path == self._prometheus_path:
            return _Answer(200, "text/plain", self._core.metrics.text().encode())
        if not path.lower().startswith("/v1/"):
            raise ServingError(f"Not Found: {path}", "NOT_FOUND")
        if request.method == "OPTIONS" and self._cors:
            return _Answer(200, "application/json", b"")
        return None

    async def _send(self, request: Request, answer: _Answer, name: str, send: Send) -> None:
        headers = {
            "content-type": answer.kind,
            "content-length": str(len(answer.body)),
            "x-request-id": name,
        }
        if answer.packed:
            headers["content-encoding"] = "gzip"
            headers["vary"] = "accept-encoding"
        if self._cors:
            headers |= _CORS
        if answer.close or self._draining:
            headers["connection"] = "close"
        raw = [(key.encode(), value.encode()) for key, value in headers.items()]
        start = {"type": "http.response.start", "status": answer.status, "headers": raw}
        body = memoryview(b"" if request.method == "HEAD" else answer.body)
        async with asyncio.timeout(60 + len(body) / _SLOWEST):
            await send(start)
            for place in range(0, max(1, len(body)), _PIECE):
                piece = bytes(body[place : place + _PIECE])
                more = place + _PIECE < len(body)
                await send({"type": "http.response.body", "body": piece, "more_body": more})


async def _read_body(request: Request, limit: int, share: Any, call: Call) -> bytearray:
    """The body as it came; `share` counts its bytes against what all requests may hold."""
    declared = request.headers.get("content-length", "0")
    if int(declared) > limit:  # the HTTP parser let only digits through
        raise _UnreadError(
            f"a body must have at most {limit} bytes. Received: {declared}", "RESOURCE_EXHAUSTED"
        )
    body = bytearray()
    try:
        async with asyncio.timeout(call.remaining()):
            async for chunk in request.stream():
                if len(body) + len(chunk) > limit:
                    raise _UnreadError(
                        f"a body must have at most {limit} bytes. Received: more",
                        "RESOURCE_EXHAUSTED",
                    )
                try:
                    share.add(len(chunk))
                except ServingError as error:
                    raise _UnreadError(str(error), error.code) from error
                body += chunk
    except TimeoutError as error:
        raise _UnreadError(
            f"the request's body did not arrive in time. Received: {len(body)} bytes",
            "DEADLINE_EXCEEDED",
        ) from error
    return body


async def _drain(request: Request) -> None:
    """Let a client end its sending, for a moment: it would meet a reset before it read why."""
    if "expect" in request.headers:  # it waits to be asked for the body
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while True:
                message = await asyncio.wait_for(request.receive(), _DRAIN_IDLE_SECONDS)
                if not message.get("more_body"):
                    return


async def _cancel_when_left(request: Request, call: Call) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    call.cancel()


def _unpacked(body: bytearray, encoding: str, limit: int) -> bytes | bytearray:
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise ServingError(
            f"a body's Content-Encoding must be gzip or identity. Received: {encoding}",
            "INVALID_ARGUMENT",
        )
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise ServingError(f"the body is not gzip: {error}", "INVALID_ARGUMENT") from error
    if len(plain) > limit:
        raise ServingError(
            f"a body must have at most {limit} bytes when unpacked", "RESOURCE_EXHAUSTED"
        )
    if not unpacker.eof or unpacker.unused_data:
        fault = "has bytes after its end" if unpacker.eof else "ends too early"
        raise ServingError(f"the body is not gzip: it {fault}", "INVALID_ARGUMENT")
    return plain


def _accepts_gzip(header: str) -> bool:
    for entry in header.lower().split(","):
        coding, _, parameters = entry.partition(";")
        if coding.strip() in ("gzip", "*"):
            return not re.fullmatch(r"q=0(\.0*)?", parameters.strip())
    return False


def _act(core: ServerCore, match: re.Match[str], body: bytes | bytearray, call: Call) -> bytes:
    document = rest_json.parse_body(body)
    spec = _spec(match)
    action = match["action"].lower()
    if action == "predict":
        return core.predict_json(spec, document, call)
    if action == "classify":
        request = classification_pb2.ClassificationRequest()
        rest_json.fill_examples(document, request)
        request.model_spec.MergeFrom(spec)
        return rest_json.classify_answer(core.classify(request, call, "REST"))
    request = regression_pb2.RegressionRequest()
    rest_json.fill_examples(document, request)
    request.model_spec.MergeFrom(spec)
    return rest_json.regress_answer(core.regress(request, call, "REST"))


def _read(core: ServerCore, match: re.Match[str], call: Call) -> str:
    if not match["name"]:
        raise ServingError("Missing model name in request.", "INVALID_ARGUMENT")
    spec = _spec(match)
    if not match["metadata"]:
        status = core.status(get_model_status_pb2.GetModelStatusRequest(model_spec=spec))
        return json.dumps(_plain(status), indent=1)
    response = core.metadata(
        get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec, metadata_field=["signature_def"]
        ),
        call,
    )
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    answer = {
        "model_spec": _plain(response.model_spec),
        "metadata": {"signature_def": _plain(signatures)},
    }
    return json.dumps(answer, indent=1)


def _spec(match: re.Match[str]) -> Any:
    spec = model_pb2.ModelSpec(name=unquote(match["name"]))
    if match["version"]:
        digits = match["version"]
        if len(digits) > 19 or int(digits) > _INT64_MAX:
            raise ServingError(
                f"Failed to convert version: {digits} to numeric.", "INVALID_ARGUMENT"
            )
        spec.version.value = int(digits)
    if match["label"]:
        spec.version_label = unquote(match["label"])
    return spec


def _plain(message: Any) -> Any:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
