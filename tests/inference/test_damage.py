"""Finding damage: windows and octaves of a photo, fused; sensitivity; what blind repair does with it."""

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.certainty import CERTAIN, DUSTY, SPECK, thresholds
from cnnlg_tf.errors import ConfigError
from cnnlg_tf.inference.damage import AGREEMENT, ENLARGED, Damage, find_damage, marked, overlay
from cnnlg_tf.inference.holes import grown
from cnnlg_tf.inference.inpainter import Inpainter


def white(image: np.ndarray) -> np.ndarray:
    """What a stand-in takes for damage: white, however small the photo is shown."""
    return (image.min(-1) > 0.99).astype(np.float32)


def test_windows_join_without_a_seam_and_are_as_wide_as_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cnnlg_tf.inference.damage.ENLARGED", 0)
    image = np.random.default_rng(0).random((300, 210, 3), np.float32)
    seen: list[tuple[int, ...]] = []

    def look(window: np.ndarray) -> np.ndarray:
        seen.append(window.shape)
        return window[..., 0]

    found = find_damage(image, look, widest=192)
    np.testing.assert_allclose(found.probability, image[..., 0], atol=1e-5)
    assert len(seen) > 3 and max(max(shape) for shape in seen) == 192


def test_thick_damage_of_a_fine_scan_is_found_at_a_coarser_octave() -> None:
    """The stand-in knows white spots of up to 20 px; one of 60 px is no wider at 1/4 of the size."""

    def small_spots(image: np.ndarray) -> np.ndarray:
        spots = white(image)
        core = cv2.erode(spots, np.ones((21, 21)))
        return np.where(cv2.dilate(core, np.ones((61, 61))) > 0, 0, spots)

    image = np.full((1300, 900, 3), 0.4, np.float32)
    image[200:260, 300:360] = 1.0
    image[700:708, 500:508] = 1.0
    truth = image[..., 0] > 0.9
    found = find_damage(image, small_spots, widest=512)
    assert 0.9 < (found.mask & truth).sum() / truth.sum() <= 1
    assert (found.mask & ~truth).sum() < 0.1 * truth.sum()
    assert not find_damage(image[:350], lambda x: 0 * x[..., 0], widest=512).mask.any()


@pytest.mark.parametrize("size", [(300, 211), (ENLARGED, 17), (ENLARGED + 1, 300)])
def test_a_scratch_of_a_small_photo_is_found_on_it_enlarged(size: tuple[int, int]) -> None:
    """The stand-in sees nothing thinner than 2 px."""

    def look(image: np.ndarray) -> np.ndarray:
        core = cv2.erode((image.min(-1) > 0.8).astype(np.float32), np.ones((2, 2)))
        return cv2.dilate(core, np.ones((2, 2)), anchor=(0, 0))

    image = np.full((*size, 3), 0.2, np.float32)
    image[20:200, 11] = 1.0
    found = find_damage(image, look, widest=512)
    assert found.probability.shape == size
    expected = image[..., 0] == 1.0 if max(size) <= ENLARGED else np.zeros(size, bool)
    np.testing.assert_array_equal(found.mask, expected)


