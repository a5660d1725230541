"""Other photos of the same scene: where they show what is missing, it is put in its place.

A reference is laid over the photo by features that both have (SIFT, with a homography found by RANSAC), or,
where there are too few, where the surroundings of the hole look the same, pixel by pixel. Its colours are
matched around each part of the hole, and it is taken only where it agrees with the photo there.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from cnnlg_tf.inference.windows import bounding_box
from cnnlg_tf.photos import from_unit, to_unit

FEATURE_SIDE = 1024  # pixels; larger photos are shrunk to look for features
RATIO = 0.75  # of the distance to the best and to the second best match
FEWEST = 12  # matches that agree
AROUND = 24  # pixels around a part of the hole in which a reference must agree with the photo
LEAST = 64  # pixels there that both show
AGREEMENT = 0.85  # correlation of luminances there
LARGEST_ERROR = 0.1  # root mean square there, of 1
SAME = 0.02  # root mean square of the same pixels, of 1
PLAIN = 0.02  # standard deviation; surroundings more even than this are found anywhere
SOFT = 6.0  # pixels over which what differs at the border fades inwards

Transform = np.ndarray  # float64 [3, 3], reference to photo, x before y


def with_references(
    pixels: np.ndarray,
    hole: np.ndarray,
    hidden: np.ndarray | None,
    references: Sequence[np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """The photo, of any type, with what references show of its hole put in its place; and what is left of the hole.

    hidden: bool [h, w], what is not to be looked at though it is not to be filled; the rest as for `place_references`.
    """
    if not references or not hole.any():
        return pixels, hole
    unknown = hole if hidden is None else hole | hidden
    photo = np.where(unknown[..., np.newaxis], np.float32(0.0), to_unit(pixels))
    values, placed = place_references(photo, hole, unknown, references)
    result = pixels.copy()
    result[placed] = from_unit(values[placed], pixels.dtype)
    return result, hole & ~placed


def place_references(
    photo: np.ndarray, hole: np.ndarray, unknown: np.ndarray, references: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Fill what references show.

    Args:
        photo: float32 [h, w, 3] in [0, 1], finite.
        hole: bool [h, w], what is to be filled.
        unknown: bool [h, w], what is not to be looked at: the hole, and what is hidden.
        references: float32 [h2, w2, 3] in [0, 1], any sizes.

    Returns:
        (filled float32 [h, w, 3], placed bool [h, w]: the part of the hole that is filled).
    """
    filled, placed = photo.copy(), np.zeros_like(hole)
    if unknown.all() or not hole.any():
        return filled, placed
    own = _features_of(photo, unknown)
    by_features = [_by_features(own, reference) for reference in references]
    for part in _parts(hole):
        found = []
        for reference, surest in zip(references, by_features, strict=True):
            for transform in _transforms(photo, unknown, part, reference, surest):
                fitted = _fit(photo, unknown, part, reference, transform)
                if fitted is not None:
                    found.append(fitted)
                    break
        for _, values, shown in sorted(found, key=lambda each: each[0]):
            new = part & shown & ~placed
            filled[new] = values[new]
            placed |= new
    return filled, placed


def _parts(hole: np.ndarray) -> Iterator[np.ndarray]:
    """Parts of a hole that lie close together, one by one."""
    near = cv2.dilate(hole.astype(np.uint8), np.ones((9, 9), np.uint8))
    count, labels = cv2.connectedComponents(near, connectivity=8)
    for label in range(1, count):
        yield hole & (labels == label)


def _transforms(
    photo: np.ndarray,
    unknown: np.ndarray,
    part: np.ndarray,
    reference: np.ndarray,
    by_features: Transform | None,
) -> Iterator[Transform]:
    """How the reference may lie over the photo, the surest guess first."""
    if by_features is not None:
        centre = np.array([*np.argwhere(part).mean(axis=0)[::-1], 1.0])
        moved = by_features @ centre
        shift = np.rint((moved / moved[2] - centre)[:2])
        bent = by_features / by_features[2, 2]
        if np.abs(bent[:2, :2] - np.eye(2)).max() < 0.01 and np.abs(bent[2, :2]).max() < 1e-4:
            yield _translation(shift[0], shift[1])
        yield by_features
    shifted = _by_surroundings(photo, unknown, part, reference)
    if shifted is not None:
        yield shifted


