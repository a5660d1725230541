"""The REST face: TF-Serving's HTTP API and its Prometheus page on one port."""

import json
import logging
import re
import select
import socket
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from google.protobuf import json_format
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    regression_pb2,
)

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server import rest_json
from cnnlg_tf.serving.server.core import ServerCore
from cnnlg_tf.serving.server.limits import DEFAULT_LIMITS, Call, Limits, RunGate
from cnnlg_tf.serving.server.prediction import DEFAULT_SIGNATURE
from cnnlg_tf.serving.server.status import http_code, to_serving_error

_log = logging.getLogger(__name__)
_VERSION = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_ACTION = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<action>classify|regress|predict)", re.I
)
_READ = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?P<metadata>/metadata)?", re.I)
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
_IDLE_SECONDS = 120
_INT64_MAX = 2**63 - 1


class RestServer:
    """Serves the REST API; a thread for each connection, `threads` requests at once.

    Args:
        timeout: seconds a request may take.
        prometheus_path: where the metrics are, or None for nowhere.

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
        cors: bool = False,
        prometheus_path: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.core = core
        self.timeout = timeout
        self.cors = cors
        self.prometheus_path = prometheus_path
        self.limits = limits
        self.gate = RunGate(threads)
        self.draining = False
        self._active = 0
        self._changed = threading.Condition()
        try:
            self._server = _HttpServer(("0.0.0.0", port), _Handler, self)
        except OSError as error:
            raise ServingError(
                f"REST cannot listen on port {port}: {error.strerror}", "UNAVAILABLE"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="rest", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Close the port, wait up to `grace` seconds for the requests that are being answered."""
        self.draining = True
        self._server.shutdown()
        self._server.server_close()
        with self._changed:
            self._changed.wait_for(lambda: self._active == 0, grace)

    def __enter__(self) -> None:
        with self._changed:
            self._active += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._active -= 1
            self._changed.notify_all()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type, rest: RestServer) -> None:
        self.rest = rest
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("A REST connection from %s broke", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    wbufsize = -1  # headers and body leave in one packet

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_OPTIONS = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_GET

    def version_string(self) -> str:
        return "cnnlg-tf"

    def log_message(self, format: str, *args: Any) -> None:
        _log.debug(format, *args)

    def _handle(self) -> None:
        rest: RestServer = self.server.rest  # type: ignore[attr-defined]
        with rest:
            kind = "application/json"
            try:
                body = self._body(rest.limits.message_bytes)
                code, kind, text = 200, *self._route(rest, body)
            except Exception as caught:
                error = to_serving_error(caught)
                if error.code == "INTERNAL":
                    _log.exception("A REST request failed in an unforeseen way")
                code = http_code(error.code)
                text = json.dumps({"error": str(error)})
            self._send(code, kind, text.encode(), rest)

    def _route(self, rest: RestServer, body: bytes) -> tuple[str, str]:
        path = urlsplit(self.path).path
        if rest.prometheus_path is not None and path == rest.prometheus_path:
            return "text/plain", rest.core.metrics.text()
        if not path.lower().startswith("/v1/"):
            raise ServingError(f"Not Found: {path}", "NOT_FOUND")
        if self.command == "OPTIONS" and rest.cors:
            return "application/json", ""
        call = Call(rest.timeout if rest.timeout > 0 else None, self._client_left)
        if self.command == "POST" and (match := _ACTION.fullmatch(path)):
            with rest.gate.enter(call):
                return "application/json", _act(rest.core, match, body, call)
        if self.command == "GET" and (match := _READ.fullmatch(path)):
            return "application/json", _read(rest.core, match, call)
        raise ServingError(f"Malformed request: {self.command} {path}", "INVALID_ARGUMENT")

    def _client_left(self) -> bool:
        """Whether the other side closed the connection: then it reads as at its end."""
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        try:
            return bool(poll.poll(0)) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def _body(self, limit: int) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = self._chunks(limit)
        else:
            length = self.headers.get("Content-Length", "0")
            if not length.isdigit() or int(length) > limit:
                self.close_connection = True  # what follows the headers stays unread
                code = "RESOURCE_EXHAUSTED" if length.isdigit() else "INVALID_ARGUMENT"
                raise ServingError(
                    f"a body must have at most {limit} bytes. Received: {length}", code
                )
            body = self.rfile.read(int(length))
        if self.headers.get("Content-Encoding", "").lower() == "gzip":
            body = _gunzip(body, limit)
        return body

    def _chunks(self, limit: int) -> bytes:
        body = bytearray()
        while True:
            line = self.rfile.readline(100).split(b";")[0].strip()
            try:
                size = int(line, 16)
            except ValueError as error:
                self.close_connection = True
                raise ServingError(f"bad chunk size: {line!r}", "INVALID_ARGUMENT") from error
            if len(body) + size > limit:
                self.close_connection = True
                raise ServingError(f"a body must have at most {limit} bytes", "RESOURCE_EXHAUSTED")
            body += self.rfile.read(size)
            while self.rfile.readline(1000) not in (b"\r\n", b"\n", b""):
                pass  # the chunk's line end, or trailers after the last one
            if size == 0:
                return bytes(body)

    def _send(self, code: int, kind: str, body: bytes, rest: RestServer) -> None:
        self.send_response(code, None if code != 499 else "Client Closed Request")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if rest.cors:
            for name, value in _CORS.items():
                self.send_header(name, value)
        if rest.draining:
            self.close_connection = True
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


def _act(core: ServerCore, match: re.Match[str], body: bytes, call: Call) -> str:
    action = match["action"].lower()
    document = rest_json.parse_body(body)
    if action == "predict":

        def inputs_of(signature: str) -> Any:
            request = get_model_metadata_pb2.GetModelMetadataRequest()
            _fill_spec(request.model_spec, match)
            with core.manager.lease(request.model_spec) as (servable, _):
                name = signature or DEFAULT_SIGNATURE
                if name not in servable.signatures:
                    raise ServingError(
                        f'Serving signature name: "{name}" not found in signature def',
                        "INVALID_ARGUMENT",
                    )
                return servable.signatures[name].inputs

        request, rows = rest_json.predict_request(document, inputs_of)
        _fill_spec(request.model_spec, match)
        return rest_json.predict_answer(core.predict(request, call, "REST"), rows)
    if action == "classify":
        request = classification_pb2.ClassificationRequest()
        rest_json.fill_examples(document, request)
        _fill_spec(request.model_spec, match)
        return rest_json.classify_answer(core.classify(request, call, "REST"))
    request = regression_pb2.RegressionRequest()
    rest_json.fill_examples(document, request)
    _fill_spec(request.model_spec, match)
    return rest_json.regress_answer(core.regress(request, call, "REST"))


def _read(core: ServerCore, match: re.Match[str], call: Call) -> str:
    if not match["name"]:
        raise ServingError("Missing model name in request.", "INVALID_ARGUMENT")
    if not match["metadata"]:
        request = get_model_status_pb2.GetModelStatusRequest()
        _fill_spec(request.model_spec, match)
        return json.dumps(_plain(core.status(request)), indent=1)
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    _fill_spec(request.model_spec, match)
    response = core.metadata(request, call)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    answer = {
        "model_spec": _plain(response.model_spec),
        "metadata": {"signature_def": _plain(signatures)},
    }
    return json.dumps(answer, indent=1)


def _fill_spec(spec: Any, match: re.Match[str]) -> None:
    spec.name = unquote(match["name"])
    if match["version"]:
        if int(match["version"]) > _INT64_MAX:
            raise ServingError(
                f"Failed to convert version: {match['version']} to numeric.", "INVALID_ARGUMENT"
            )
        spec.version.value = int(match["version"])
    if match["label"]:
        spec.version_label = unquote(match["label"])


def _plain(message: Any) -> Any:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _gunzip(body: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, limit)
    except zlib.error as error:
        raise ServingError(f"the body is not gzip: {error}", "INVALID_ARGUMENT") from error
    if unpacker.unconsumed_tail:
        raise ServingError(
            f"a body must have at most {limit} bytes when unpacked", "RESOURCE_EXHAUSTED"
        )
    return plain
