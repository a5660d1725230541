"""`cnnlg-tf ui` as users start it: without TensorFlow where the model needs none, on a free port, with clear errors."""

import builtins
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from click.testing import CliRunner

from cnnlg_tf.cli import main
from cnnlg_tf.errors import MissingExtraError, ServingError
from cnnlg_tf.ui import command
from tests.conftest import make_mask, make_photo
from tests.ui.pages import decoded, encoded

WITHOUT_TENSORFLOW = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"


def test_next_free_port_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with command.listen(0) as first:
        port = first.getsockname()[1]
        with command.listen(port) as second:
            assert port < second.getsockname()[1] < port + command.PORTS_TRIED
            assert second.getsockname()[0] == "127.0.0.1"
        monkeypatch.setattr(command, "PORTS_TRIED", 1)
        with pytest.raises(ServingError, match=f"one of the ports {port} to {port} must be free"):
            command.listen(port)


def test_missing_target_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = CliRunner().invoke(
        main, ["ui", str(tmp_path / "none.jpg"), "--no-browser", "--port", "0"]
    )
    assert done.exit_code == 1
    assert (
        done.output
        == f"Error: a photo or folder to open must exist. Received: {tmp_path / 'none.jpg'}\n"
    )


def test_missing_extra_prints_its_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.startswith("python_multipart"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments)

    monkeypatch.delitem(sys.modules, "python_multipart", raising=False)
    monkeypatch.setattr("importlib.import_module", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'cnnlg-tf\[ui\]'"):
        command.serve_page(lambda: None, None, port=0, browser=False, tell=print)  # type: ignore[arg-type, return-value]


def test_page_imports_no_tensorflow() -> None:
    code = f"{WITHOUT_TENSORFLOW}import cnnlg_tf.ui.app, cnnlg_tf.cli.page"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_onnx_model_repairs_on_the_page_without_tensorflow(untrained: Any, tmp_path: Path) -> None:
    from cnnlg_tf.export.onnx_model import export_onnx
    from cnnlg_tf.export.source import Source

    export = export_onnx(untrained, tmp_path / "fp32", source=Source(untrained))
    arguments = ["cnnlg-tf", "ui", "--model", str(export), "--no-browser", "--port", "0"]
    code = f"{WITHOUT_TENSORFLOW}sys.argv = {arguments!r}\nfrom cnnlg_tf.cli import main\nmain()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        found = re.search(r"(http://[^/]+)/\?token=(\w+)", process.stdout.readline())
        assert found
        headers = {"Authorization": f"Bearer {found[2]}"}
        with httpx.Client(base_url=found[1], headers=headers, timeout=60) as client:
            photo, mask = make_photo(), make_mask()
            files = {"photo": ("a.png", encoded(photo)), "mask": ("m.png", encoded(mask))}
            answer = client.post("/api/repair", files=files)
            assert answer.status_code == 200, answer.text
            result = decoded(answer.content)
            assert (result[mask == 0] == photo[mask == 0]).all() and np.any(result != photo)
            assert client.get("/api/status").json()["state"] == "ready"
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()


def test_interrupt_ends_the_server_though_a_page_watches(tmp_path: Path) -> None:
    """A stream of events is open all the time that a job waits; Ctrl+C still ends the command."""
    code = """
import sys, threading
from pathlib import Path
from cnnlg_tf.ui.command import serve_page
def never(): threading.Event().wait()
serve_page(never, None, port=0, browser=False, tell=lambda line: print(line, flush=True))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    found = re.search(r"http://127.0.0.1:(\d+)/\?token=(\w+)", process.stdout.readline())
    assert found
    headers = {"Authorization": f"Bearer {found[2]}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{found[1]}", headers=headers) as client:
        key = client.post("/api/photos", files={"photo": ("a.png", encoded(make_photo()))}).json()[
            "key"
        ]
        job = client.post(f"/api/photos/{key}/damage").json()["job"]
    with socket.create_connection(("127.0.0.1", int(found[1]))) as watcher:
        lines = [
            f"GET /api/jobs/{job}/events HTTP/1.1",
            f"Host: 127.0.0.1:{found[1]}",
            f"Authorization: Bearer {found[2]}",
        ]
        watcher.sendall("\r\n".join([*lines, "", ""]).encode())
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0, process.stderr.read()
    process.stdout.close()
    process.stderr.close()
