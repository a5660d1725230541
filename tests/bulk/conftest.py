"""Small photos, masks and manifests of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("pyarrow", reason="needs pyarrow (extra `bulk`)")
pytest.importorskip("fsspec", reason="needs fsspec (extra `bulk`)")

SIDE = 64


def write_photo(path: Path, seed: int = 0, corner: tuple[int, int, int] | None = None) -> Path:
    """A noisy photo, 64 px; a white spot for who looks for damage, and perhaps a corner that says something."""
    pixels = np.random.default_rng(seed).integers(0, 250, (SIDE, SIDE, 3), np.uint8)
    pixels[40:44, 40:48] = 255
    if corner is not None:
        pixels[0, 0] = corner
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_mask(path: Path) -> Path:
    hole = np.zeros((SIDE, SIDE), np.uint8)
    hole[10:20, 12:30] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(hole).save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Callable[[int], list[dict[str, Any]]]:
    """photos(n) writes n photos and a mask, and gives rows: every third is blind."""

    def make(count: int) -> list[dict[str, Any]]:
        write_mask(tmp_path / "masks/one.png")
        rows: list[dict[str, Any]] = []
        for i in range(count):
            write_photo(tmp_path / f"photos/{i:03d}.png", seed=i)
            mask = None if i % 3 == 0 else "masks/one.png"
            rows.append({"id": f"set{i % 2}/{i:03d}", "photo": f"photos/{i:03d}.png", "mask": mask})
        return rows

    return make


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[[list[dict[str, Any]]], Path]:
    """manifest(rows) writes them as JSONL beside the photos."""

    def write(rows: list[dict[str, Any]]) -> Path:
        path = tmp_path / "manifest.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write
