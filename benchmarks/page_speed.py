"""How fast the page is, measured in a browser: from the command to the page, from a stroke to its pixels.

    python benchmarks/page_speed.py                        the shipped model
    python benchmarks/page_speed.py --model out/export/onnx

Each stroke is drawn with "Repair after each stroke" on, and timed from pen up until its repaired pixels are on the
canvas. Needs a Chromium (`make test-browser` installs it) and the extras `ui` and `dev`.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from cnnlg_tf.cli.reporting import Command

LAKE = Path(__file__).parents[1] / "cnnlg_tf" / "examples" / "lake.jpg"
PHOTOS = {"1 megapixel": (1000, 1000), "24 megapixels": (4000, 6000)}
STROKES = 5  # timed; one before them warms up

# draws a stroke from a place, and gives the milliseconds until the repair is drawn
STROKE = """async ([x, y, length]) => {
  const { desk, hear } = await import('/static/desk.js');
  const tools = await import('/static/tools.js');
  const repaired = new Promise((resolve) => hear('repairs', resolve));
  tools.begin(x, y);
  tools.move(x + length, y + length / 3);
  const began = performance.now();
  tools.end();
  await repaired;
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""


@click.command(cls=Command)
@click.option("--model", help="What `cnnlg-tf ui --model` takes.")
@click.option("--chromium", default="/usr/bin/chromium", show_default=True)
def main(model: str | None, chromium: str) -> None:
    """Time the start, strokes on photos of two sizes, and what else a user waits for."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        began = time.perf_counter()
        process, address = _start(folder, model)
        try:
            print(f"command to address      {time.perf_counter() - began:6.2f} s")
            browser = playwright.chromium.launch(
                executable_path=chromium,
                args=["--no-sandbox", "--headless=new", "--disable-gpu", "--no-first-run"],
            )
            tab = browser.new_page(viewport={"width": 1280, "height": 800})
            tab.set_default_timeout(300_000)
            tab.goto(address)
            tab.wait_for_selector("body[data-ready]")
            print(f"command to page         {time.perf_counter() - began:6.2f} s")
            _wait_for_model(tab)
            print(f"command to open model   {time.perf_counter() - began:6.2f} s")
            for what, (height, width) in PHOTOS.items():
                path = folder / f"{width}.jpg"
                Image.fromarray(_photo(height, width)).save(path, quality=95)
                seconds = _strokes(tab, path)
                print(
                    f"stroke to pixels, {what:<14}median {statistics.median(seconds):.2f} s, "
                    f"slowest {max(seconds):.2f} s of {len(seconds)}"
                )
            browser.close()
        finally:
            process.terminate()
            process.wait(20)


def _start(folder: Path, model: str | None) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "cnnlg_tf.cli", "ui", "--no-browser", "--port", "0"]
    process = subprocess.Popen(
        command + (["--model", model] if model else []),
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline() if process.stdout else ""
    found = re.search(r"http://\S+", line)
    if found is None:
        raise SystemExit(f"the command must print its address. Received: {line!r}")
    return process, found[0]


def _wait_for_model(tab: Page) -> None:
    while (state := tab.evaluate("fetch('/api/status').then(a => a.json())"))["state"] == "opening":
        time.sleep(0.05)
    if state["state"] == "failed":
        raise SystemExit(f"the model must open. Received: {state['error']}")


def _photo(height: int, width: int) -> np.ndarray:
    """The example, enlarged: its content is of no account for time."""
    return np.asarray(cv2.resize(np.asarray(Image.open(LAKE)), (width, height)))


def _strokes(tab: Page, path: Path) -> list[float]:
    tab.set_input_files("#file", str(path))
    tab.wait_for_function(
        "name => document.getElementById('live').textContent === `Opened ${name}`", arg=path.name
    )
    tab.check("#auto")
    tab.evaluate("import('/static/tools.js').then(tools => tools.setSize(24))")
    milliseconds = [
        tab.evaluate(STROKE, [150 + 120 * number, 300 + 90 * number, 90])
        for number in range(STROKES + 1)
    ]
    return [each / 1000 for each in milliseconds[1:]]


if __name__ == "__main__":
    main()
