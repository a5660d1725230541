"""Find damage on photos of any size: window by window, at the photo's own resolution and at others, fused.

A scratch is a pixel wide in a small photo and ten in a fine scan, so a small photo is looked at enlarged, too, and each
octave of a large one, each as it is and mirrored. The most certain octave counts most, and the others' word, too: what
only looks like damage seldom does so at every size. A region is taken where something of it is certain; of specks more
is asked, or less where there are many. Needs no TensorFlow.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from cnnlg_tf.certainty import DUSTY, SPECK, thresholds
from cnnlg_tf.inference.windows import tile
from cnnlg_tf.photos import from_unit, to_unit

OVERLAP = 64  # pixels; context of a window
COARSEST = 320  # pixels; no octave's longer side is less
ENLARGED = 1024  # pixels; photos up to this are looked at twice as large, too
AGREEMENT = 0.3  # how much the mean of all octaves counts, beside the most certain one
SUREST = 12.0  # logits; a probability of 0 or 1 is taken for no more


@dataclass(frozen=True)
class Damage:
    """What was found.

    Attributes:
        probability: float32 [height, width], of each pixel being damaged.
        mask: bool [height, width], True = taken as damaged.
    """

    probability: np.ndarray
    mask: np.ndarray

    def within(self, known: np.ndarray) -> "Damage":
        """The same, but nothing found where `known`, bool [height, width], is False."""
        return Damage(np.where(known, self.probability, np.float32(0)), self.mask & known)

    @property
    def share(self) -> float:
        """Which part of the photo is taken as damaged, 0 to 1."""
        return float(self.mask.mean())

    def __str__(self) -> str:
        percent = 100.0 * self.share
        if percent == 0:
            return "no damage"
        return f"{percent:.1f} % damaged" if percent >= 0.1 else f"{percent:.1g} % damaged"


def find_damage(
    image: np.ndarray,
    look: Callable[[np.ndarray], np.ndarray],
    widest: int,
    sensitivity: float = 0.5,
) -> Damage:
    """Find damage on a photo.

    Args:
        image: float32 [height, width, 3] in [0, 1].
        look: image float32 [h, w, 3] in [0, 1] -> probability float32 [h, w], sides up to `widest`.
        widest: pixels.
        sensitivity: 0 takes what is certain, 1 all that is suspicious.

    Raises:
        ConfigError: sensitivity is out of range.
    """
    thresholds(sensitivity)  # refused before the work
    height, width = image.shape[:2]
    most = np.full((height, width), -SUREST, np.float32)
    total, count = np.zeros((height, width), np.float32), 0
    for octave in _octaves(image):
        evidence = _look(octave, look, widest)
        if octave.shape[0] > height:
            evidence = evidence.reshape(height, 2, width, 2).max(axis=(1, 3))
        elif octave.shape[0] < height:
            evidence = cv2.resize(evidence, (width, height), interpolation=cv2.INTER_LINEAR)
        np.maximum(most, evidence, out=most)
        total += evidence
        count += 1
    evidence = (1 - AGREEMENT) * most + np.float32(AGREEMENT / count) * total
    probability = 1 / (1 + np.exp(-evidence))
    return Damage(probability, marked(probability, sensitivity))


def marked(probability: np.ndarray, sensitivity: float) -> np.ndarray:
    """Which pixels are taken as damaged: those of regions that are certain somewhere (`cnnlg_tf.certainty`).

    Args:
        probability: float32 [height, width].
        sensitivity: 0 to 1.

    Returns:
        bool [height, width].
    """
    limits = thresholds(sensitivity)
    above = (probability > limits.lower).astype(np.uint8)
    count, regions, statistics, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    most = np.zeros(count, np.float32)
    inside = above > 0
    np.maximum.at(most, regions[inside], probability[inside])
    speck = statistics[:, cv2.CC_STAT_AREA] < SPECK
    many = DUSTY * max(1.0, probability.size / 1e6)
    dusty = np.count_nonzero(speck & (most > limits.counted)) >= many
    of_specks = limits.among_many if dusty else limits.lone
    certain = most > np.where(speck, of_specks, limits.higher)
    certain[0] = False  # what is above no threshold
    found: np.ndarray = certain[regions]
    return found


def overlay(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The photo, pale and red where `mask` is True: uint8 [height, width, 3]."""
    image = to_unit(pixels)
    grey = image.mean(axis=-1, keepdims=True)
    red = 0.35 * grey + 0.65 * np.array([1.0, 0.0, 0.1], np.float32)
    shown: np.ndarray = from_unit(np.where(mask[..., np.newaxis], red, image), np.dtype(np.uint8))
    return shown


def _octaves(image: np.ndarray) -> Iterator[np.ndarray]:
    """The image at twice its size if it is small, as it is, then at 1/2, 1/4, ... of its size."""
    if max(image.shape[:2]) <= ENLARGED:
        large = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        yield np.clip(large, 0.0, 1.0, dtype=np.float32)
    yield image
    while max(image.shape[:2]) // 2 >= COARSEST and min(image.shape[:2]) // 2 >= 16:
        size = (image.shape[1] // 2, image.shape[0] // 2)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        yield image


def _look(image: np.ndarray, look: Callable[[np.ndarray], np.ndarray], widest: int) -> np.ndarray:
    """The evidence for damage, in logits, window by window: float32 [height, width]."""
    height, width = image.shape[:2]
    evidence = np.zeros((height, width), np.float32)
    for window in tile(height, width, widest, min(OVERLAP, widest // 4)):
        shown = image[window.box.slices]
        mirrored = look(np.ascontiguousarray(shown[:, ::-1]))[:, ::-1]
        both = _logit(look(np.ascontiguousarray(shown))) + _logit(mirrored)
        evidence[window.core.slices] = 0.5 * both[window.core.within(window.box).slices]
    return evidence


def _logit(probability: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):  # of 0 and 1
        logit = np.log(probability) - np.log1p(-probability)
    clipped: np.ndarray = np.clip(logit, -SUREST, SUREST, dtype=np.float32)
    return clipped
