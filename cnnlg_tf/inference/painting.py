"""Fill a photo's hole window by window with a network, wherever that runs."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from cnnlg_tf.errors import CancelledError
from cnnlg_tf.inference.network import (
    SMALLEST_SIDE,
    WIDEST_GUIDED,
    WIDEST_SIDE,
    Conditions,
    Filled,
    Network,
)
from cnnlg_tf.inference.signature_network import smaller
from cnnlg_tf.inference.windows import Box, Window, any_pool, plan_windows, split_by_scale
from cnnlg_tf.photos import from_unit, to_unit

THICKNESS = 64  # pixels, as in training; thicker holes are repaired at a lower resolution
TRAINED_SIDE = 256  # pixels; a photo no larger needs no lower resolution

Progress = Callable[[float], None]  # told the share of the work that is done, 0 to 1
Cancelled = Callable[[], bool]  # asked before each window whether to stop


def paint(
    photo: np.ndarray,
    hole: np.ndarray,
    network: Network,
    conditions: Conditions | None = None,
    *,
    hidden: np.ndarray | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fill a photo's hole window by window; what is filled is known to later windows.

    Args:
        photo: [height, width, 3], uint8, uint16 or float in [0, 1].
        hole: bool [height, width], True = to be filled.
        network: what fills a window.
        conditions: what the network honours; with a seed, each window draws from its own.
        hidden: bool [height, width], True where the photo's colours are not to be looked at, though
            the pixel is not to be filled: what lies under alpha 0.
        progress: called after each window.
        cancelled: True stops the work.

    Returns:
        The photo with its hole filled, every other pixel as it was; and the uncertainty float32
        [height, width], in units of the full range, 0 outside the hole.

    Raises:
        CancelledError: `cancelled` said so.
    """
    conditions = conditions or Conditions()
    painted, uncertainty = photo.copy(), np.zeros(hole.shape, np.float32)
    missing = hole.copy()
    unknown = hole.copy() if hidden is None else hole | hidden
    to_do = int(np.count_nonzero(hole))
    left = to_do
    if not to_do:
        return painted, uncertainty
    draws = None if conditions.seed is None else np.random.default_rng(conditions.seed)
    widest = min(WIDEST_SIDE, network.widest)
    for scale, windows, part in plan(hole, widest):
        for window in windows:
            box = window.box.scaled(scale).clipped(*hole.shape)
            core = window.core.scaled(scale).clipped(*hole.shape)
            wanted = part[core.slices] & missing[core.slices]
            if not wanted.any():
                continue
            if cancelled is not None and cancelled():
                raise CancelledError("the repair was cancelled")
            if draws is not None:
                conditions = replace(conditions, seed=int(draws.integers(2**64, dtype=np.uint64)))
            around, inner = unknown[box.slices], core.within(box)
            image = to_unit(painted[box.slices])
            image[around] = 0.0  # what a hole holds may be NaN
            given = conditions.within(box.slices)
            if scale == 1:
                filled = network.fill(image, around, given)
            else:
                inside = np.zeros_like(around)
                inside[inner.slices] = wanted
                filled = _paint_thick(image, around, inside, scale, network, given)
            values = filled.image[inner.slices][wanted]
            painted[core.slices][wanted] = from_unit(values, photo.dtype)
            uncertainty[core.slices][wanted] = filled.uncertainty[inner.slices][wanted]
            missing[core.slices][wanted] = False
            unknown[core.slices][wanted] = False
            left -= int(np.count_nonzero(wanted))
            if progress is not None:
                progress(1.0 - left / to_do)
    return painted, uncertainty


def plan(hole: np.ndarray, widest: int) -> Iterator[tuple[int, list[Window], np.ndarray]]:
    """(scale, windows at that scale, the part of the hole that they repair), thin parts first.

    A photo that fits one window is one: all of it is context.
    """
    for scale, part in split_by_scale(hole, THICKNESS, TRAINED_SIDE):
        cells = any_pool(part, scale)
        whole = Box(0, 0, *cells.shape)
        fits = max(hole.shape) <= widest
        yield scale, [Window(whole, whole)] if fits else plan_windows(cells, widest), part


