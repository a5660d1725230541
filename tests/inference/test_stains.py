"""Stains are lifted where the photo shows through them, and nothing else is."""

from typing import Any

import cv2
import numpy as np
import pytest

from cnnlg_tf.inference.holes import grown
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.stains import lift_stains
from tests.networks import MeanFill
from tests.stained import SHADE, a_blob, a_scene, stained


def as_type(scene: np.ndarray, kind: Any) -> np.ndarray:
    most = 1 if np.dtype(kind).kind == "f" else np.iinfo(kind).max
    return (scene * most).astype(kind)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64])
def test_what_shows_through_a_stain_is_lifted(kind: Any) -> None:
    scene, opacity = a_scene(), a_blob()
    photo, hole = as_type(stained(scene, opacity), kind), grown(opacity > 0, 2)
    before = photo.copy()
    lifted, left = lift_stains(photo, hole)
    assert np.array_equal(photo, before) and lifted.dtype == photo.dtype
    inside = hole & ~left
    assert inside.sum() > 0.6 * hole.sum() and not (left & ~hole).any()
    assert np.array_equal(lifted[~inside], photo[~inside])
    most = as_type(np.ones(1), kind)[0]
    error = lifted[inside].astype(float) / most - scene[inside]
    assert np.sqrt((error**2).mean()) < 0.25 * scene[inside].std()
    assert left[hole & (opacity > 0.05) & (opacity < 0.95)].all(), "its border is painted"


@pytest.mark.parametrize("factor", [2, 4])
def test_a_finer_scan_of_it_is_lifted_the_same(factor: int) -> None:
    scene, opacity = a_scene(), a_blob()
    size = (300 * factor, 240 * factor)
    photo = cv2.resize(stained(scene, opacity), size, interpolation=cv2.INTER_CUBIC)
    hole = cv2.resize(grown(opacity > 0, 2).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    lifted, left = lift_stains(photo, hole > 0)
    small = cv2.resize(lifted, (300, 240), interpolation=cv2.INTER_AREA)
    inside = cv2.resize(((hole > 0) & ~left).astype(np.uint8), (300, 240)) > 0
    inside &= opacity == 1
    assert inside.sum() > 0.5 * (opacity > 0).sum()
    assert np.sqrt(((small[inside] - scene[inside]) ** 2).mean()) < 0.4 * scene[inside].std()


def test_a_stain_at_the_frame_is_lifted_to_the_frame() -> None:
    scene, opacity = a_scene(), a_blob()
    scene, opacity = scene[:, 150:], opacity[:, 150:]
    _, left = lift_stains(stained(scene, opacity), grown(opacity > 0, 2))
    assert not left[100:140, 0].any() and left.any()


def test_a_softer_stain_has_a_wider_border() -> None:
    scene, shares = a_scene(), []
    for soft in (1, 8):
        opacity = a_blob(soft=soft)
        hole = opacity > 0
        lifted, left = lift_stains(stained(scene, opacity), hole)
        shares.append(left.sum() / hole.sum())
        inside = hole & ~left
        assert np.abs(lifted[inside] - scene[inside]).mean() < 0.05
    assert shares[1] > 1.3 * shares[0]


def opaque(scene: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    return scene * (1 - opacity[..., None]) + 0.25 * opacity[..., None]


def pale(scene: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    return scene + opacity[..., None] * (1 - scene) * 0.5


def other_photo(scene: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    other = 0.6 * a_scene(seed=1)
    return scene * (1 - opacity[..., None]) + opacity[..., None] * other[: len(scene)]


def one_over_the_other(scene: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    half = opacity * (np.arange(scene.shape[1]) > scene.shape[1] / 2)
    plain = 0.5 + 0.1 * (scene - 0.5)
    return stained(stained(plain, opacity), half)


def whole(scene: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    return scene


@pytest.mark.parametrize("draw", [opaque, pale, other_photo, one_over_the_other, whole])
def test_what_hides_the_photo_is_left_to_be_painted(draw: Any) -> None:
    photo, hole = draw(a_scene(), a_blob()), grown(a_blob() > 0, 2)
    lifted, left = lift_stains(photo.astype(np.float32), hole)
    assert np.array_equal(left, hole) and np.array_equal(lifted, photo.astype(np.float32))


def test_what_is_thin_is_left_to_be_painted() -> None:
    photo, hole = a_scene(), np.zeros((240, 300), bool)
    hole[100:112, 20:280] = True
    photo[hole] *= SHADE
    assert np.array_equal(lift_stains(photo, hole)[1], hole)


def test_only_the_stain_of_several_regions_is_lifted() -> None:
    scene, blob = a_scene(240, 620), a_blob(240, 310)
    clear = np.zeros_like(blob)
    photo = stained(scene, np.hstack([blob, clear]))
    photo = opaque(photo, np.hstack([clear, blob])).astype(np.float32)
    hole = np.hstack([blob, blob]) > 0
    _, left = lift_stains(photo, hole)
    assert left[:, 310:].sum() == hole[:, 310:].sum() and left[:, :310].sum() < hole[:, :310].sum()


def test_what_is_hidden_is_not_looked_at() -> None:
    photo, hole = stained(a_scene(), a_blob()), grown(a_blob() > 0, 2)
    hidden = np.zeros_like(hole)
    hidden[:, :60] = True
    expected = lift_stains(photo, hole, hidden)
    photo[hidden] = np.nan
    for given, wanted in zip(lift_stains(photo, hole, hidden), expected, strict=True):
        assert np.array_equal(given[~hidden], wanted[~hidden])
    assert (hole & ~expected[1]).any()


@pytest.mark.parametrize("seed", range(12))
def test_any_hole_is_kept_or_lifted(seed: int) -> None:
    """Of any shape on any photo: what is not lifted stays the hole, and all else as it was."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(16, 90, 2)
    photo = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    if seed % 3 == 0:
        photo[:] = photo[0, 0]
    noise = cv2.GaussianBlur(
        rng.standard_normal((height, width)), (0, 0), float(rng.uniform(1, 20))
    )
    hole = noise > np.quantile(noise, rng.uniform(0, 0.9))
    if seed == 5:
        hole[:] = True
    lifted, left = lift_stains(photo, hole)
    assert not (left & ~hole).any()
    assert np.array_equal(lifted[~hole | left], photo[~hole | left])


class FindsTheStain(MeanFill):
    """Takes what is darker than the scene was for damaged."""

    def find_damage(self, image: np.ndarray) -> np.ndarray:
        found: np.ndarray = (image[..., 2] < 0.4).astype(np.float32)
        return found


def test_blind_repair_lifts_and_a_mask_is_not_looked_under() -> None:
    """Who marks a hole wants gone what is there; who asks for it gets the stain lifted all the same."""
    scene = np.maximum(a_scene(), 0.45)
    photo, hole = stained(scene, a_blob()), a_blob() > 0
    inpainter, middle = Inpainter(FindsTheStain()), np.s_[100:140, 130:170]

    def error(**options: Any) -> float:
        repair = inpainter.repair(photo, **options)
        assert np.array_equal(repair.photo[~repair.mask], photo[~repair.mask])
        return float(np.abs(repair.photo[middle] - scene[middle]).mean())

    painted = error(mask=hole)
    assert error(mask=hole, lift=False) == painted and error(lift=False) > 0.8 * painted
    assert error(mask=hole, lift=True) < 0.3 * painted and error() < 0.3 * painted
    lifted = inpainter.repair(photo, hole, lift=True)
    assert np.array_equal(lifted.mask, hole) and not lifted.uncertainty[middle].any()
