"""References that show the same scene: what they show of the hole is put in its place."""

import cv2
import numpy as np
import pytest

from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.placing import place_references
from tests.conftest import make_photo
from tests.networks import MeanFill

SIDE = 160


def scene(seed: int = 0, side: int = 260) -> np.ndarray:
    """Discs and bars of many colours over waves: float32 [side, side, 3] in [0, 1]."""
    rng = np.random.default_rng(seed)
    image = make_photo(side, side, seed)
    for _ in range(120):
        x, y, size = (int(v) for v in rng.integers(0, [side, side, 14]))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        cv2.circle(image, (x, y), 3 + size, colour, -1, cv2.LINE_AA)
        cv2.rectangle(image, (y, x), (y + size, x + 2 * size), colour[::-1], -1)
    return (image / 255.0).astype(np.float32)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.ascontiguousarray(scene()[40 : 40 + SIDE, 50 : 50 + SIDE])


@pytest.fixture(scope="module")
def hole() -> np.ndarray:
    hole = np.zeros((SIDE, SIDE), bool)
    hole[60:100, 55:105] = True
    return hole


def placed(photo: np.ndarray, hole: np.ndarray, *references: np.ndarray) -> tuple[float, float]:
    """(share of the hole that was placed, PSNR there)."""
    blank = np.where(hole[..., None], np.float32(0), photo)
    values, done = place_references(blank, hole, hole, references)
    assert not done[~hole].any() and np.array_equal(values[~hole], blank[~hole])
    error = np.mean(np.square(values[done] - photo[done])) if done.any() else 1.0
    return float(done.sum() / hole.sum()), float(-10 * np.log10(error + 1e-12))


def test_the_same_pixels_shifted_come_back_exactly(photo: np.ndarray, hole: np.ndarray) -> None:
    share, quality = placed(photo, hole, scene())
    assert share == 1.0 and quality > 60


def test_without_features_the_surroundings_tell_the_shift() -> None:
    smooth = (make_photo(120, 130) / 255.0).astype(np.float32)
    hole = np.zeros((80, 80), bool)
    hole[30:50, 30:55] = True
    part = np.ascontiguousarray(smooth[20:100, 30:110])
    share, quality = placed(part, hole, smooth)
    assert share == 1.0 and quality > 60


@pytest.mark.parametrize(("scale", "gain", "offset"), [(0.8, 0.8, 0.1), (1.4, 1.1, -0.04)])
def test_another_crop_scale_and_light_of_the_scene_is_matched(
    photo: np.ndarray, hole: np.ndarray, scale: float, gain: float, offset: float
) -> None:
    other = cv2.resize(
        scene()[7:240, 9:250], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    lit = np.clip(gain * other * np.float32([1.0, 0.95, 0.9]) + offset, 0, 1).astype(np.float32)
    share, quality = placed(photo, hole, np.rint(lit * 255).astype(np.float32) / 255)
    assert share == 1.0 and quality > 24


def test_what_does_not_agree_is_not_placed(photo: np.ndarray, hole: np.ndarray) -> None:
    assert placed(photo, hole, scene(seed=5))[0] == 0.0
    assert placed(photo, hole, np.full((50, 60, 3), 0.5, np.float32))[0] == 0.0
    flat = np.full((SIDE, SIDE, 3), 0.5, np.float32)
    assert placed(flat, hole, scene())[0] == 0.0
    everywhere = np.ones((SIDE, SIDE), bool)
    assert placed(photo, everywhere, scene())[0] == 0.0


def test_of_several_references_each_gives_what_it_shows(
    photo: np.ndarray, hole: np.ndarray
) -> None:
    left, right = scene()[:, : 50 + 80], scene()[:, 50 + 70 :]
    shares = [placed(photo, hole, part)[0] for part in (left, right)]
    assert all(0.3 < share < 0.8 for share in shares)
    share, quality = placed(photo, hole, left, scene(seed=9), right)
    assert share == 1.0 and quality > 60


def test_a_repair_takes_what_references_show_and_paints_the_rest(
    mean_fill: MeanFill, photo: np.ndarray, hole: np.ndarray
) -> None:
    pixels = np.rint(255 * photo).astype(np.uint8)
    shown = np.rint(255 * scene()).astype(np.uint8)[:, : 50 + 80]
    damaged = np.where(hole[..., None], np.uint8(0), pixels)
    result = Inpainter(mean_fill).repair(damaged, hole, reference=[shown])
    np.testing.assert_array_equal(result.photo[:, :80], pixels[:, :80])
    assert result.uncertainty[:, :80].max() == 0.0 and result.uncertainty[80, 100] > 0.0
    assert result.mask.sum() == hole.sum() and len(mean_fill.seen) == 1
