"""Cases depend on the photo and the seed alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import DataError
from cnnlg_tf.evaluation.cases import Case, CaseSet


def test_masks_do_not_depend_on_the_subset(photo_folder: Callable[..., Path]) -> None:
    root = photo_folder(count=3)
    everything = {(c.photo, c.kind): c for c in CaseSet(root, ("thin", "wide", "box"), 40)}
    assert len(everything) == 9
    for case in CaseSet(root, ("box", "thin"), 40, limit=2):
        np.testing.assert_array_equal(case.mask, everything[case.photo, case.kind].mask)
    (root / "000.png").unlink()
    for case in CaseSet(root, ("wide",), 40):
        np.testing.assert_array_equal(case.mask, everything[case.photo, "wide"].mask)


def test_seed_and_photo_change_the_mask(photo_folder: Callable[..., Path]) -> None:
    root = photo_folder(count=2)
    first, second = CaseSet(root, ("wide",), 40)
    (other,) = CaseSet(root, ("wide",), 40, limit=1, seed=1)
    assert not np.array_equal(first.mask, second.mask)
    assert not np.array_equal(first.mask, other.mask)


def test_crop_is_the_centre_and_the_hole_is_black(photo_folder: Callable[..., Path]) -> None:
    root = photo_folder(count=1, height=48, width=64)
    (case,) = CaseSet(root, ("box",), 40)
    whole = np.asarray(Image.open(root / "000.png"))
    np.testing.assert_array_equal(case.image, whole[4:44, 12:52])
    assert case.damaged[case.mask].max() == 0
    np.testing.assert_array_equal(case.damaged[~case.mask], case.image[~case.mask])
    assert case.hole_ratio == pytest.approx(case.mask.sum() / 1600)


@pytest.mark.parametrize("size", [32, 96])
def test_resize_brings_the_short_side_to_the_size(
    photo_folder: Callable[..., Path], size: int
) -> None:
    (case,) = CaseSet(photo_folder(count=1), ("box",), size, fit="resize")
    assert case.image.shape == (size, size, 3)


def test_small_and_broken_photos_are_named(photo_folder: Callable[..., Path]) -> None:
    root = photo_folder(count=2)
    Image.new("RGB", (39, 200)).save(root / "small.png")
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    cases = CaseSet(root, ("box",), 40)
    assert len(cases) == 2
    assert cases.skipped["small.png"] == "39x200 px, smaller than the crop of 40 px"
    assert "broken.jpg" in cases.skipped


def test_no_usable_photo(photo_folder: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="of at least 100x100 px. Received: 1 photos"):
        list(CaseSet(photo_folder(count=1), ("box",), 100))


def test_texture_is_the_mean_step_between_neighbours() -> None:
    stripes = np.zeros((8, 9, 3), np.uint8)
    stripes[:, ::2] = 10  # ten grey values from column to column, none from row to row
    assert Case("a", "box", stripes, np.ones((8, 9), bool)).texture == 5.0
