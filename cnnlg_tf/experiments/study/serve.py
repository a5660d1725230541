"""Serve a study's page and take the answers that it posts. Nothing but Python's own HTTP server."""

import json
import logging
import threading
from collections import Counter
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from cnnlg_tf.errors import DataError, ServingError
from cnnlg_tf.experiments.study.answers import (
    LARGEST,
    PAGE,
    Key,
    load_answers,
    load_key,
    parse_answers,
    store_answers,
)

SECONDS = 60  # that a client may take for a request

_log = logging.getLogger("cnnlg_tf")


class StudyServer(ThreadingHTTPServer):
    """`GET /` sends a judge to the sheet that fewest have; `POST /answers` keeps a judge's file.

    Args:
        folder: the study's.
        host: address to listen on.
        port: 0 for any.

    Raises:
        DataError: the folder holds no study.
        ServingError: the address cannot be had.
    """

    daemon_threads = True

    def __init__(self, folder: str | Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.folder = Path(folder)
        self.key: Key = load_key(folder)
        try:
            self.page = (self.folder / PAGE).read_bytes()
        except OSError as error:
            raise DataError(f"{folder} must hold {PAGE}: {error}") from error
        self._given = Counter(each.sheet for each in load_answers(folder, self.key))
        self._lock = threading.Lock()
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise ServingError(f"cannot listen on {host}:{port}: {error}") from error

    @property
    def address(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/"

    def next_sheet(self) -> int:
        """A sheet that nobody has more often than another."""
        with self._lock:
            sheet = min(range(len(self.key.sheets)), key=lambda number: self._given[number])
            self._given[sheet] += 1
            return sheet

    def keep(self, data: bytes) -> str:
        """Check and store a posted file; returns the judge's name. Raises DataError."""
        found = parse_answers(data, self.key, "the answers")
        with self._lock:
            store_answers(found, self.folder)
        return found.judge


class _Handler(BaseHTTPRequestHandler):
    server: StudyServer
    timeout = SECONDS
    server_version, sys_version = "study", ""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path != "/":
            self._tell(HTTPStatus.NOT_FOUND, {"error": f"nothing is at {url.path}"})
        elif "sheet=" not in url.query:
            self.send_response(HTTPStatus.SEE_OTHER)
            self.send_header("Location", f"/?sheet={self.server.next_sheet()}&post=1")
            self.send_header("Content-Length", "0")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
        else:
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page)

    def do_POST(self) -> None:
        if self.path != "/answers":
            self._tell(
                HTTPStatus.NOT_FOUND, {"error": f"nothing takes what is sent to {self.path}"}
            )
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            self.close_connection = True
            self._tell(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                {
                    "error": f"Content-Length must be {LARGEST} at most. Received: {length or 'none'}"
                },
            )
            return
        try:
            judge = self.server.keep(self.rfile.read(int(length)))
        except DataError as error:
            self._tell(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        except OSError as error:
            _log.warning("answers cannot be stored: %s", error)
            self._tell(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "cannot be stored"})
        else:
            self._tell(HTTPStatus.OK, {"stored": judge})

    def _tell(self, status: HTTPStatus, tree: dict[str, str]) -> None:
        self._send(status, "application/json", json.dumps(tree).encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header(
            "Content-Security-Policy",
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
            "script-src 'unsafe-inline'; connect-src 'self'",
        )
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request: who judges is nobody's business."""