class _Features(NamedTuple):
    """What is looked for in a photo: float32 [n, 2] points in its pixels, x before y, [n, 128], and its scale then."""

    points: np.ndarray
    descriptors: np.ndarray | None
    scale: float


def _features_of(photo: np.ndarray, unknown: np.ndarray | None = None) -> _Features:
    small, scale = _grey(photo)
    seen = None
    if unknown is not None:
        known = cv2.erode((~unknown).astype(np.uint8), np.ones((5, 5), np.uint8))
        seen = cv2.resize(known, small.shape[::-1], interpolation=cv2.INTER_NEAREST) * np.uint8(255)
    sift: Any = cv2.SIFT.create(nfeatures=4000, contrastThreshold=0.02)
    found, descriptors = sift.detectAndCompute(small, seen)
    points = np.array([each.pt for each in found], np.float32).reshape(-1, 2)
    # pixels' centres, at the photo's own size
    return _Features((points + 0.5) / scale - 0.5, descriptors, scale)


def _by_features(own: _Features, reference: np.ndarray) -> Transform | None:
    other = _features_of(reference)
    if min(len(own.points), len(other.points)) < FEWEST:
        return None
    pairs = cv2.BFMatcher().knnMatch(other.descriptors, own.descriptors, k=2)
    good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < RATIO * p[1].distance]
    if len(good) < FEWEST:
        return None
    here = own.points[[m.trainIdx for m in good]]
    there = other.points[[m.queryIdx for m in good]]
    cv2.setRNGSeed(0)
    found, agreeing = cv2.findHomography(there, here, cv2.RANSAC, 2.0 / own.scale)
    if found is None or int(agreeing.sum()) < FEWEST or not _is_plausible(found):
        return None
    # a similarity bends less far from the features than a homography: take it where it says the same
    plain, plainly = cv2.estimateAffinePartial2D(
        there, here, method=cv2.RANSAC, ransacReprojThreshold=2.0 / own.scale
    )
    if plain is not None and int(plainly.sum()) >= 0.9 * int(agreeing.sum()):
        return np.vstack([plain, [0.0, 0.0, 1.0]])
    return np.asarray(found, np.float64)


def _is_plausible(transform: Transform) -> bool:
    """Neither mirrored, nor bent or scaled beyond what two photos of a scene differ by."""
    size = float(np.linalg.det(transform[:2, :2]))
    return 1.0 / 64.0 < size < 64.0 and bool(np.abs(transform[2, :2]).max() < 5e-3)


def _by_surroundings(
    photo: np.ndarray, unknown: np.ndarray, part: np.ndarray, reference: np.ndarray
) -> Transform | None:
    """The shift at which the reference shows the surroundings of a part of the hole as they are."""
    box = bounding_box(part).grown(AROUND).clipped(*part.shape)
    target, seen = photo[box.slices], (~unknown[box.slices]).astype(np.float32)
    inside = all(a <= b for a, b in zip(seen.shape, reference.shape[:2], strict=True))
    if not inside or seen.sum() < LEAST or target[seen > 0].std(axis=0).max() < PLAIN:
        return None
    # squared differences, as sums of products: what is unknown counts nowhere
    seen3 = np.repeat(seen[..., np.newaxis], 3, axis=-1)
    energy = _correlation(np.square(reference), seen3)
    error = energy - 2.0 * _correlation(reference, target * seen3)
    row, column = np.unravel_index(int(np.argmin(error)), error.shape)
    return _translation(float(box.left - column), float(box.top - row))