def _paint_thick(
    image: np.ndarray,
    missing: np.ndarray,
    wanted: np.ndarray,
    scale: int,
    network: Network,
    conditions: Conditions,
) -> Filled:
    """Fill at 1 / scale of the resolution, then add what each finer one has, step by step.

    What a network cannot refine (one without guided synthesis, an export older than `refine`) stays as smooth as the
    enlarged repair is.

    Args:
        image: float32 [h, w, 3]; missing: bool [h, w]; wanted: bool [h, w], missing pixels that
            the caller will take.
    """
    height, width = missing.shape
    padding = ((0, -height % scale), (0, -width % scale))
    image = np.pad(image, (*padding, (0, 0)), mode="edge")
    missing, wanted = np.pad(missing, padding, mode="edge"), np.pad(wanted, padding)
    conditions = conditions.padded(-height % scale, -width % scale)
    filled, uncertainty = network.fill(
        *_shrunk(image, missing, scale), shrunk_conditions(conditions, scale)
    )
    while scale > 1:
        scale //= 2
        filled, uncertainty = enlarged(filled), enlarged(uncertainty)
        if "guide" in network.can:
            low, hole = _shrunk(image, missing, scale)
            given = shrunk_conditions(conditions, scale)
            refine(low, hole, any_pool(wanted, scale), filled, network, given)
    return Filled(filled[:height, :width], uncertainty[:height, :width])


def refine(
    image: np.ndarray,
    missing: np.ndarray,
    wanted: np.ndarray,
    filled: np.ndarray,
    network: Network,
    conditions: Conditions,
) -> None:
    """Add to `filled` window by window, in place, what its lower resolution lacked where `wanted`.

    A window that lies in the hole for the most part is shown a known place near the hole to copy
    from.
    """
    widest, missing = min(WIDEST_GUIDED, network.widest_guided), missing.copy()
    whole = Box(0, 0, *missing.shape)
    fits = max(missing.shape) <= min(WIDEST_SIDE, widest)  # more than it needs only costs
    for window in [Window(whole, whole)] if fits else plan_windows(wanted, widest):
        box, core = window.box.slices, window.core.slices
        target = wanted[core] & missing[core]
        if not target.any():
            continue
        shown = np.where(missing[box][..., np.newaxis], 0.0, image[box])
        given = conditions.within(box)
        if missing[box].mean() > 0.5:
            known = _known_square(missing, window.core)
            if known is not None:
                extra = np.ascontiguousarray(image[known.slices])
                given = replace(given, reference=(*given.reference, extra))
        better = network.fill(shown, missing[box], given, guide=filled[box]).image
        inner = window.core.within(window.box).slices
        filled[core][target] = better[inner][target]
        image[core][target] = better[inner][target]
        missing[core][target] = False


def _known_square(missing: np.ndarray, near: Box) -> Box | None:
    """A square of known pixels, as large as there is up to 256 px, the nearest to a box; or None."""
    known = (~np.pad(missing, 1, constant_values=True)).astype(np.uint8)
    depth = cv2.distanceTransform(known, cv2.DIST_C, 3)[1:-1, 1:-1]
    radius = int(min(depth.max(), 128.0)) - 1
    if 2 * radius < SMALLEST_SIDE:
        return None
    ys, xs = np.nonzero(depth > radius)
    far = (ys - (near.top + near.bottom) / 2) ** 2 + (xs - (near.left + near.right) / 2) ** 2
    y, x = int(ys[np.argmin(far)]), int(xs[np.argmin(far)])
    return Box(y - radius, x - radius, y + radius, x + radius)


def shrunk_conditions(conditions: Conditions, factor: int) -> Conditions:
    """The same at 1 / factor of the resolution: references and the sketch are shrunk as the photo is."""
    if factor == 1 or not (conditions.reference or conditions.sketch):
        return conditions
    small = [smaller(photo, factor) for photo in conditions.reference]
    sketch = None if conditions.sketch is None else conditions.sketch.shrunk(factor)
    return replace(conditions, reference=tuple(small), sketch=sketch)


def _shrunk(image: np.ndarray, missing: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of the known pixels of each cell, and the cells that are missing for the most part.

    A cell of few known pixels is missing beside one that is known; where there is none such, it is all that is known.
    """
    if factor == 1:
        return image, missing
    known = (~missing).astype(np.float32)
    size = (image.shape[1] // factor, image.shape[0] // factor)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    low = cv2.resize(image * known[..., np.newaxis], size, interpolation=cv2.INTER_AREA)
    low /= np.maximum(share, 1e-6)[..., np.newaxis]
    mostly = share >= 0.5
    beside = cv2.dilate(mostly.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    # the division may leave [0, 1] by a rounding
    return np.clip(low, 0.0, 1.0), ~(mostly | ((share > 0.0) & ~beside))


def enlarged(low: np.ndarray) -> np.ndarray:
    """Twice as high and wide, smooth, in [0, 1]."""
    size = (2 * low.shape[1], 2 * low.shape[0])
    large = cv2.resize(low, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(large, 0.0, 1.0))
