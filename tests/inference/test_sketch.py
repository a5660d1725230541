"""Sketches as callers give them, and their way into windows."""

import logging

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import ConfigError, ImageError
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.sketch import Strokes, as_sketch
from tests.conftest import make_photo
from tests.networks import MeanFill


def layer(height: int = 48, width: int = 64) -> np.ndarray:
    """A red bar on a transparent layer: uint8 [height, width, 4]."""
    sketch = np.zeros((height, width, 4), np.uint8)
    sketch[height // 4 : height // 2, width // 4 : width // 2] = (250, 20, 30, 255)
    return sketch


def test_strokes_are_what_is_opaque() -> None:
    given = layer()
    given[0, 0] = (0, 255, 0, 90)
    strokes = as_sketch(Image.fromarray(given), 48, 64)
    assert strokes.drawn.sum() == 12 * 16 and not strokes.drawn[0, 0]
    np.testing.assert_allclose(strokes.colours[13, 17], np.float32([250, 20, 30]) / 255)
    assert not strokes.colours[~strokes.drawn].any()


@pytest.mark.parametrize(
    ("sketch", "message"),
    [
        (layer(40, 64), r"like what is painted \(48, 64\)\. Received: sketch.shape=\(40, 64\)"),
        (layer()[..., :3], "on a transparent layer, .*Received: no transparent layer"),
        (np.zeros((48, 64, 4), np.uint8), "Received: one that is alike all over"),
    ],
)
def test_other_pictures_are_no_sketch(sketch: np.ndarray, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        as_sketch(sketch, 48, 64)


def test_shrinking_loses_no_line_and_no_colour() -> None:
    strokes = Strokes(np.zeros((32, 48, 3), np.float32), np.zeros((32, 48), bool))
    strokes.drawn[:, 21], strokes.colours[:, 21] = True, (0.8, 0.2, 0.4)
    small = strokes.shrunk(8)
    assert small.drawn.shape == (4, 6) and small.drawn[:, 2].all() and small.drawn.sum() == 4
    np.testing.assert_allclose(small.colours[1, 2], [0.8, 0.2, 0.4], atol=1e-6)
    padded = strokes.padded(3, 1)
    assert padded.drawn.shape == (35, 49) and padded.colours.shape == (35, 49, 3)


@pytest.mark.parametrize("side", [48, 700])
def test_every_window_sees_its_part(mean_fill: MeanFill, side: int) -> None:
    """Thick holes of large photos too, which are filled at lower resolutions first."""
    photo, mask, sketch = make_photo(side, side), np.zeros((side, side), bool), layer(side, side)
    mask[side // 8 : side // 2 + 8, side // 8 : side // 2 + 8] = True
    mean_fill.can -= {"guide"}
    repaired = Inpainter(mean_fill).repair(photo, mask, sketch=sketch).photo
    inside = (sketch[..., 3] > 0) & mask
    assert np.abs(repaired[inside].astype(int) - (250, 20, 30)).mean() < 12
    np.testing.assert_array_equal(repaired[~mask], photo[~mask])


def test_networks_must_be_able_to_and_strokes_elsewhere_are_told(
    mean_fill: MeanFill, caplog: pytest.LogCaptureFixture
) -> None:
    mask = np.zeros((48, 64), bool)
    mask[30:40, 40:60] = True
    with caplog.at_level(logging.WARNING, "cnnlg_tf"):
        Inpainter(mean_fill).repair(make_photo(), mask, sketch=layer())
    assert "no stroke where the photo is painted" in caplog.text
    with pytest.raises(ConfigError, match="a sketch must be among what the network can do"):
        Inpainter(MeanFill(can=frozenset())).repair(make_photo(), mask, sketch=layer())
