"""uvicorn in a thread of its own: the listening socket, TLS, and connections that take too long.

uvicorn waits without end for a request's headers and for a client that does not read its answer;
`_Connection` ends both, and refuses framing that grows without a byte of body.
"""

import asyncio
import json
import logging
import socket
import ssl
import threading
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cnnlg_tf.errors import ServingError

_log = logging.getLogger(__name__)
_IDLE_SECONDS = 120  # between two requests of a connection
_HEAD_SECONDS = 30.0  # from a connection's or a request's first byte to the end of its headers
_STALLED_SECONDS = 30.0  # a client that took nothing of an answer for so long is dropped
_MOST_FRAMING = 64 * 2**10  # bytes of headers, trailers or chunk extensions in a row
_MOST_CONNECTIONS = 1024


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises ServingError: UNAVAILABLE, the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ServingError(
            f"REST cannot listen on port {port} of {host}: {error.strerror}", "UNAVAILABLE"
        ) from error
    return listener


class HttpServer:
    """Runs an ASGI application on a listening socket until `stop`."""

    def __init__(
        self, application: Any, listener: socket.socket, tls: ssl.SSLContext | None = None
    ) -> None:
        config = uvicorn.Config(
            application,
            http=_Connection,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=[("server", "cnnlg-tf")],
            timeout_keep_alive=_IDLE_SECONDS,
            limit_concurrency=_MOST_CONNECTIONS,
        )
        config.load()
        config.ssl = tls
        for name in ("uvicorn.error", "uvicorn.access"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._server = uvicorn.Server(config)
        self._listener = listener
        self._thread = threading.Thread(target=self._run, name="rest", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Close the port; wait up to `grace` seconds for the requests that are being answered."""
        # The lowest number that uvicorn takes for a limit is not 0.
        self._server.config.timeout_graceful_shutdown = max(grace, 0.01)  # type: ignore[assignment]
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(grace + 10)
        self._listener.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listener]))


class _Connection(HttpToolsProtocol):
    """One connection, with limits on what uvicorn leaves open."""

    _framing = 0
    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _moved = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._await_head()
        self._framing += len(data)
        super().data_received(data)
        if self._framing > _MOST_FRAMING and not self.transport.is_closing():
            self.send_400_response(f"headers must have at most {_MOST_FRAMING} bytes")

    def on_headers_complete(self) -> None:
        self._framing = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._framing = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._framing = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._watch_writes()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writes()

    def resume_writing(self) -> None:
        self._moved = True
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed is answered in JSON, too."""
        body = json.dumps({"error": msg}).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\nserver: cnnlg-tf\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
        self._watch_writes()

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(_HEAD_SECONDS, self.transport.abort)

    def _watch_writes(self) -> None:
        if self._write_timer is None:
            self._moved = False
            size = self.transport.get_write_buffer_size()
            self._write_timer = self.loop.call_later(_STALLED_SECONDS, self._check_writes, size)

    def _check_writes(self, before: int) -> None:
        self._write_timer = None
        size = self.transport.get_write_buffer_size()
        if not size:
            return
        if self.transport.is_closing() or not (self._moved or size < before):
            _log.debug("A client of REST does not read its answer; its connection is dropped")
            self.transport.abort()
        else:
            self._watch_writes()
