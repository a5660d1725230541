"""Full-resolution detail for a hole that was repaired at low resolution.

Each block of the hole looks for the known block that is most like it at low resolution, and takes
over that block's residual: the photo minus its own enlarged low-resolution version (contextual
residual aggregation, arXiv 2005.09704, with a search for the best match in place of the network's
attention). Neighbouring blocks prefer to copy from neighbouring places, which keeps texture whole,
and not from the same place again, which would show as a repeated stamp.
"""

import cv2
import numpy as np

BLOCK = 8  # low-resolution pixels that a match is responsible for
BORDER = 2  # and those around them that are compared and blended as well
STRIDE = 4  # of the places that are searched; divides BLOCK, so that a neighbour's match continues
CONTINUE = 0.7  # a patch that continues a neighbour's match may differ by so much more
REUSE = 0.3  # and one that was already copied n times must be more alike by 1 + n REUSE
PATCH = BLOCK + 2 * BORDER
NOISE = 3 * PATCH**2 * (2 / 255) ** 2  # squared distance of patches that look the same


def enlarge(low: np.ndarray, scale: int) -> np.ndarray:
    """[h, w, c] float32 -> [scale h, scale w, c], smooth."""
    height, width = low.shape[:2]
    size = (scale * width, scale * height)
    large: np.ndarray = cv2.resize(low, size, interpolation=cv2.INTER_CUBIC)
    return large


def match_blocks(low: np.ndarray, usable: np.ndarray, wanted: np.ndarray) -> list[np.ndarray]:
    """For each block of a BLOCK grid that holds a wanted pixel, the most similar usable patch.

    Args:
        low: float32 [h, w, 3], the repaired photo at low resolution.
        usable: bool [h, w], pixels that residuals may be taken from.
        wanted: bool [h, w], pixels that need a residual.

    Returns:
        Rows (y, x, source_y, source_x): top left corners of patches, PATCH wide, in low pixels.
        Target corners may be negative by BORDER. Empty where nothing usable is large enough.
    """
    height, width = usable.shape
    if min(height, width) < PATCH:
        return []
    blocked = cv2.boxFilter(
        (~usable).astype(np.float32), -1, (PATCH, PATCH), anchor=(0, 0), normalize=False
    )
    ys, xs = np.nonzero(blocked[: height - PATCH + 1 : STRIDE, : width - PATCH + 1 : STRIDE] < 0.5)
    if not len(ys):
        return []
    index = np.full((height // STRIDE + 1, width // STRIDE + 1), -1)
    index[ys, xs] = np.arange(len(ys))
    ys, xs = ys * STRIDE, xs * STRIDE
    sources = _patches(low, ys, xs)
    energy = np.einsum("ij,ij->i", sources, sources)

    padded = np.pad(low, ((BORDER, PATCH), (BORDER, PATCH), (0, 0)), mode="edge")
    rows, columns = np.arange(0, height, BLOCK), np.arange(0, width, BLOCK)
    needed = np.logical_or.reduceat(np.logical_or.reduceat(wanted, rows, 0), columns, 1)
    chosen = np.full(needed.shape, -1)
    burden = np.ones(len(ys), np.float32)
    matches = []
    for row in np.flatnonzero(needed.any(axis=1)):
        targets = np.flatnonzero(needed[row])
        patches = _patches(padded, np.full(len(targets), row * BLOCK), targets * BLOCK)
        own = np.einsum("ij,ij->i", patches, patches)
        distances = own[:, np.newaxis] + energy - 2.0 * patches @ sources.T
        distances = np.maximum(distances, 0.0) + NOISE
        for column, distance in zip(targets, distances, strict=True):
            for y, x in ((-1, 0), (0, -1)):
                if row + y < 0 or column + x < 0 or chosen[row + y, column + x] < 0:
                    continue
                neighbour = chosen[row + y, column + x]
                at_y, at_x = ys[neighbour] - y * BLOCK, xs[neighbour] - x * BLOCK
                if at_y < height and at_x < width:
                    continued = index[at_y // STRIDE, at_x // STRIDE]
                    if continued >= 0:
                        distance[continued] *= CONTINUE
            best = int(np.argmin(distance * burden))
            burden[best] += REUSE
            chosen[row, column] = best
            matches.append(
                np.array([row * BLOCK - BORDER, column * BLOCK - BORDER, ys[best], xs[best]])
            )
    return matches


def copy_residuals(
    photo: np.ndarray, smooth: np.ndarray, matches: list[np.ndarray], scale: int
) -> np.ndarray:
    """Blend the matched blocks' residuals.

    Args:
        photo: float32 [height, width, 3], full resolution; sides are multiples of scale.
        smooth: the same shape, the enlarged low-resolution repair.
        matches: of match_blocks.

    Returns:
        float32 [height, width, 3], to be added to `smooth`; 0 where no block was matched.
    """
    height, width = photo.shape[:2]
    total = np.zeros_like(photo)
    weights = np.zeros((height, width, 1), np.float32)
    window = _window(scale)
    size = PATCH * scale
    for match in matches:
        y, x, source_y, source_x = (int(v) for v in match * scale)
        top, left = max(y, 0), max(x, 0)
        bottom, right = min(y + size, height), min(x + size, width)
        dy, dx = source_y - y, source_x - x
        there = np.s_[top + dy : bottom + dy, left + dx : right + dx]
        weight = window[top - y : bottom - y, left - x : right - x]
        total[top:bottom, left:right] += weight * (photo[there] - smooth[there])
        weights[top:bottom, left:right] += weight
    np.divide(total, weights, out=total, where=weights > 0)
    return total


def _patches(image: np.ndarray, ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
    """PATCH x PATCH patches at top left corners: [n, PATCH * PATCH * 3]."""
    views = np.lib.stride_tricks.sliding_window_view(image, (PATCH, PATCH), axis=(0, 1))
    patches: np.ndarray = views[ys, xs].reshape(len(ys), -1)
    return patches


def _window(scale: int) -> np.ndarray:
    """Weights [size, size, 1] that fall from the block to the patch's border."""
    size = PATCH * scale
    distance = np.minimum(np.arange(size) + 0.5, size - np.arange(size) - 0.5)
    ramp = np.minimum(distance / (2 * BORDER * scale), 1.0).astype(np.float32)
    window: np.ndarray = (ramp[:, np.newaxis] * ramp)[..., np.newaxis]
    return window
