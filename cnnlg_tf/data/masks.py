"""Seeded masks: what photos lose to scratches, overpainting, cuts, dust and cropping.

A mask is uint8 [height, width], 1 = missing, and never empty or complete. A draw uses only the
generator it is given: the same state gives the same mask on any thread.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import cv2
import numpy as np
import numpy.typing as npt

from cnnlg_tf.config import MaskConfig, MaskKind
from cnnlg_tf.data.stamps import Stamps
from cnnlg_tf.errors import MaskError

Mask = npt.NDArray[np.uint8]

_STAMP_THRESHOLD = 64  # Of 255. Damage this faint is hardly visible.


@dataclass(frozen=True)
class _Brush:
    """Strokes of one kind: width and length as fractions of the side, turn in radians a step."""

    width: tuple[float, float]
    length: tuple[float, float]
    turn: tuple[float, float]
    ratio: tuple[float, float]


# Widths at 256 px: thin 1 to 5 px (scratches), medium 8 to 16 px, wide 20 to 50 px.
_BRUSHES: dict[str, _Brush] = {
    "thin": _Brush((1 / 256, 5 / 256), (0.2, 1.2), (0.0, 0.25), (0.03, 0.095)),
    "medium": _Brush((8 / 256, 16 / 256), (0.2, 0.9), (0.1, 0.6), (0.10, 0.24)),
    "wide": _Brush((20 / 256, 50 / 256), (0.15, 0.7), (0.2, 0.8), (0.20, 0.43)),
}


class MaskSampler:
    """Draws masks with the relative frequencies of `config.kinds`.

    Raises:
        DataError: stamps are asked for and `config.damage_root` holds none.
    """

    def __init__(self, config: MaskConfig) -> None:
        self._kinds: list[MaskKind] = [kind for kind, share in config.kinds.items() if share > 0]
        self._edges = np.cumsum([config.kinds[kind] for kind in self._kinds])
        needs_stamps = "stamp" in self._kinds
        root, below = config.damage_root, config.damage_below
        self._stamps = None if root is None or not needs_stamps else Stamps(root, below)

    def draw(self, height: int, width: int, rng: np.random.Generator) -> tuple[Mask, MaskKind]:
        """A mask uint8 [height, width], 1 = missing, and its kind."""
        at = np.searchsorted(self._edges, rng.uniform(0, self._edges[-1]), side="right")
        kind = self._kinds[min(int(at), len(self._kinds) - 1)]
        return draw_mask(kind, height, width, rng, self._stamps), kind


def draw_mask(
    kind: MaskKind,
    height: int,
    width: int,
    rng: np.random.Generator,
    stamps: Stamps | None = None,
) -> Mask:
    """A mask uint8 [height, width], 1 = missing, with at least one missing and one known pixel.

    Missing shares: thin 3 to 10 %, medium 10 to 25 %, wide 20 to 45 % (from 64 px on; looser
    below). A box is up to half of each side, up to three times; a border up to half of one side or
    a third of several; stamps cover what they cover. A lattice repeats every 2 to 8 px; sparse
    leaves single pixels of large holes.

    Raises:
        MaskError: the kind is unknown, the size is under 2 x 2, or `stamp` comes without stamps.
    """
    if kind not in get_args(MaskKind):
        raise MaskError(
            f"mask kind must be one of {', '.join(get_args(MaskKind))}. Received: {kind!r}"
        )
    if min(height, width) < 2:
        raise MaskError(f"a mask needs at least 2 x 2 pixels. Received: {height} x {width}")
    if kind == "stamp":
        if stamps is None:
            raise MaskError("mask kind 'stamp' needs stamps, data.stamps.Stamps. Received: None")
        mask = _stamps(height, width, rng, stamps)
    elif kind in _BRUSHES:
        mask = _strokes(height, width, rng, _BRUSHES[kind])
    else:
        mask = _PLAIN[kind](height, width, rng)
    return _partial(mask, rng)


def _strokes(height: int, width: int, rng: np.random.Generator, brush: _Brush) -> Mask:
    """Random walks of round brushes, step by step until the drawn share of the image is missing."""
    mask = np.zeros((height, width), np.uint8)
    side = math.sqrt(height * width)
    target = rng.uniform(*brush.ratio) * height * width
    while True:
        thickness = max(1, round(side * rng.uniform(*brush.width)))
        # Steps are short beside the target, so that the last one does not overshoot it by much.
        step = max(2.0, side * 0.03)
        steps = max(2, round(side * rng.uniform(*brush.length) / step))
        turns = rng.normal(0.0, rng.uniform(*brush.turn), steps)
        angles = rng.uniform(0, 2 * math.pi) + np.cumsum(turns)
        start = rng.uniform((0, 0), (width, height))
        walk = start + np.cumsum(step * np.stack([np.cos(angles), np.sin(angles)], -1), 0)
        points = [(int(x), int(y)) for x, y in np.rint(np.vstack([start, walk]))]
        for here, there in zip(points, points[1:], strict=False):
            cv2.line(mask, here, there, 1, thickness)
            if cv2.countNonZero(mask) >= target:
                return mask


def _boxes(height: int, width: int, rng: np.random.Generator) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(1, 4)):
        rows = max(1, round(height * rng.uniform(0.12, 0.5)))
        columns = max(1, round(width * rng.uniform(0.12, 0.5)))
        top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
        mask[top : top + rows, left : left + columns] = 1
    return mask


def _border(height: int, width: int, rng: np.random.Generator) -> Mask:
    """One to four sides missing, as when a photo is extended outwards."""
    mask = np.zeros((height, width), np.uint8)
    sides = rng.permutation(4)[: rng.integers(1, 5)]
    deepest = 0.5 if len(sides) == 1 else 0.33
    for side in sides:
        extent = width if side % 2 else height
        depth = max(1, round(extent * rng.uniform(0.08, deepest)))
        rotated = np.rot90(mask, side)  # A view: its first rows are the chosen side.
        rotated[:depth] = 1
    return mask


def _stamps(height: int, width: int, rng: np.random.Generator, stamps: Stamps) -> Mask:
    """One to four pieces of stamps, each cut, turned, mirrored and scaled to span the image."""
    mask = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(1, 5)):
        stamp = (stamps.get(int(rng.integers(len(stamps)))) > _STAMP_THRESHOLD).astype(np.uint8)
        # `zoom` is stamp pixels per mask pixel; the piece shows 0.4 to 1 of the stamp's side.
        zoom = rng.uniform(0.4, 1.0) * max(stamp.shape) / max(height, width)
        if zoom >= 1.5:  # Widen hairlines so that shrinking does not break them.
            stamp = cv2.dilate(stamp, np.ones((round(zoom),) * 2, np.uint8))
        damaged = np.flatnonzero(stamp)
        row, column = divmod(int(damaged[rng.integers(len(damaged))]), stamp.shape[1])
        landing = rng.uniform(0.1, 0.9, 2) * (width, height)
        angle = rng.uniform(0, 2 * math.pi)
        turn = zoom * np.array(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        if rng.random() < 0.5:
            turn[:, 0] *= -1
        shift = np.array([column, row]) - turn @ landing  # A damaged pixel lands inside the image.
        matrix = np.concatenate([turn, shift[:, None]], 1)  # [2, 3], mask to stamp
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        piece = cv2.warpAffine(stamp * np.uint8(255), matrix, (width, height), flags=flags)
        mask |= (piece > _STAMP_THRESHOLD).astype(np.uint8)
        if cv2.countNonZero(mask) > 0.3 * mask.size:
            break
    return mask


def _lattice(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Rows, columns or both missing at a fixed distance, as an interlaced or screened picture lacks them."""
    mask = np.zeros((height, width), np.uint8)
    period = int(rng.integers(2, 9))
    thickness = int(rng.integers(1, max(2, round(0.75 * period) + 1)))
    ways = rng.integers(1, 4)  # 1: rows, 2: columns, 3: both
    for axis in (0, 1):
        if ways & (1 << axis):
            lines = (np.arange(mask.shape[axis]) + rng.integers(period)) % period < thickness
            mask |= lines[:, None] if axis == 0 else lines[None]
    if rng.random() < 0.5:  # a part of the image only
        part = np.zeros_like(mask)
        rows, columns = (max(2, round(n * rng.uniform(0.4, 0.9))) for n in (height, width))
        top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
        part[top : top + rows, left : left + columns] = 1
        mask &= part
    return mask


def _sparse(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Large holes, or all of the image, in which single pixels are known: one in 2,000 up to one in two."""
    whole = np.ones((height, width), np.uint8)
    mask = whole if rng.random() < 0.3 else _boxes(height, width, rng)
    share = math.exp(rng.uniform(math.log(1 / 2000), math.log(1 / 2)))
    mask[rng.random((height, width)) < share] = 0
    return mask


def _partial(mask: Mask, rng: np.random.Generator) -> Mask:
    """The mask, with one block turned over where all of it was missing or known."""
    missing = cv2.countNonZero(mask)
    if 0 < missing < mask.size:
        return mask
    height, width = mask.shape
    rows, columns = max(1, height // 8), max(1, width // 8)
    top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
    mask[top : top + rows, left : left + columns] = 0 if missing else 1
    return mask


_PLAIN: dict[str, Callable[[int, int, np.random.Generator], Mask]] = {
    "box": _boxes,
    "border": _border,
    "lattice": _lattice,
    "sparse": _sparse,
}
