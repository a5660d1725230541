"""Fill a photo's hole window by window with a network, wherever that runs."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from cnnlg_tf.errors import CancelledError
from cnnlg_tf.inference import detail as full_detail
from cnnlg_tf.inference.network import WIDEST_SIDE, Conditions, Filled, Network
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
    for scale, windows, part in plan(hole, min(WIDEST_SIDE, network.widest)):
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
            if scale == 1:
                filled = network.fill(image, around, conditions)
            else:
                inside = np.zeros_like(around)
                inside[inner.slices] = wanted
                filled = _paint_thick(image, around, inside, scale, network, conditions)
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
    """Fill at 1 / scale of the resolution, then copy the detail that this resolution lacks.

    Args:
        image: float32 [h, w, 3]; missing: bool [h, w]; wanted: bool [h, w], missing pixels that
            the caller will take.
    """
    height, width = missing.shape
    padding = ((0, -height % scale), (0, -width % scale))
    image = np.pad(image, (*padding, (0, 0)), mode="edge")
    known = (~np.pad(missing, padding, mode="edge")).astype(np.float32)
    size = (image.shape[1] // scale, image.shape[0] // scale)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    low = cv2.resize(image * known[..., np.newaxis], size, interpolation=cv2.INTER_AREA)
    low /= np.maximum(share, 1e-6)[..., np.newaxis]
    np.clip(low, 0.0, 1.0, out=low)  # the division may leave it by a rounding
    low_filled, low_uncertainty = network.fill(low, share < 0.5, conditions)
    smooth = full_detail.enlarge(low_filled, scale)
    wanted_low = any_pool(np.pad(wanted, padding), scale)
    matches = full_detail.match_blocks(low_filled, share > 0.999, wanted_low)
    filled = full_detail.copy_residuals(image, smooth, matches, scale)
    filled *= min(conditions.detail, 1.0)
    filled += smooth
    np.clip(filled, 0.0, 1.0, out=filled)
    uncertainty = np.clip(full_detail.enlarge(low_uncertainty, scale), 0.0, 1.0)
    return Filled(filled[:height, :width], uncertainty[:height, :width])
