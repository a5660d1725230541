"""Procedural images to train on without any data: dead leaves with textures, lines and text.

Opaque shapes of power-law sizes that hide one another have the edges, scales and occlusions of
photos (the dead-leaves model); what is painted on them has the stripes, grain, gradients and
lettering that a repair must go on with.
"""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from cnnlg_tf.data.source import CachedSource, Pixels

Floats = npt.NDArray[np.float32]

_CACHE_MEGABYTES = 512
_SMALLEST, _LARGEST = 0.05, 0.6  # Radii of leaves, as fractions of the side.
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 "


class SyntheticImages(CachedSource):
    """`length` dead-leaves images, uint8 [size, size, 3], each set by (seed, index, size)."""

    def __init__(self, length: int, size: int, seed: int) -> None:
        super().__init__("synthetic images", _CACHE_MEGABYTES)
        self.size = size
        self._length = length
        self._seed = seed

    def __len__(self) -> int:
        return self._length

    def _name(self, index: int) -> str:
        return f"synthetic image {index}"

    def _decode(self, index: int) -> Pixels:
        rng = np.random.default_rng([self._seed % 2**32, index % self._length])
        return dead_leaves(self.size, rng)


def dead_leaves(size: int, rng: np.random.Generator) -> Pixels:
    """One image uint8 RGB [size, size, 3]."""
    palette = _palette(rng)
    canvas = _texture(size, size, size, palette, rng)
    for _ in range(int(rng.integers(20, 70))):
        _leaf(canvas, palette, rng)
    for _ in range(int(rng.integers(0, 5))):
        _line(canvas, palette, rng)
    for _ in range(int(rng.integers(0, 3))):
        _text(canvas, palette, rng)
    if rng.random() < 0.5:  # Lenses blur a little, sensors add grain.
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 0.9))
    canvas += rng.standard_normal(canvas.shape, np.float32) * np.float32(rng.uniform(0, 0.012))
    image: Pixels = np.rint(canvas.clip(0, 1) * 255).astype(np.uint8)
    return image


def _palette(rng: np.random.Generator) -> Floats:
    """Colours [8, 3] in [0, 1] around a few hues, as in one scene under one light."""
    hues = rng.uniform(0, 180) + rng.normal(0, rng.uniform(8, 60), 8)
    saturation = rng.beta(1.3, 3.5, 8) * 255
    value = rng.uniform(30, 255, 8)
    hsv = np.stack([hues % 180, saturation, value], -1).astype(np.uint8)[None]
    colours: Floats = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0].astype(np.float32) / 255
    return colours


