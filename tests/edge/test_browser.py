"""The example page in Chromium: what onnxruntime-web repairs is what onnxruntime repairs."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.benchmarks.loading import load_benchmark
from tests.conftest import make_mask, make_photo
from tests.edge.conftest import same_repair

ort = pytest.importorskip("onnxruntime", reason="needs onnxruntime (extra `onnx`)")

pytestmark = pytest.mark.browser

edge_browser = load_benchmark("edge_browser")


@pytest.fixture(scope="module")
def page(
    chromium: Any, pixels_onnx: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    if shutil.which("npm") is None:
        pytest.skip("needs npm, for the package onnxruntime-web")
    folder = tmp_path_factory.mktemp("browser")
    with edge_browser.served_site(folder, pixels_onnx / "pixels.onnx") as address:
        page = chromium.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address)
        yield page
        page.close()
    assert faults == []


@pytest.mark.parametrize("side", [256, 512])
def test_the_same_pixels(page: Any, pixels_onnx: Path, side: int) -> None:
    photo, mask = make_photo(side, side), make_mask(side, side)
    found, milliseconds = edge_browser.repair_on(page, photo, mask)
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
