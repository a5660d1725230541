"""Visible damage for blind repair: how scratches, stains and overpainting look in a hole."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from cnnlg_tf.data.source import Pixels

Floats = npt.NDArray[np.float32]
_Paint = Callable[[Pixels, Pixels, np.random.Generator], Floats]


def paint_damage(image: Pixels, mask: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    """Paint damage into the hole.

    Args:
        image: uint8 [height, width, 3].
        mask: uint8 [height, width], 1 = missing.
        other: uint8 [height, width, 3], another image, whose blurred texture may cover the hole.
        rng: chooses the kind of damage and its look.

    Returns:
        uint8 [height, width, 3]; outside the hole it equals `image` bit for bit.
    """
    paint = _PAINTS[rng.choice(len(_PAINTS), p=_SHARES)][0]
    covered = paint(image, other, rng)
    blended = image + _opacity(mask, rng)[..., None] * (covered - image)
    return np.rint(blended).clip(0, 255).astype(np.uint8)


def _opacity(mask: Pixels, rng: np.random.Generator) -> Floats:
    """[height, width] in [0, 1], zero outside the hole: most damage thins out towards its edge over 1 to 6 pixels.

    Each spot is densest at its own middle, however narrow it is, and faint at its edge.
    """
    opaque = mask.astype(np.float32)
    if rng.random() < 0.3:
        return opaque
    if rng.random() < 0.3:
        opaque *= np.float32(rng.uniform(0.5, 1.0))
    reach = int(rng.integers(1, 7))
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    around = np.ones((2 * reach + 1,) * 2, np.uint8)
    middle = np.minimum(cv2.dilate(depth, around), reach + 0.5)  # the depth where it is opaque
    faintest = rng.uniform(0.1, 0.5)
    ramp = faintest + (1.0 - faintest) * np.minimum(1.0, depth / np.maximum(middle, 0.5))
    soft: Floats = (opaque * ramp ** rng.uniform(0.7, 1.5)).astype(np.float32)
    return soft


def _flat(image: Pixels, other: Pixels, rng: np.random.Generator) -> Floats:
    return _filled(image, _foreign_colour(image, rng))


def _extreme(image: Pixels, other: Pixels, rng: np.random.Generator) -> Floats:
    """Near white or black: scratched emulsion, ink, burnt-out spots."""
    level = rng.uniform(0, 25)
    return _filled(image, np.float32(level if rng.random() < 0.4 else 255 - level))


def _noise(image: Pixels, other: Pixels, rng: np.random.Generator) -> Floats:
    """Grains of 1 to 6 pixels, coloured or grey, around a colour."""
    height, width = image.shape[:2]
    grain = int(rng.integers(1, 7))
    channels = 3 if rng.random() < 0.5 else 1
    shape = (-(-height // grain), -(-width // grain), channels)
    grains = rng.standard_normal(shape, np.float32) * np.float32(rng.uniform(30, 110))
    noise = cv2.resize(grains, (width, height), interpolation=cv2.INTER_NEAREST)
    covered: Floats = _foreign_colour(image, rng) + noise.reshape(height, width, channels)
    return covered


def _texture(image: Pixels, other: Pixels, rng: np.random.Generator) -> Floats:
    """Something else's blurred look: a patch pasted over, a bad earlier repair."""
    blurred: Floats = cv2.GaussianBlur(other, (0, 0), rng.uniform(0.5, 5.0)).astype(np.float32)
    return blurred


def _tint(image: Pixels, other: Pixels, rng: np.random.Generator) -> Floats:
    """A half-transparent stain: the photo still shows through."""
    strength = np.float32(rng.uniform(0.5, 0.85))
    return image + strength * (_foreign_colour(image, rng) - image)


def _scribble(image: Pixels, other: Pixels, rng: np.random.Generator) -> Floats:
    """A colour written over with another, as in captions, stamps and graffiti."""
    paint = np.rint(_filled(image, _foreign_colour(image, rng))).astype(np.uint8)
    ink = rng.integers(0, 256, 3).tolist()
    height, width = image.shape[:2]
    size = rng.uniform(0.25, 0.7) * max(1.0, min(height, width) / 128)
    row = int(22 * size)
    while row < height + 22 * size:
        text = bytes(rng.integers(33, 127, 24, np.uint8)).decode("ascii")
        at = (-int(rng.integers(0, 20)), row)
        cv2.putText(paint, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, ink, int(rng.integers(1, 3)))
        row += max(4, int(30 * size))
    return paint.astype(np.float32)


def _filled(image: Pixels, colour: Floats | np.float32) -> Floats:
    filled = np.empty(image.shape, np.float32)
    filled[:] = colour
    return filled


def _foreign_colour(image: Pixels, rng: np.random.Generator) -> Floats:
    """A random colour [3] that the photo's mean does not hide: the farthest of four."""
    colours = rng.uniform(0, 255, (4, 3)).astype(np.float32)
    mean = image[::4, ::4].mean((0, 1), dtype=np.float32)
    farthest: Floats = colours[np.abs(colours - mean).sum(1).argmax()]
    return farthest


_PAINTS: list[tuple[_Paint, float]] = [
    (_flat, 0.15),
    (_extreme, 0.45),  # most of what film and paper suffer, and hard to tell from highlights
    (_noise, 0.1),
    (_texture, 0.1),
    (_tint, 0.1),
    (_scribble, 0.1),
]
_SHARES = [share for _, share in _PAINTS]
