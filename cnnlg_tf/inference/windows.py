"""Where to work: at which scale each part of a hole is repaired, and in which windows of the photo.

The network has learnt holes of some thickness. Thinner parts are repaired at the photo's own
resolution, thicker ones at 1/2, 1/4, ...; windows cover the hole and its surroundings only. So the
cost follows the hole's area, at most, and not the photo's.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

CELL = 16  # holes are grouped on a grid of this many pixels
SIZE_STEP = 32  # window sides are multiples of it where the photo allows: few shapes to plan for
CONTEXT = 0.75  # known pixels around a window's core, in the hole's local thickness,
MIN_CONTEXT = 32  # but at least these (48: strokes no better, a quarter slower)
MAX_CONTEXT = 128  # and at most these


class Box(NamedTuple):
    """A rectangle of pixels: rows top to bottom - 1, columns left to right - 1."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def within(self, outer: "Box") -> "Box":
        """The same rectangle in the coordinates of `outer`."""
        y, x = outer.top, outer.left
        return Box(self.top - y, self.left - x, self.bottom - y, self.right - x)

    def scaled(self, factor: int) -> "Box":
        return Box(*(factor * side for side in self))

    def grown(self, rows: int, columns: int | None = None) -> "Box":
        """Larger by `rows` above and below and by `columns`, or as much, on both sides."""
        across = rows if columns is None else columns
        return Box(self.top - rows, self.left - across, self.bottom + rows, self.right + across)

    def clipped(self, height: int, width: int) -> "Box":
        return Box(
            max(self.top, 0), max(self.left, 0), min(self.bottom, height), min(self.right, width)
        )


class Window(NamedTuple):
    """`core`: where the hole is to be filled; `box`: the core with the context the network sees."""

    core: Box
    box: Box


def bounding_box(mask: np.ndarray) -> Box:
    """The smallest box that holds every True of `mask` [height, width], which has at least one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def any_pool(mask: np.ndarray, factor: int) -> np.ndarray:
    """Which blocks hold a True: bool [h, w] -> bool [ceil(h / factor), ceil(w / factor)]."""
    if factor == 1:
        return mask
    height, width = mask.shape
    rows = np.logical_or.reduceat(mask, np.arange(0, height, factor), axis=0)
    blocks: np.ndarray = np.logical_or.reduceat(rows, np.arange(0, width, factor), axis=1)
    return blocks


def split_by_scale(
    mask: np.ndarray, thickness: float, side: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Cut the hole into parts by local thickness, thin ones first.

    Args:
        mask: bool [height, width], True = missing, at least one True.
        thickness: pixels; the thickest part that is repaired at scale 1.
        side: pixels; no scale is needed at which the photo is smaller than this.

    Yields:
        (scale, part): scale 1, 2, 4, ...; part is bool [height, width]; together the parts are the
        hole, each pixel in one of them.
    """
    height, width = mask.shape
    largest = 1
    while 2 * largest * 16 <= min(height, width) and largest * side < max(height, width):
        largest *= 2
    # one known pixel around, where the photo has it; the photo's own border is no known pixel
    box = bounding_box(mask).grown(1).clipped(height, width)
    whole = mask.copy()
    rest = whole[box.slices]
    depth = cv2.distanceTransform(rest.astype(np.uint8), cv2.DIST_L2, 3)
    scale = 1
    while scale < largest:
        radius = scale * thickness / 2
        shallow = np.asarray(depth <= radius)
        if shallow.all():
            break
        distance = cv2.distanceTransform(shallow.view(np.uint8), cv2.DIST_L2, 3)
        # 1.5 radii reach from the deep part into the corners of a square hole
        thin = rest & (distance > 1.5 * radius)
        if thin.any():
            part = np.zeros_like(mask)
            part[box.slices] = thin
            yield scale, part
            rest &= ~thin
        scale *= 2
    yield scale, whole


def plan_windows(part: np.ndarray, side: int) -> list[Window]:
    """Windows whose cores cover every True of `part`, with context around.

    Args:
        part: bool [height, width] at working resolution, at least one True.
        side: pixels; no window side is longer.
    """
    height, width = part.shape
    cells = any_pool(part, CELL)
    longest = max(side // 2, side - 2 * MAX_CONTEXT) // CELL
    _, labels = cv2.connectedComponents(
        cv2.dilate(cells.view(np.uint8), np.ones((3, 3), np.uint8)), connectivity=8
    )
    labels[~cells] = 0
    windows = []
    for cell_box, label in _component_boxes(labels):
        for core_cells in _cut(cell_box, labels, label, longest):
            core = core_cells.scaled(CELL).clipped(height, width)
            depth = cv2.distanceTransform(part[core.slices].astype(np.uint8), cv2.DIST_L2, 3)
            thickness = 2.0 * min(float(depth.max()), MAX_CONTEXT)
            context = min(max(int(CONTEXT * thickness), MIN_CONTEXT), MAX_CONTEXT)
            top, bottom = _widen(core.top, core.bottom, context, height, side)
            left, right = _widen(core.left, core.right, context, width, side)
            windows.append(Window(core, Box(top, left, bottom, right)))
    return windows


def tile(height: int, width: int, side: int, overlap: int) -> Iterator[Window]:
    """Windows of `side` pixels that cover a photo; cores do not overlap, boxes by 2 `overlap`."""
    step = side - 2 * overlap
    for top in range(0, height, step):
        for left in range(0, width, step):
            core = Box(top, left, top + step, left + step).clipped(height, width)
            y = max(0, min(top - overlap, height - side))
            x = max(0, min(left - overlap, width - side))
            yield Window(core, Box(y, x, y + side, x + side).clipped(height, width))


def _component_boxes(labels: np.ndarray) -> Iterator[tuple[Box, int]]:
    """The bounding box of each label but 0: one pass over the labelled cells."""
    rows, columns = np.nonzero(labels)
    found = labels[rows, columns]
    order = np.argsort(found, kind="stable")
    rows, columns, found = rows[order], columns[order], found[order]
    starts = np.flatnonzero(np.diff(found, prepend=0))
    tops, lefts = np.minimum.reduceat(rows, starts), np.minimum.reduceat(columns, starts)
    bottoms, rights = np.maximum.reduceat(rows, starts), np.maximum.reduceat(columns, starts)
    for i, start in enumerate(starts):
        box = Box(int(tops[i]), int(lefts[i]), int(bottoms[i]) + 1, int(rights[i]) + 1)
        yield box, int(found[start])


def _cut(box: Box, labels: np.ndarray, label: int, longest: int) -> Iterator[Box]:
    """Cut a box in equal boxes with sides up to `longest`, each tight around the label's cells."""
    rows = _edges(box.top, box.bottom, longest)
    columns = _edges(box.left, box.right, longest)
    for top, bottom in zip(rows, rows[1:], strict=False):
        for left, right in zip(columns, columns[1:], strict=False):
            inside = labels[top:bottom, left:right] == label
            if inside.any():
                tight = bounding_box(inside)
                yield tight.within(Box(-top, -left, 0, 0))


def _edges(start: int, stop: int, longest: int) -> list[int]:
    parts = -(-(stop - start) // longest)
    return [start + (stop - start) * i // parts for i in range(parts + 1)]


def _widen(start: int, stop: int, context: int, length: int, side: int) -> tuple[int, int]:
    size = stop - start + 2 * context
    size = min(-(-size // SIZE_STEP) * SIZE_STEP, side, length)
    start = max(0, min((start + stop - size) // 2, length - size))
    return start, start + size