def _leaf(canvas: Floats, palette: Floats, rng: np.random.Generator) -> None:
    """Paint one opaque textured shape.

    Radii follow the density r^-2: flatter than the scale-free r^-3, whose many specks leave large
    shapes too rare in a small image.
    """
    size = canvas.shape[0]
    radius = max(2.0, size / rng.uniform(1 / _LARGEST, 1 / _SMALLEST))
    centre = rng.uniform(0, size, 2)
    left, top = np.maximum(np.floor(centre - radius), 0).astype(int)
    right, bottom = np.minimum(np.ceil(centre + radius) + 1, size).astype(int)
    width, height = right - left, bottom - top
    shape = np.zeros((height, width), np.uint8)
    outline = centre - (left, top) + radius * _outline(rng)
    # Coordinates with 4 fractional bits and an anti-aliased edge.
    cv2.fillPoly(shape, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    alpha = shape[..., None].astype(np.float32) / 255
    patch = canvas[top:bottom, left:right]
    patch += alpha * (_texture(height, width, 2 * radius, palette, rng) - patch)


def _outline(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Corners [n, 2] of a shape inside the unit disc: an ellipse, a rectangle or a polygon."""
    turn = rng.uniform(0, 2 * np.pi)
    kind = rng.random()
    if kind < 0.4:
        angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        corners = np.stack([np.cos(angles), np.sin(angles) * rng.uniform(0.4, 1)], -1)
    elif kind < 0.7:
        aspect = rng.uniform(0.15, np.pi / 4)
        angles = np.array([aspect, np.pi - aspect, np.pi + aspect, -aspect])
        corners = np.stack([np.cos(angles), np.sin(angles)], -1)
    else:
        count = int(rng.integers(3, 9))
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        reach = rng.uniform(0.5, 1, count)[:, None]
        corners = reach * np.stack([np.cos(angles), np.sin(angles)], -1)
    cos, sin = np.cos(turn), np.sin(turn)
    turned: npt.NDArray[np.float64] = corners @ np.array([[cos, sin], [-sin, cos]])
    return turned


def _texture(
    height: int, width: int, extent: float, palette: Floats, rng: np.random.Generator
) -> Floats:
    """A shaded texture [height, width, 3] of two colours; `extent` is its coarsest scale."""
    first, second = palette[rng.integers(len(palette), size=2)]
    second = first + np.float32(rng.uniform(0.2, 1.0)) * (second - first)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    turn = rng.uniform(0, 2 * np.pi)
    along = np.float32(np.cos(turn)) * x + np.float32(np.sin(turn)) * y
    across = np.float32(np.cos(turn)) * y - np.float32(np.sin(turn)) * x
    pattern = _PATTERNS[rng.choice(len(_PATTERNS), p=_PATTERN_SHARES)][0]
    weight = pattern(along, across, extent, rng)[..., None]
    shade = 1 + np.float32(rng.normal(0, 0.25)) * (along / np.float32(extent))[..., None]
    shaded: Floats = (first + weight * (second - first)) * shade
    return shaded


# Patterns: coordinates in pixels [height, width] -> the second colour's weight, about 0 to 1.


def _plain(along: Floats, across: Floats, extent: float, rng: np.random.Generator) -> Floats:
    return np.zeros_like(along)


def _gradient(along: Floats, across: Floats, extent: float, rng: np.random.Generator) -> Floats:
    ramp: Floats = along / np.float32(extent)
    ramp -= ramp.min()
    return ramp


def _stripes(along: Floats, across: Floats, extent: float, rng: np.random.Generator) -> Floats:
    return _wave(along, _period(extent, rng), rng)


def _checks(along: Floats, across: Floats, extent: float, rng: np.random.Generator) -> Floats:
    period = _period(extent, rng)
    first, second = _wave(along, period, rng), _wave(across, period * rng.uniform(0.5, 2), rng)
    either: Floats = first + second - 2 * first * second  # Soft exclusive or.
    return either


def _bricks(along: Floats, across: Floats, extent: float, rng: np.random.Generator) -> Floats:
    length = _period(extent, rng) + 4
    course = length * rng.uniform(0.3, 0.6)
    row = np.floor(across / course)
    joint = np.minimum(across / course - row, ((along / length + row / 2) % 1) * length / course)
    mortar: Floats = (joint < max(0.12, 1 / course)).astype(np.float32)
    return mortar


def _grain(along: Floats, across: Floats, extent: float, rng: np.random.Generator) -> Floats:
    """Noise of several octaves, the finer the weaker, stretched along one axis."""
    height, width = along.shape
    total = np.full(along.shape, 0.5, np.float32)
    falloff, stretch = rng.uniform(0.4, 0.95), 2 ** rng.uniform(-2, 2)
    strength, cell = 0.35, max(2.0, extent * rng.uniform(0.1, 0.5))
    while cell >= 1:
        rows = max(2, round(height / cell / stretch) + 1)
        columns = max(2, round(width / cell * stretch) + 1)
        rows, columns = min(rows, height + 1), min(columns, width + 1)
        noise = rng.standard_normal((rows, columns), np.float32)
        total += np.float32(strength) * cv2.resize(noise, (width, height), interpolation=1)
        strength, cell = strength * falloff, cell / 2
    return total


def _period(extent: float, rng: np.random.Generator) -> float:
    """Pixels from one stripe to the next: from 3 pixels to half the extent, each octave alike."""
    return float(np.exp(rng.uniform(np.log(3.0), np.log(max(4.0, extent / 2)))))


def _wave(position: Floats, period: float, rng: np.random.Generator) -> Floats:
    """Soft to hard-edged stripes in [0, 1]."""
    wave = np.sin(position * np.float32(2 * np.pi / period) + np.float32(rng.uniform(0, 6.28)))
    steepness = np.float32(rng.choice([0.5, 1.5, 4.0]))
    stripes: Floats = (0.5 + steepness * wave).clip(0, 1)
    return stripes


def _line(canvas: Floats, palette: Floats, rng: np.random.Generator) -> None:
    """A straight or bent line across the image: wires, horizons, branches."""
    size = canvas.shape[0]
    start, end = rng.uniform(-0.1, 1.1, (2, 2)) * size
    time = np.linspace(0, 1, 24)[:, None]
    bend = rng.normal(0, 0.15, 2) * size * (rng.random() < 0.5)
    points = start + time * (end - start) + np.sin(np.pi * time) * bend
    thickness = 1 + int(rng.exponential(size / 100))
    _stroke(canvas, np.rint(points * 16).astype(np.int32), thickness, palette, rng)


def _stroke(
    canvas: Floats,
    points: npt.NDArray[np.int32],
    thickness: int,
    palette: Floats,
    rng: np.random.Generator,
) -> None:
    shape = np.zeros(canvas.shape[:2], np.uint8)
    cv2.polylines(shape, [points], False, 255, thickness, cv2.LINE_AA, 4)
    colour = palette[rng.integers(len(palette))]
    canvas += shape[..., None].astype(np.float32) / 255 * (colour - canvas)


def _text(canvas: Floats, palette: Floats, rng: np.random.Generator) -> None:
    """A few lines of letters, as on signs and labels."""
    size = canvas.shape[0]
    shape = np.zeros(canvas.shape[:2], np.uint8)
    scale = rng.uniform(0.3, 1.3) * size / 160
    font = int(rng.choice(_FONTS))
    x, y = int(rng.uniform(-0.1, 0.7) * size), int(rng.uniform(0.1, 1) * size)
    for line in range(int(rng.integers(1, 4))):
        text = "".join(rng.choice(list(_LETTERS), int(rng.integers(3, 12))))
        at = (x, y + int(line * 34 * scale))
        cv2.putText(shape, text, at, font, scale, 255, 1 + round(scale), cv2.LINE_AA)
    colour = palette[rng.integers(len(palette))]
    canvas += shape[..., None].astype(np.float32) / 255 * (colour - canvas)


_Pattern = Callable[[Floats, Floats, float, np.random.Generator], Floats]
_PATTERNS: list[tuple[_Pattern, float]] = [
    (_plain, 0.15),
    (_gradient, 0.15),
    (_stripes, 0.15),
    (_checks, 0.1),
    (_bricks, 0.1),
    (_grain, 0.35),
]
_PATTERN_SHARES = [share for _, share in _PATTERNS]
