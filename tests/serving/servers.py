"""Real server processes on free ports, and the clients of their tests."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

START_SECONDS = 300  # the machine may be busy; a start takes about 4 s alone


@dataclass
class Server:
    """A running server process and its clients."""

    process: subprocess.Popen[bytes]
    port: int
    rest_port: int
    log: Path
    credentials: Any = None
    _channel: Any = field(default=None, repr=False)

    @property
    def channel(self) -> Any:
        if self._channel is None:
            address, options = f"localhost:{self.port}", [("grpc.max_send_message_length", -1)]
            self._channel = (
                grpc.insecure_channel(address, options)
                if self.credentials is None
                else grpc.secure_channel(address, self.credentials, options)
            )
        return self._channel

    @property
    def predictions(self) -> Any:
        return prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    @property
    def models(self) -> Any:
        return model_service_pb2_grpc.ModelServiceStub(self.channel)

    def rest(
        self, path: str, body: Any = None, headers: dict[str, str] | None = None, **request: Any
    ) -> tuple[int, Any]:
        """GET, or POST with a body (JSON unless it is bytes). Returns (status, JSON or text)."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://localhost:{self.rest_port}{path}"
        message = urllib.request.Request(url, data, headers or {}, **request)
        try:
            with urllib.request.urlopen(message, timeout=30) as response:
                status, text = response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read().decode()
        return status, json.loads(text) if text[:1] in "{[" else text

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        if self._channel is not None:
            self._channel.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_process(flags: list[str], log: Path) -> "subprocess.Popen[bytes]":
    """`cnnlg-tf-model-server` with `flags`; what it prints goes to `log`."""
    command = [sys.executable, "-m", "cnnlg_tf.serving.server.command", *flags]
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)


@contextmanager
def running_server(
    folder: Path,
    *flags: str,
    credentials: Any = None,
    start: Callable[[list[str], Path], Any] = start_process,
) -> Iterator[Server]:
    """Start `cnnlg-tf-model-server` with `flags`; ready on entry, stopped on exit."""
    port, rest_port = free_port(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    process = start([f"--port={port}", f"--rest_api_port={rest_port}", *flags], log)
    server = Server(process, port, rest_port, log, credentials)
    try:
        wait_until(lambda: b"Exporting HTTP" in log.read_bytes() or process.poll() is not None)
        if process.poll() is not None:
            pytest.fail(f"the server did not start:\n{log.read_text()}")
        yield server
    finally:
        server.stop()


def wait_until(condition: Callable[[], Any], seconds: float = START_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds} s in vain")
        time.sleep(0.05)


def predict_request(model: str, signature: str = "", /, **inputs: Any) -> Any:
    """A PredictRequest; inputs are arrays, sent in tensor_content (strings in string_val)."""
    import tensorflow as tf

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def failure(call: Callable[..., Any], request: Any, timeout: float = 30) -> tuple[str, str]:
    """(code, details) of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout)
    return caught.value.code().name, caught.value.details()
