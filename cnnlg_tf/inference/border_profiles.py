"""What a photo shows on both sides of a region's border: profiles along lines across it."""

from typing import NamedTuple

import cv2
import numpy as np

BLACK = np.float32(6 / 255)  # added before logarithms: black shows no shade, only noise
DEPTH = 48  # pixels; thicker regions are looked at smaller
OUTSIDE = slice(3, 8)  # pixels from the border, where the photo is as it was
FEWEST = 16  # profiles
MOST = 20_000  # a longer border is that of a net of cracks


class Region(NamedTuple):
    """A part of the photo around one region, at most DEPTH thick.

    log: float32 [h, w, 3]; inside, around: bool [h, w], the region, and what the photo shows around it; inner, signed:
    float32 [h, w], pixels from the border to a pixel of the region, and to any, negative inside.
    """

    log: np.ndarray
    inside: np.ndarray
    around: np.ndarray
    inner: np.ndarray
    signed: np.ndarray


class Profiles(NamedTuple):
    """Lines across the border, pixel by pixel outwards from -reach to reach, in order along it.

    y, x: int [lines], where each meets the border; log: float32 [lines, 2 * reach + 1, 3]; seen: bool
    [lines, 2 * reach + 1]; clear: bool [lines], whether it shows enough of the photo just outside; outer: float32
    [lines, 3], what it shows there; reach: pixels.
    """

    y: np.ndarray
    x: np.ndarray
    log: np.ndarray
    seen: np.ndarray
    clear: np.ndarray
    outer: np.ndarray
    reach: int


def inner_distance(region: np.ndarray) -> np.ndarray:
    """float32 [h, w], pixels to what is not of the region; the frame is no border."""
    padded = cv2.copyMakeBorder(region.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance[1:-1, 1:-1])


def shown_around(
    image: np.ndarray, region: np.ndarray, inner: np.ndarray, around: np.ndarray
) -> Region:
    """The region and the photo around it, shrunk where the region is thicker than DEPTH.

    Args:
        image: float32 [h, w, 3] in [0, 1]; region, around: bool [h, w], the region, and what else is to be looked at;
            inner: the region's `inner_distance`.
    """
    depth = float(inner.max())
    if depth > DEPTH:
        size = tuple(max(1, round(side * DEPTH / depth)) for side in region.shape[::-1])
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        region, around = (
            cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > least
            for mask, least in ((region, 0.5), (around, 0.99))
        )
        inner = inner_distance(region)
    outer = cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    signed = cv2.GaussianBlur(outer - inner, (0, 0), 2.0)
    return Region(np.log(image + BLACK), region, around, inner, signed)


def profiles_of(shown: Region) -> Profiles | None:
    """Lines across the border, if enough of them show the photo outside."""
    height, width = shown.inside.shape
    contours, _ = cv2.findContours(
        shown.inside.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    x, y = np.vstack([contour[:, 0] for contour in contours]).T
    framed = (x == 0) | (y == 0) | (x == width - 1) | (y == height - 1)
    x, y = x[~framed], y[~framed]
    if not FEWEST <= len(x) <= MOST:
        return None
    down, right = (slope[y, x] for slope in np.gradient(shown.signed))
    length = np.hypot(down, right) + np.float32(1e-6)
    reach = max(OUTSIDE.stop, int(shown.inner.max()))
    steps = np.arange(-reach, reach + 1, dtype=np.float32)
    xs = (x[:, np.newaxis] + (right / length)[:, np.newaxis] * steps).astype(np.float32)
    ys = (y[:, np.newaxis] + (down / length)[:, np.newaxis] * steps).astype(np.float32)
    at = (
        np.clip(np.rint(ys), 0, height - 1).astype(int),
        np.clip(np.rint(xs), 0, width - 1).astype(int),
    )
    seen = (xs >= 0) & (xs <= width - 1) & (ys >= 0) & (ys <= height - 1)
    seen &= np.where(steps <= 0, shown.inside[at], shown.around[at])
    seen &= np.abs(shown.signed[at] - steps) < 3  # no other part of the border is nearer
    log = _sampled(shown.log, xs, ys)
    outside = slice(reach + OUTSIDE.start, reach + OUTSIDE.stop)
    count = seen[:, outside].sum(axis=1)
    total = (log[:, outside] * seen[:, outside, np.newaxis]).sum(axis=1)
    clear = count >= 2
    outer = total / np.maximum(count, 1)[:, np.newaxis]
    return Profiles(y, x, log, seen, clear, outer, reach) if clear.sum() >= FEWEST else None


def _sampled(image: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """float32 [lines, points, 3]; a part at a time, for OpenCV takes up to 32,766 rows."""
    rows = range(0, len(xs), 16_384)
    parts = [
        cv2.remap(
            image,
            xs[n : n + 16_384],
            ys[n : n + 16_384],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for n in rows
    ]
    return np.concatenate(parts)


def nearest_line(lines: Profiles, shape: tuple[int, ...]) -> np.ndarray:
    """int [h, w]: the number of the line whose place on the border is nearest."""
    elsewhere = np.ones(shape[:2], np.uint8)
    elsewhere[lines.y, lines.x] = 0
    _, labels = cv2.distanceTransformWithLabels(
        elsewhere, cv2.DIST_L2, cv2.DIST_MASK_PRECISE, labelType=cv2.DIST_LABEL_PIXEL
    )
    number = np.zeros(int(labels.max()) + 1, int)
    number[labels[lines.y, lines.x]] = np.arange(len(lines.y))
    nearest: np.ndarray = number[labels]
    return nearest
