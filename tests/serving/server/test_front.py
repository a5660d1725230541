"""`cnnlg-tf serve`."""

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from cnnlg_tf.cli import main
from cnnlg_tf.serving.server.front import most_pixels
from tests.serving.servers import free_port


def test_serves_an_export_until_interrupted(models: Path) -> None:
    port, rest_port = free_port(), free_port()
    command = [sys.executable, "-m", "cnnlg_tf.cli", "serve", f"{models}/half_plus_three"]
    command += [f"--port={port}", f"--rest-port={rest_port}", "--model-name=half", "--batching"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == (
                f"Serving half: gRPC at localhost:{port}, "
                f"REST at http://localhost:{rest_port}/v1/models/half. Stop with Ctrl+C.\n"
            )
            url = f"http://localhost:{rest_port}/v1/models/half:predict"
            with urllib.request.urlopen(url, b'{"instances": [2.0]}', timeout=30) as response:
                assert response.read() == b'{"predictions":[4.0]}'
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_the_limit_on_pixels_fits_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for pages, most in ((2**19, 894_784), (2**30, 64 * 2**20)):  # 2 GiB, 4 TiB
        sizes = {"SC_PHYS_PAGES": pages, "SC_PAGE_SIZE": 4096}
        monkeypatch.setattr("os.sysconf", sizes.__getitem__)
        assert most_pixels() == most


@pytest.mark.parametrize(("folder", "found"), [("1", "a version itself"), ("none", "none there")])
def test_a_folder_without_versions(models: Path, folder: str, found: str) -> None:
    result = CliRunner().invoke(main, ["serve", f"{models}/half_plus_three/{folder}"])
    assert result.exit_code == 1
    assert "Error: an export to serve must hold a numbered folder, as " in result.output
    assert f"Received: {found}" in result.output
