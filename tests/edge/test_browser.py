"""The example page in Chromium: what onnxruntime-web repairs is what onnxruntime repairs."""

import base64
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_mask, make_photo
from tests.edge.conftest import ROOT, same_repair

ort = pytest.importorskip("onnxruntime", reason="needs onnxruntime (extra `onnx`)")

pytestmark = pytest.mark.browser

WEB = "onnxruntime-web@1"
RUN = """async ([image, mask, height, width]) => {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const { open, repair } = await import("./repair.js");
    window.session ??= await open();
    const done = await repair(window.session, bytes(image), bytes(mask), height, width);
    let text = "";
    for (const byte of done.repaired) text += String.fromCharCode(byte);
    return [btoa(text), done.milliseconds];
}"""


class _Files(SimpleHTTPRequestHandler):
    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        # with these a page may use threads
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def page(
    chromium: Any, pixels_onnx: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    if shutil.which("npm") is None:
        pytest.skip("needs npm, for the package onnxruntime-web")
    folder = tmp_path_factory.mktemp("browser")
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--prefix", str(folder), WEB]
    done = subprocess.run(install, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shutil.copytree(ROOT / "docs/browser", folder / "site")
    (folder / "site/ort").symlink_to(folder / "node_modules/onnxruntime-web/dist")
    shutil.copy(pixels_onnx / "pixels.onnx", folder / "site")
    handler = partial(_Files, directory=folder / "site")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = chromium.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/index.html")
        yield page
        page.close()
        server.shutdown()
        assert faults == []


@pytest.mark.parametrize("side", [256, 512])
def test_the_same_pixels(page: Any, pixels_onnx: Path, side: int) -> None:
    photo, mask = make_photo(side, side), make_mask(side, side)
    given = [base64.b64encode(each.tobytes()).decode() for each in (photo, mask)]
    text, milliseconds = page.evaluate(RUN, [*given, side, side])
    found = np.frombuffer(base64.b64decode(text), np.uint8).reshape(photo.shape)
    session = ort.InferenceSession(pixels_onnx / "pixels.onnx", providers=["CPUExecutionProvider"])
    (native,) = session.run(["repaired"], {"image": photo[None], "mask": mask[None, ..., None]})
    assert same_repair(found, native[0], photo, mask) > 45.0
    assert milliseconds > 0


def test_a_photo_is_painted_on_and_repaired(page: Any, tmp_path: Path) -> None:
    Image.fromarray(make_photo(96, 128)).save(tmp_path / "photo.png")
    page.set_input_files("#file", tmp_path / "photo.png")
    page.wait_for_function("!document.getElementById('repair').disabled")
    pixels = "Array.from(document.getElementById('shown').getContext('2d').getImageData(0, 0, 128, 96).data)"
    before = np.array(page.evaluate(pixels)).reshape(96, 128, 4)
    box = page.locator("#shown").bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 48)
    page.mouse.down()
    page.mouse.move(box["x"] + 80, box["y"] + 48, steps=4)
    page.mouse.up()
    page.click("#repair")
    page.wait_for_function(
        "document.getElementById('told').value.startsWith('Repaired in')", timeout=120_000
    )
    after = np.array(page.evaluate(pixels)).reshape(96, 128, 4)
    changed = (before != after).any(axis=-1)
    assert changed[40:56, 40:80].mean() > 0.8
    assert not changed[:34].any() and not changed[62:].any() and not changed[:, :26].any()
