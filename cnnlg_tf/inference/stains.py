"""Stains that darken without hiding: what shows through is lifted, not painted over.

Tea, water and smoke multiply the photo's colours by something between 0 and 1. By how much is read from profiles across
the region's border, as the shade of a shadow's penumbra is (Liu and Gleicher 2008, Texture-Consistent Shadow Removal):
the mean of many profiles is the stain's, for what the photo shows differs from one to the next. Beyond a soft border
the stain is taken to be even. That border, where a misplaced profile would show, is left for the network to paint.

A region is lifted only where the photo does show through: what is lifted must go on, inside, as the photo does
outside, with as much contrast and as much detail. Needs no TensorFlow.
"""

import cv2
import numpy as np

from cnnlg_tf.inference.border_profiles import (
    BLACK,
    FEWEST,
    OUTSIDE,
    Profiles,
    Region,
    inner_distance,
    nearest_line,
    profiles_of,
    shown_around,
)
from cnnlg_tf.inference.windows import Box
from cnnlg_tf.photos import from_unit, to_unit

LEAST_DEPTH = 8  # pixels from a region's border to its middle; thinner ones are painted
STEP = 0.08  # logarithm; a stain has set in where it changes by less
UNLIKE = 0.09  # logarithm; from what lies deeper, beside each other: the stain has not set in there
EVEN = 6  # over so many pixels inwards
BESIDE = 5  # pixels along the border over which profiles are smoothed to see where the stain sets in there
OUTLIERS = 0.2  # the share of profiles left out at either end: edges of what the photo shows
DARKEST, PALEST = -1.8, -0.05  # logarithm; what is darker hides, what is paler is none
AGREEMENT = 0.15  # correlation of what lies on both sides of the border
CONTRAST = (0.5, 1.6)  # of what lies inside the border, of that outside
DETAIL = (0.5, 1.7)  # the same of what is smaller than a few pixels
OFFSET = 0.3  # logarithm, between what lies on both sides over long parts of the border
UNEVEN = 1.4  # times as much contrast of what is larger than a few pixels as around: two stains, one over the other
SHARE = 0.3  # of a region; where less than that is even, all of it is painted


