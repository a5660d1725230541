"""Damaged prints to measure on: one kind of damage, drawn on a photo's centre square."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from cnnlg_tf.data.damage import DamagedPrint, PrintMaker
from cnnlg_tf.evaluation import metrics
from cnnlg_tf.photos import read_photo

SIDE = 320  # pixels of a photo's centre square
SCALES = (1.0, 1.0, 1.5, 2.0)  # scan pixels a photo's pixel
LEAST_DAMAGED = 16  # pixels; paint of the photo's own colour is no damage, and is drawn again


def draw_print(photo: Path, maker: PrintMaker, kind: str, seed: Sequence[int]) -> DamagedPrint:
    """A print with one kind of damage; the same for the same seed.

    Raises:
        ImageError: the photo cannot be read.
    """
    rng = np.random.default_rng(seed)
    scale, square = float(rng.choice(SCALES)), centre_square(read_photo(photo).on_white())
    prints = (maker.photo(square, rng, (kind,), scale) for _ in itertools.count())
    return next(each for each in prints if (each.mask == 1).sum() >= LEAST_DAMAGED)


def centre_square(photo: np.ndarray) -> np.ndarray:
    """The centre square of SIDE pixels, of the photo enlarged if it is smaller: uint8 [SIDE, SIDE, 3]."""
    factor = SIDE / min(photo.shape[:2])
    if factor > 1:
        photo = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    top, left = ((side - SIDE) // 2 for side in photo.shape[:2])
    return photo[top : top + SIDE, left : left + SIDE]


def print_psnr(picture: np.ndarray, shown: DamagedPrint) -> float:
    """dB, over the whole picture, against the print without damage; picture uint8 [height, width, 3]."""
    return metrics.psnr(picture / 255.0, shown.whole / 255.0)
