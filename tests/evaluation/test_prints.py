"""Prints to measure on are the same for the same seed, and damaged."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cnnlg_tf.data.damage import PrintMaker
from cnnlg_tf.evaluation.prints import (
    LEAST_DAMAGED,
    SIDE,
    centre_square,
    draw_print,
    print_psnr,
)


def test_a_print_goes_by_its_seed(photo_folder: Callable[..., Path]) -> None:
    photo = sorted(photo_folder(count=1).glob("*.png"))[0]
    first, again, other = (draw_print(photo, PrintMaker(), "blot", [1, n]) for n in (2, 2, 3))
    assert np.array_equal(first.damaged, again.damaged)
    assert first.damaged.shape != other.damaged.shape or (first.damaged != other.damaged).any()
    assert first.kinds == ("blot",) and (first.mask == 1).sum() >= LEAST_DAMAGED
    assert min(first.damaged.shape[:2]) >= SIDE
    assert print_psnr(first.damaged, first) < 60 < print_psnr(first.whole, first)


def test_the_centre_square_is_cut_or_enlarged() -> None:
    photo = np.zeros((400, 500, 3), np.uint8)
    photo[40:360, 90:410] = 255
    assert (centre_square(photo) == 255).all() and centre_square(photo).shape == (SIDE, SIDE, 3)
    assert centre_square(np.zeros((40, 70, 3), np.uint8)).shape == (SIDE, SIDE, 3)