def lift_stains(
    pixels: np.ndarray, hole: np.ndarray, hidden: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The photo, of any type, with its stains lifted where it shows through them; and what is left of the hole.

    Args:
        pixels: [height, width, 3], uint8, uint16 or float in [0, 1].
        hole: bool [height, width], what was found damaged.
        hidden: bool [height, width], what is not to be looked at though it is not to be filled.

    Returns:
        (pixels as given but for what was lifted, bool [height, width]).
    """
    result, left = pixels.copy(), hole.copy()
    unknown = hole if hidden is None else hole | hidden
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(
        hole.astype(np.uint8), connectivity=8
    )
    for label in range(1, count):
        x, y, width, height, area = (int(value) for value in statistics[label])
        if area < 4 * LEAST_DEPTH**2:
            continue
        margin = max(2 * OUTSIDE.stop, min(width, height) // 2)
        box = Box(y, x, y + height, x + width).grown(margin)
        part = box.clipped(*hole.shape).slices
        region = labels[part] == label
        inner = inner_distance(region)
        if inner.max() < LEAST_DEPTH:
            continue
        image = to_unit(pixels[part])
        image[unknown[part] & ~region] = 0.0  # what is hidden may be NaN
        stain = _stain(image, region, inner, ~unknown[part])
        if stain is not None:
            shade, even = stain
            lifted = np.exp(np.log(image[even] + BLACK) - shade) - BLACK
            result[part][even] = from_unit(np.clip(lifted, 0.0, 1.0), pixels.dtype)
            left[part][even] = False
    return result, left


def _stain(
    image: np.ndarray, region: np.ndarray, inner: np.ndarray, around: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """(logarithm of the stain's shade float32 [3], where the photo shows evenly through it bool [h, w]); or None."""
    shown = shown_around(image, region, inner, around)
    lines = profiles_of(shown)
    if lines is None:
        return None
    found = _shade(lines, float(shown.inner.max()))
    if found is None:
        return None
    shade, border = found
    borders = _borders(lines, border)[nearest_line(lines, shown.inside.shape)]
    even = shown.inside & (shown.inner > borders)
    enough = even.sum() > SHARE * shown.inside.sum()
    if not (enough and _shows_through(shown, lines, even, shade, border)):
        return None
    size = (region.shape[1], region.shape[0])
    inside = cv2.resize(even.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return shade, inside & region


def _shade(lines: Profiles, depth: float) -> tuple[np.ndarray, int] | None:
    """(the stain's shade where it is even float32 [3], pixels of its border); None where it is even nowhere."""
    fewest = max(FEWEST, int(lines.clear.sum()) // 10)
    shades = []
    for inwards in range(lines.reach + 1):
        seen = lines.seen[:, lines.reach - inwards] & lines.clear
        if seen.sum() < fewest:
            break
        change = np.sort(lines.log[seen, lines.reach - inwards] - lines.outer[seen], axis=0)
        cut = int(OUTLIERS * len(change))
        shades.append(change[cut : len(change) - cut].mean(axis=0))
    if len(shades) < LEAST_DEPTH:
        return None
    profile = np.array(shades, np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(profile, EVEN, axis=0)  # [starts, 3, EVEN]
    even = np.flatnonzero(np.ptp(windows, axis=-1).max(axis=-1) < STEP)
    if not even.size:
        return None
    border = max(3, int(even[0]))
    if border + 3 > min(depth, len(profile)):
        return None
    return profile[border : border + EVEN].mean(axis=0), border


def _borders(lines: Profiles, border: int) -> np.ndarray:
    """Pixels of the stain's border at each line, where it may be wider than `border`: float32 [lines]."""
    deepest = min(2 * border + 4, lines.reach - 1)
    outwards = lines.log[:, lines.reach - deepest : lines.reach + 1]
    inwards = np.ascontiguousarray(outwards[:, ::-1])  # [lines, deepest + 1, 3]
    flat = inwards.reshape(len(inwards), -1)
    smooth = cv2.blur(flat, (1, BESIDE), borderType=cv2.BORDER_REFLECT_101).reshape(inwards.shape)
    level = np.median(smooth[:, border:], axis=1, keepdims=True)
    unlike = np.abs(smooth - level).max(axis=-1) > UNLIKE
    settled = ~np.asarray(np.lib.stride_tricks.sliding_window_view(unlike, 3, axis=1).any(axis=-1))
    first = np.where(settled.any(axis=1), settled.argmax(axis=1), deepest)
    local = np.maximum(first + 2, border).astype(np.float32)
    return np.asarray(cv2.dilate(local[:, np.newaxis], np.ones((BESIDE, 1))))[:, 0]


def _shows_through(
    shown: Region,
    lines: Profiles,
    even: np.ndarray,
    shade: np.ndarray,
    border: int,
) -> bool:
    """Whether what is lifted goes on as the photo does outside."""
    if not DARKEST < float(shade.mean()) < PALEST:
        return False
    within = slice(lines.reach - border - 3, lines.reach - border)
    seen = lines.seen[:, within].all(axis=1) & lines.clear
    if seen.sum() < FEWEST:
        return False
    inner = lines.log[:, within].mean(axis=1) - shade
    near, far = inner[seen].mean(axis=-1), lines.outer[seen].mean(axis=-1)
    if min(near.std(), far.std()) < 1e-6:
        return False
    soft = cv2.GaussianBlur(shown.log.mean(axis=-1), (0, 0), 3.0)
    ring = shown.around & (shown.signed > 2) & (shown.signed < 9)
    wide = shown.around & (shown.signed > 6) & (shown.signed < 6 + shown.inner.max())
    detail = _detail(shown.log - shade, even) / max(_detail(shown.log, ring), 1e-6)
    return (
        float(np.corrcoef(near, far)[0, 1]) > AGREEMENT
        and CONTRAST[0] < float(near.std() / far.std()) < CONTRAST[1]
        and DETAIL[0] < detail < DETAIL[1]
        and _offset(inner - lines.outer, seen) < OFFSET
        and float(soft[even].std()) < UNEVEN * float(soft[wide].std() if wide.any() else 0.0)
    )


def _offset(rest: np.ndarray, seen: np.ndarray) -> float:
    """How far what is lifted lies above or below the photo outside, over long parts of the border: a logarithm."""
    size = (1, max(BESIDE, len(rest) // 6))
    many = cv2.blur(seen.astype(np.float32)[:, np.newaxis], size, borderType=cv2.BORDER_REFLECT_101)
    rest = np.where(seen[:, np.newaxis], rest, np.float32(0))
    means = cv2.blur(rest, size, borderType=cv2.BORDER_REFLECT_101) / np.maximum(many, 1e-6)
    return float(np.sqrt(np.mean(np.square(means[many[:, 0] > 0.3]))))


def _detail(log: np.ndarray, where: np.ndarray) -> float:
    """Mean strength of what is smaller than a few pixels, as values."""
    grey = (np.exp(log) - BLACK).mean(axis=-1)
    fine = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 2.0))[where]
    return float(fine.mean()) if fine.size else 0.0
