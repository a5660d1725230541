"""How long `pixels` takes in a browser, and whether it gives what onnxruntime gives there: figures of docs/edge.md.

    python benchmarks/edge_browser.py out/pixels

Serves the example page of docs/browser with a folder's pixels.onnx to a Chromium without a screen. onnxruntime-web
comes from npm; WebAssembly computes, with the threads that the page may have.
"""

import base64
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from cnnlg_tf.cli.reporting import Command

ROOT = Path(__file__).parents[1]
LAKE = ROOT / "cnnlg_tf" / "examples" / "lake.jpg"
WEB = "onnxruntime-web@1"
SIDES = (256, 512)
RUNS = 3
REPAIR = """async ([image, mask, height, width]) => {
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


@contextmanager
def served_site(folder: Path, model: Path) -> Iterator[str]:
    """The example page with `model`, a pixels.onnx, put together in `folder`; its address.

    Raises:
        ClickException: npm cannot install onnxruntime-web.
    """
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--prefix", str(folder), WEB]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"npm must install {WEB}. Received: {done.stderr[-300:]}")
    shutil.copytree(ROOT / "docs/browser", folder / "site")
    (folder / "site/ort").symlink_to(folder / "node_modules/onnxruntime-web/dist")
    shutil.copy(model, folder / "site/pixels.onnx")
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(_Files, directory=folder / "site")
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/index.html"
        finally:
            server.shutdown()


def repair_on(page: Any, photo: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, float]:
    """The repair of uint8 [h, w, 3] by a page of the site, and the milliseconds that it took."""
    given = [base64.b64encode(each.tobytes()).decode() for each in (photo, mask)]
    text, milliseconds = page.evaluate(REPAIR, [*given, *mask.shape])
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(photo.shape), milliseconds


@click.command(cls=Command)
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--chromium", default="/usr/bin/chromium", show_default=True)
def main(folder: Path, chromium: str) -> None:
    """Measure FOLDER, an export that holds pixels.onnx."""
    import onnxruntime
    from playwright.sync_api import sync_playwright

    from cnnlg_tf.evaluation.metrics import hole_psnr

    model = folder / "pixels.onnx"
    native = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--headless=new", "--disable-gpu", "--no-first-run"],
        )
        with served_site(Path(name), model) as address:
            page = browser.new_page()
            page.goto(address)
            threads = page.evaluate("navigator.hardwareConcurrency")
            print(
                f"| side, px | first, ms | best of {RUNS} more, ms | hole PSNR to onnxruntime, dB |"
            )
            print("|--:|--:|--:|--:|")
            for side in SIDES:
                photo, mask = _case(side)
                took = [repair_on(page, photo, mask) for _ in range(1 + RUNS)]
                (expected,) = native.run(
                    None, {"image": photo[None], "mask": mask[None, ..., None]}
                )
                psnr = hole_psnr(took[-1][0] / 255.0, expected[0] / 255.0, mask)
                best = min(milliseconds for _, milliseconds in took[1:])
                print(f"| {side} | {took[0][1]:.0f} | {best:.0f} | {psnr:.1f} |")
            print(f"\nChromium {browser.version}, {threads} threads", flush=True)
        browser.close()


def _case(side: int) -> tuple[np.ndarray, np.ndarray]:
    photo = np.asarray(Image.open(LAKE).convert("RGB").resize((side, side)))
    mask = np.zeros((side, side), np.uint8)
    mask[side // 3 : side // 2, side // 4 : 3 * side // 4] = 255
    return photo, mask


if __name__ == "__main__":
    main()
