"""A tiny model's `pixels` exports, made once, and a photo with a hole for the examples of docs/edge.md."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import make_mask, make_photo

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def pixels_source(tiny_model: Any) -> Any:
    from cnnlg_tf.export.signatures import PIXELS
    from cnnlg_tf.export.source import Source

    return Source(tiny_model, chosen=[PIXELS])


@pytest.fixture(scope="session")
def pixels_onnx(
    tiny_model: Any, pixels_source: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of pixels.onnx."""
    pytest.importorskip("tf2onnx", reason="needs tf2onnx (extra `onnx`)")
    from cnnlg_tf.export.onnx_model import export_onnx

    return export_onnx(tiny_model, tmp_path_factory.mktemp("pixels") / "onnx", source=pixels_source)


def write_pnm(folder: Path, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Write photo.ppm and mask.pgm; the photo uint8 [height, width, 3] and the mask uint8 [height, width]."""
    photo, mask = make_photo(height, width), make_mask(height, width)
    (folder / "photo.ppm").write_bytes(b"P6\n%d %d\n255\n" % (width, height) + photo.tobytes())
    (folder / "mask.pgm").write_bytes(b"P5\n%d %d\n255\n" % (width, height) + mask.tobytes())
    return photo, mask


def read_ppm(path: Path) -> np.ndarray:
    """uint8 [height, width, 3]."""
    _, width, height, _, pixels = path.read_bytes().split(maxsplit=4)
    return np.frombuffer(pixels, np.uint8).reshape(int(height), int(width), 3)


def same_repair(
    found: np.ndarray, expected: np.ndarray, photo: np.ndarray, mask: np.ndarray
) -> float:
    """PSNR over the hole in dB; known pixels must be the photo's."""
    assert np.array_equal(found[mask == 0], photo[mask == 0])
    gap = (found.astype(float) - expected)[mask > 0] / 255.0
    return -10.0 * float(np.log10(max(np.mean(gap**2), 1e-20)))