def test_each_octave_is_asked_mirrored_too_and_the_others_are_heard() -> None:
    """The stand-in suspects all of what is brighter on the left than on the right, at full size alone."""

    def look(image: np.ndarray) -> np.ndarray:
        large = image.shape[0] == 700
        lit = image[:, : image.shape[1] // 2].mean() > image[:, image.shape[1] // 2 :].mean()
        return np.full(image.shape[:2], 0.9 if large and lit else 0.1, np.float32)

    image = np.full((700, ENLARGED + 6, 3), 0.2, np.float32)  # two octaves
    image[:, : ENLARGED // 2] = 0.4
    probability = find_damage(image, look, widest=2048).probability
    logit, others = 0.0, -math.log(9)  # of both ways of looking at it: one says yes, one no
    expected = (1 - AGREEMENT) * max(logit, others) + AGREEMENT * (logit + others) / 2
    np.testing.assert_allclose(probability, 1 / (1 + math.exp(-expected)), rtol=1e-4)


def test_sensitivity_moves_all_thresholds() -> None:
    limits = np.array([thresholds(s) for s in np.linspace(0, 1, 11)])
    assert np.all(np.diff(limits, axis=0) < 0)
    assert limits[5, 0] == 0.5 and limits[5, 1] == pytest.approx(1 / (1 + math.exp(-CERTAIN)))
    assert np.ptp(limits[-1]) == 0 < limits[-1, 0] < 0.05 < 0.95 < limits[0, 0] < limits[0, 1] < 1
    for limit in map(thresholds, (0.0, 0.5, 0.9)):
        assert limit.lower < limit.among_many < limit.higher < limit.counted < limit.lone
    image = np.linspace(0, 1, 64 * 64 * 3, dtype=np.float32).reshape(64, 64, 3)
    shares = [find_damage(image, lambda x: x[..., 0], 64, s).share for s in (0.2, 0.5, 0.8)]
    assert shares == sorted(shares) and shares[1] == pytest.approx(0.5, abs=0.01)
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ConfigError, match="sensitivity must be from 0 to 1. Received: "):
            find_damage(image, lambda x: x[..., 0], 64, wrong)


def test_a_region_counts_where_something_of_it_is_certain() -> None:
    """A crack that is faint but for one pixel is taken, diagonal steps and all; a suspicion beside it is not."""
    probability = np.zeros((40, 60), np.float32)
    for i in range(SPECK + 1):
        probability[i, i] = 0.7
    probability[7, 7] = 0.99
    crack = probability > 0
    probability[2:18, 40:58] = 0.9
    assert np.array_equal(marked(probability, 0.5), crack)
    assert np.array_equal(marked(probability, 0.8), probability > 0)
    assert not marked(probability, 0.1).any()
    assert not marked(0 * probability, 1.0).any()


def specks(count: int, certainty: float, size: tuple[int, int] = (200, 300)) -> np.ndarray:
    """Probabilities with squares of 4 pixels, each as certain."""
    probability = np.zeros(size, np.float32)
    for number in range(count):
        top, left = 4 * (number // 70), 4 * (number % 70)
        probability[top : top + 2, left : left + 2] = certainty
    return probability


def test_a_lone_speck_must_be_more_certain_and_one_among_many_less() -> None:
    limits = thresholds(0.5)
    surely, strongly, hardly = 0.9999, 0.995, 0.96
    assert limits.lone < surely and limits.counted < strongly < limits.lone
    assert limits.among_many < hardly < limits.higher
    for count in (1, DUSTY - 1):
        assert marked(specks(count, surely), 0.5).sum() == 4 * count
        assert not marked(specks(count, strongly), 0.5).any()
    dusty = np.hstack([specks(DUSTY, strongly), specks(60, hardly)])
    assert np.array_equal(marked(dusty, 0.5), dusty > 0), "many that are certain"
    assert not marked(specks(60, hardly), 0.5).any(), "none is certain"
    large = np.full((200, 300), 0, np.float32)
    large[50:60, 50:60] = 0.98
    assert marked(large, 0.5).sum() == 100 > SPECK


def test_how_many_specks_are_many_goes_by_the_photo() -> None:
    """Twice a megapixel with as many specks is half as dusty; a small photo is dusty with no fewer."""
    strongly, side = 0.995, (1000, 2000)
    assert not marked(specks(2 * DUSTY - 1, strongly, side), 0.5).any()
    assert marked(specks(2 * DUSTY, strongly, side), 0.5).sum() == 8 * DUSTY
    assert not marked(specks(DUSTY - 1, strongly, (20, 290)), 0.5).any()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_the_overlay_is_red_where_the_mask_is(kind: Any) -> None:
    most = 1 if kind is np.float32 else np.iinfo(kind).max
    photo = np.full((6, 6, 3), most, kind)
    mask = np.eye(6, dtype=bool)
    shown = overlay(photo, mask)
    assert shown.dtype == np.uint8 and np.all(shown[~mask] == 255)
    assert np.all(shown[mask][:, 0] == 255) and np.all(shown[mask][:, 1] < 120)


def test_what_is_found_ends_where_nothing_is_known() -> None:
    found = Damage(np.full((4, 4), 0.9, np.float32), np.ones((4, 4), bool))
    inside = found.within(np.eye(4, dtype=bool))
    assert np.array_equal(inside.mask, np.eye(4, dtype=bool)) and inside.share == 0.25
    assert inside.probability[0, 1] == 0 and inside.probability[0, 0] == np.float32(0.9)


@pytest.mark.parametrize(
    ("pixels", "text"),
    [(0, "no damage"), (2, "0.02 % damaged"), (230, "2.3 % damaged"), (10000, "100.0 % damaged")],
)
def test_what_was_found_is_told_in_percent(pixels: int, text: str) -> None:
    mask = (np.arange(10000) < pixels).reshape(100, 100)
    assert str(Damage(mask.astype(np.float32), mask)) == text


def test_a_photo_without_damage_is_copied_byte_for_byte(mean_fill: Any, tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 200, (40, 50, 3)).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "old.jpg", quality=70)
    inpainter, told = Inpainter(mean_fill), []
    inpainter.repair_file(tmp_path / "old.jpg", None, tmp_path / "new.jpg", on_repair=told.append)
    assert (tmp_path / "new.jpg").read_bytes() == (tmp_path / "old.jpg").read_bytes()
    assert str(told[0].damage) == "no damage"
    inpainter.repair_file(tmp_path / "old.jpg", None, tmp_path / "new.png")
    with Image.open(tmp_path / "new.png") as new, Image.open(tmp_path / "old.jpg") as old:
        assert new.format == "PNG" and np.array_equal(np.asarray(new), np.asarray(old))


def test_blind_repair_grows_what_it_found_and_tells_both(mean_fill: Any) -> None:
    photo = np.full((60, 80, 3), 100, np.uint8)
    photo[20:24, 10:70] = 255
    truth = (photo == 255).all(-1)
    result = Inpainter(mean_fill).repair(photo, grow=3)
    assert np.array_equal(result.damage.mask, truth) and np.array_equal(
        result.mask, grown(truth, 3)
    )
    assert np.all(result.photo == 100)
    assert Inpainter(mean_fill).repair(photo, truth).damage is None
    assert np.array_equal(Inpainter(mean_fill).repair(photo, grow=0).mask, truth)
    assert np.array_equal(Inpainter(mean_fill).repair(photo).mask, grown(truth, 2))
    with pytest.raises(ConfigError, match="grow must be 0 pixels or more. Received: -1"):
        Inpainter(mean_fill).repair(photo, grow=-1)


def test_mask_and_preview_are_written_beside_the_repair(mean_fill: Any, tmp_path: Path) -> None:
    photo = np.full((60, 80, 3), 100, np.uint8)
    photo[20:24, 10:70] = 255
    Image.fromarray(photo).save(tmp_path / "old.png")
    written = Inpainter(mean_fill).repair_file(
        tmp_path / "old.png", None, tmp_path / "new.webp", grow=0, save_mask=True, preview=True
    )
    assert [path.name for path in written] == ["new.webp", "new_mask.png", "new_preview.png"]
    truth = (photo == 255).all(-1)
    with Image.open(written[1]) as mask, Image.open(written[2]) as preview:
        assert mask.mode == "L" and np.array_equal(np.asarray(mask), 255 * truth.astype(np.uint8))
        assert np.array_equal(np.asarray(preview)[~truth], photo[~truth])
        assert np.all(np.asarray(preview)[truth][:, 0] > 200)
