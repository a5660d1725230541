"""Holes grow by discs; a feathered rim falls evenly, and nothing outside it changes."""

from typing import Any

import numpy as np
import pytest

from cnnlg_tf.errors import ConfigError
from cnnlg_tf.inference.holes import grown, rim_weights
from cnnlg_tf.inference.inpainter import Inpainter


def point(height: int = 21, width: int = 31) -> np.ndarray:
    hole = np.zeros((height, width), bool)
    hole[10, 15] = True
    return hole


@pytest.mark.parametrize("pixels", [0, 1, 3, 12])
def test_a_point_grows_to_a_disc(pixels: int) -> None:
    y, x = np.mgrid[0:21, 0:31]
    assert np.array_equal(grown(point(), pixels), np.hypot(y - 10, x - 15) <= pixels)


def test_holes_without_an_inside_or_an_outside() -> None:
    empty, full = np.zeros((20, 20), bool), np.ones((20, 20), bool)
    assert not grown(empty, 5).any() and not rim_weights(empty, 5).any()
    assert grown(full, 5).all() and (rim_weights(full, 5) == 1).all()


def test_weights_fall_evenly() -> None:
    row = rim_weights(point(), 3)[10, 15:21]
    np.testing.assert_allclose(row, [1, 0.75, 0.5, 0.25, 0, 0], atol=1e-6)
    assert np.array_equal(rim_weights(point(), 0) > 0, point())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_feathered_repairs(mean_fill: Any, dtype: Any) -> None:
    full = 1 if dtype == np.float32 else np.iinfo(dtype).max
    photo = np.zeros((60, 60, 3), dtype)
    photo[:, 30:] = full
    hole = np.zeros((60, 60), bool)
    hole[20:30, 25:35] = True
    plain = Inpainter(mean_fill).repair(photo, hole)
    soft = Inpainter(mean_fill).repair(photo, hole, feather=4)
    assert np.array_equal(soft.mask, grown(hole, 4))
    assert np.array_equal(soft.photo[~soft.mask], photo[~soft.mask])
    assert soft.photo.dtype == dtype
    # the dark side's rim: the mean, mixed with black more and more
    rim = soft.photo[25, 20:26, 0].astype(float) / full
    inside = rim[-1]
    np.testing.assert_allclose(rim[:-1], inside * np.arange(5) / 5, atol=0.006)
    np.testing.assert_allclose(soft.uncertainty[25, 20:25], 0.25 * np.arange(5) / 5, atol=1e-6)
    assert np.array_equal(plain.photo[~hole], photo[~hole])


def test_grown_repairs_and_samples(mean_fill: Any) -> None:
    photo = np.random.default_rng(0).random((60, 60, 3), np.float32)
    hole = np.zeros((60, 60), bool)
    hole[20:30, 25:35] = True
    photo[19, 25:35] = np.nan  # in the growth, so missing too
    result = Inpainter(mean_fill).repair(photo, hole, grow=3, feather=2, samples=1)
    assert np.array_equal(result.mask, rim_weights(grown(hole, 3), 2) > 0)
    for picture in (result.photo, *result.samples):
        assert np.array_equal(picture[~result.mask], photo[~result.mask])
        assert np.isfinite(picture).all()


def test_negative_pixels(mean_fill: Any, photo: np.ndarray, mask: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="grow must be 0 pixels or more. Received: -1"):
        Inpainter(mean_fill).repair(photo, mask, grow=-1)
    with pytest.raises(ConfigError, match="feather must be 0 pixels or more. Received: -2"):
        Inpainter(mean_fill).repair(photo, mask, feather=-2)


def test_a_few_known_pixels_in_a_thick_hole_are_seen(mean_fill: Any) -> None:
    """What is repaired at a lower resolution sees them there, though its cells are missing for the most part."""
    photo = np.full((512, 512, 3), 40, np.uint8)
    hole = np.ones((512, 512), bool)
    rng = np.random.default_rng(0)
    hole[rng.integers(0, 512, 25), rng.integers(0, 512, 25)] = False
    repaired = Inpainter(mean_fill).repair(photo, hole).photo.astype(int)
    assert (
        np.abs(repaired - 40).max() <= 0.1 * 255 + 1
    )  # refining adds as much; unseen, grey is 127
