"""Fill a photo's hole window by window with a network, wherever that runs: here or behind a server.

No TensorFlow: the client's command needs none.
"""

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from cnnlg_tf.inference import detail as full_detail
from cnnlg_tf.inference.windows import Box, Window, any_pool, plan_windows, split_by_scale
from cnnlg_tf.photos import from_unit, to_unit

WORKING_SIDE = 512  # pixels; the widest window that the network is given
THICKNESS = 64  # pixels, as in training; thicker holes are repaired at a lower resolution
TRAINED_SIDE = 256  # pixels; a photo no larger needs no lower resolution

# image [h, w, 3] and hole [h, w] -> the filled image and the standard deviation [h, w]
Network = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def paint(
    photo: np.ndarray,
    hole: np.ndarray,
    network: Network,
    detail: float,
    spread: np.ndarray | None,
) -> np.ndarray:
    """The photo with its hole filled window by window; what is filled is known to later windows."""
    painted, missing = photo.copy(), hole.copy()
    if not hole.any():
        return painted
    for scale, windows, part in plan(hole):
        for window in windows:
            box = window.box.scaled(scale).clipped(*hole.shape)
            core = window.core.scaled(scale).clipped(*hole.shape)
            wanted = part[core.slices] & missing[core.slices]
            if not wanted.any():
                continue
            image, inner = to_unit(painted[box.slices]), core.within(box)
            around = missing[box.slices]
            if scale == 1:
                filled, deviation = network(image, around)
            else:
                inside = np.zeros_like(around)
                inside[inner.slices] = wanted
                filled, deviation = _paint_thick(image, around, inside, scale, network, detail)
            values = filled[inner.slices][wanted]
            painted[core.slices][wanted] = from_unit(values, photo.dtype)
            missing[core.slices][wanted] = False
            if spread is not None:
                spread[core.slices][wanted] = deviation[inner.slices][wanted]
    return painted


def plan(hole: np.ndarray) -> Iterator[tuple[int, list[Window], np.ndarray]]:
    """(scale, windows at that scale, the part of the hole that they repair), thin parts first.

    A photo that fits one window is one: all of it is context.
    """
    for scale, part in split_by_scale(hole, THICKNESS, TRAINED_SIDE):
        cells = any_pool(part, scale)
        whole = Box(0, 0, *cells.shape)
        fits = max(hole.shape) <= WORKING_SIDE
        yield scale, [Window(whole, whole)] if fits else plan_windows(cells, WORKING_SIDE), part


def _paint_thick(
    image: np.ndarray,
    missing: np.ndarray,
    wanted: np.ndarray,
    scale: int,
    network: Network,
    detail: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Fill at 1 / scale of the resolution, then copy the detail that this resolution lacks.

    Args:
        image: float32 [h, w, 3]; missing: bool [h, w]; wanted: bool [h, w], missing pixels that
            the caller will take.

    Returns:
        The image, filled where wanted, and the standard deviation [h, w].
    """
    height, width = missing.shape
    padding = ((0, -height % scale), (0, -width % scale))
    image = np.pad(image, (*padding, (0, 0)), mode="edge")
    known = (~np.pad(missing, padding, mode="edge")).astype(np.float32)
    size = (image.shape[1] // scale, image.shape[0] // scale)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    low = cv2.resize(image * known[..., np.newaxis], size, interpolation=cv2.INTER_AREA)
    low /= np.maximum(share, 1e-6)[..., np.newaxis]
    low_filled, low_spread = network(low, share < 0.5)
    smooth = full_detail.enlarge(low_filled, scale)
    wanted_low = any_pool(np.pad(wanted, padding), scale)
    matches = full_detail.match_blocks(low_filled, share > 0.999, wanted_low)
    filled = full_detail.copy_residuals(image, smooth, matches, scale)
    filled *= min(detail, 1.0)
    filled += smooth
    np.clip(filled, 0.0, 1.0, out=filled)
    spread = np.clip(full_detail.enlarge(low_spread, scale), 0.0, 1.0)
    return filled[:height, :width], spread[:height, :width]
