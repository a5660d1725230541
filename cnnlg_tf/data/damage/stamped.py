"""Damage from stamps: pieces of them, turned, scaled and coloured."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from cnnlg_tf.data.damage.layer import Floats, Layer, Rng, dark, paper, tint
from cnnlg_tf.data.stamps import FAINTEST, Stamps


def lay_stamps(
    stamps: Stamps, height: int, width: int, unit: float, rng: Rng, index: int | None = None
) -> list[Layer]:
    """One to three stamps in one colour each, or the one numbered `index`."""
    layers = []
    count = 1 if index is not None or rng.random() < 0.6 else int(rng.integers(2, 4))
    for _ in range(count):
        at = int(rng.integers(len(stamps))) if index is None else index
        opacity = _landed(stamps.get(at), height, width, unit, rng)
        opacity *= np.float32(rng.uniform(0.7, 1.0))
        draws = rng.random()
        colour = paper(rng) if draws < 0.55 else dark(rng) if draws < 0.92 else tint(rng)
        layers.append(Layer(opacity, colour))
    return layers


def _landed(stamp: npt.NDArray[np.uint8], height: int, width: int, unit: float, rng: Rng) -> Floats:
    """The stamp turned, mirrored and scaled, some damaged pixel of it inside the picture: [height, width] in [0, 1]."""
    # stamp pixels per picture pixel: as it was scanned or smaller, whatever the picture's size
    zoom = math.exp(rng.uniform(math.log(0.6), math.log(2.2))) / unit
    if zoom > 1.3:  # shrinking must not alias
        stamp = cv2.GaussianBlur(stamp, (0, 0), 0.35 * zoom)
    seen = np.flatnonzero(stamp > FAINTEST)
    row, column = divmod(
        int(seen[rng.integers(len(seen))]) if len(seen) else stamp.size // 2, stamp.shape[1]
    )
    angle = rng.uniform(0, 2 * math.pi)
    turn = zoom * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    if rng.random() < 0.5:
        turn[:, 0] *= -1
    landing = rng.uniform(0.15, 0.85, 2) * (width, height)
    matrix = np.concatenate([turn, (np.array([column, row]) - turn @ landing)[:, None]], 1)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    piece = cv2.warpAffine(stamp, matrix, (width, height), flags=flags)
    opacity: Floats = piece.astype(np.float32) / np.float32(255)
    return opacity