def _correlation(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Sums of products at every place of the kernel in the image, over channels."""
    total = sum(
        cv2.matchTemplate(
            np.ascontiguousarray(image[..., c]), np.ascontiguousarray(kernel[..., c]), cv2.TM_CCORR
        )
        for c in range(3)
    )
    return np.asarray(total)


def _fit(
    photo: np.ndarray,
    unknown: np.ndarray,
    part: np.ndarray,
    reference: np.ndarray,
    transform: Transform,
) -> tuple[float, np.ndarray, np.ndarray] | None:
    """(error, the reference over the photo in its colours, where it shows something), if it agrees."""
    distance = cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, 5)
    laid, shown = _lay(reference, transform, photo.shape[:2])
    near = (distance <= AROUND) & ~unknown
    ring = near & shown
    if ring.sum() < max(LEAST, 0.3 * near.sum()) or not (part & shown).any():
        return None
    mine, theirs = photo[ring].astype(np.float64), laid[ring].astype(np.float64)
    if _root_mean_square(mine - theirs) > 1e-3:  # else they are the same pixels already
        laid = _matched(laid, mine, theirs)
    difference = np.where(ring[..., np.newaxis], photo - laid, 0.0).astype(np.float32)
    error = _root_mean_square(difference[ring])
    even = float(mine.mean(axis=1).std())
    if even > PLAIN:
        agreement = float(np.corrcoef(mine.mean(axis=1), laid[ring].mean(axis=1))[0, 1])
        agrees = error < SAME or (error < LARGEST_ERROR and agreement > AGREEMENT)
    else:
        agrees = error < SAME
    if not agrees:
        return None
    # what still differs at the border fades inwards, so that no seam is left
    close = (ring & (distance <= SOFT)).astype(np.float32)
    weight = cv2.GaussianBlur(close, (0, 0), SOFT)
    spread = cv2.GaussianBlur(difference * close[..., np.newaxis], (0, 0), SOFT)
    laid = laid + spread / (weight + 0.02)[..., np.newaxis]
    return error, np.clip(laid, 0.0, 1.0).astype(np.float32), shown


def _matched(laid: np.ndarray, mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Each channel scaled and shifted as fits best, without the tenth of the pixels that fits worst."""
    result = np.empty_like(laid)
    for channel in range(3):
        x, y = theirs[:, channel], mine[:, channel]
        keep = np.ones(len(x), bool)
        gain, offset = 1.0, 0.0
        for _ in range(2):
            spread = float(x[keep].var())
            if spread > 1e-5:
                covariance = float(np.mean((x[keep] - x[keep].mean()) * (y[keep] - y[keep].mean())))
                gain = float(np.clip(covariance / spread, 0.25, 4.0))
            offset = float(y[keep].mean() - gain * x[keep].mean())
            off = np.abs(gain * x + offset - y)
            keep = off <= np.quantile(off, 0.9)
        result[..., channel] = gain * laid[..., channel] + offset
    return result


def _lay(
    reference: np.ndarray, transform: Transform, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The reference over a photo of `size`, and where it shows something."""
    shift = transform[:2, 2]
    if np.array_equal(transform, _translation(*np.rint(shift))):  # pixels stay as they are
        how = cv2.INTER_NEAREST
    else:
        how = cv2.INTER_CUBIC
        shrink = float(np.sqrt(abs(np.linalg.det(transform[:2, :2]))))
        if shrink < 0.75:  # no pixel is passed over
            smaller = (
                max(1, round(reference.shape[1] * shrink)),
                max(1, round(reference.shape[0] * shrink)),
            )
            fx, fy = smaller[0] / reference.shape[1], smaller[1] / reference.shape[0]
            reference = cv2.resize(reference, smaller, interpolation=cv2.INTER_AREA)
            enlarge = np.array(
                [[1 / fx, 0, 0.5 / fx - 0.5], [0, 1 / fy, 0.5 / fy - 0.5], [0, 0, 1]]
            )
            transform = transform @ enlarge
    laid = cv2.warpPerspective(
        reference, transform, size[::-1], flags=how, borderMode=cv2.BORDER_REPLICATE
    )
    ones = np.ones(reference.shape[:2], np.uint8)
    shown = cv2.warpPerspective(ones, transform, size[::-1], flags=cv2.INTER_NEAREST)
    if how != cv2.INTER_NEAREST:
        shown = cv2.erode(shown, np.ones((3, 3), np.uint8), borderValue=1)
    return np.clip(laid, 0.0, 1.0), np.asarray(shown > 0)


def _translation(x: float, y: float) -> Transform:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def _grey(image: np.ndarray) -> tuple[np.ndarray, float]:
    """uint8 luminance, no side longer than FEATURE_SIDE, and the scale of that."""
    grey = cv2.cvtColor(np.rint(255.0 * image).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    scale = min(1.0, FEATURE_SIDE / max(grey.shape))
    if scale < 1.0:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return grey, scale


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
