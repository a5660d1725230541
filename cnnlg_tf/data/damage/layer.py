"""What every kind of damage is made of: layers of opacity and paint, soft noise, and wandering lines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Rng = np.random.Generator


@dataclass(frozen=True)
class Layer:
    """Paint over a photo.

    Attributes:
        opacity: float32 [height, width] in [0, 1].
        paint: float32 [height, width, 3] or [3], colours in [0, 255] that cover the photo.
        gain: float32 [3]: what lies under `opacity` is multiplied by this before `paint` is used, when not None; then
            `paint` is not looked at: a stain darkens and does not hide.
        marks: whether what it covers counts as damage; shading beside a fold does not.
    """

    opacity: Floats
    paint: Floats = field(default_factory=lambda: np.zeros(3, np.float32))
    gain: Floats | None = None
    marks: bool = True

    def over(self, image: Floats) -> Floats:
        """The photo under this layer: float32 [height, width, 3]."""
        covering = self.paint if self.gain is None else image * self.gain
        covered: Floats = image + self.opacity[..., None] * (covering - image)
        return covered


def to_pixels(image: Floats) -> npt.NDArray[np.uint8]:
    """An image of values from 0 to 255, and some beyond, as uint8."""
    pixels: npt.NDArray[np.uint8] = np.rint(np.clip(image, 0, 255)).astype(np.uint8)
    return pixels


def soft_noise(height: int, width: int, cell: float, rng: Rng) -> Floats:
    """Smooth noise of mean 0 and deviation near 1, whose bumps are about `cell` pixels: [height, width]."""
    rows, columns = (max(2, math.ceil(side / cell) + 3) for side in (height, width))
    grid = rng.standard_normal((rows, columns), np.float32)
    large = cv2.resize(
        grid,
        (math.ceil(columns * cell), math.ceil(rows * cell)),
        interpolation=cv2.INTER_CUBIC,
    )
    top, left = (int(rng.integers(0, max(1, int(cell)))) for _ in range(2))
    cut: Floats = large[top : top + height, left : left + width]
    if cut.shape != (height, width):
        cut = cv2.resize(cut, (width, height))
    return cut * np.float32(1.35)


def rough_noise(height: int, width: int, cell: float, rng: Rng, octaves: int = 3) -> Floats:
    """Noise of several sizes from `cell` down, each half as large and .6 as strong: [height, width]."""
    total, strength = np.zeros((height, width), np.float32), 1.0
    for _ in range(octaves):
        total += np.float32(strength) * soft_noise(height, width, max(1.0, cell), rng)
        cell, strength = cell / 2, strength * 0.6
    return total


def step(x: Floats, softness: float) -> Floats:
    """0 below, 1 above zero, over a ramp of `softness` both ways."""
    ramp: Floats = np.clip(0.5 + x * np.float32(0.5 / max(softness, 1e-3)), 0.0, 1.0)
    return ramp


def walk(start: Any, angle: float, length: float, wander: float, stride: float, rng: Rng) -> Floats:
    """A wandering path from `start` (x, y): [points, 2]; `wander` in radians a stride."""
    strides = max(2, round(length / stride))
    angles = angle + np.cumsum(rng.normal(0.0, wander, strides))
    moves = stride * np.stack([np.cos(angles), np.sin(angles)], -1)
    path: Floats = np.vstack([[start], np.asarray(start) + np.cumsum(moves, 0)]).astype(np.float32)
    return path


def jagged(path: Floats, amount: float, rng: Rng) -> Floats:
    """The path with each point moved by up to `amount` pixels."""
    moved: Floats = path + rng.normal(0.0, amount, path.shape).astype(np.float32)
    return moved


def draw(
    canvas: Floats, path: Floats, width: float | Sequence[float], strength: float = 1.0
) -> None:
    """Draw a smooth-edged path into `canvas` [height, width]; widths under a pixel draw faintly."""
    widths = [width] * (len(path) - 1) if isinstance(width, int | float) else list(width)
    painted = np.zeros(canvas.shape, np.uint8)
    at = 0
    while at < len(widths):
        until = at + 1
        while until < len(widths) and round(widths[until]) == round(widths[at]):
            until += 1
        _paint(painted, [path[at : until + 1]], widths[at])
        at = until
    np.maximum(canvas, painted.astype(np.float32) * np.float32(strength / 255), out=canvas)


def draw_all(canvas: Floats, paths: Sequence[Floats], width: float) -> None:
    """Draw many paths of one width, for which `draw` would go through all of the canvas once each."""
    painted = np.zeros(canvas.shape, np.uint8)
    _paint(painted, paths, width)
    np.maximum(canvas, painted.astype(np.float32) / 255, out=canvas)


def _paint(painted: npt.NDArray[np.uint8], paths: Sequence[Floats], width: float) -> None:
    points = [np.rint(np.clip(path, -3000, 6000) * 16).astype(np.int32) for path in paths]
    value = min(1.0, max(width, 0.25))
    cv2.polylines(
        painted, points, False, int(255 * value), max(1, round(width)), cv2.LINE_AA, shift=4
    )


def blur(x: Floats, sigma: float) -> Floats:
    """Gaussian blur; none under a fifth of a pixel."""
    blurred: Floats = x if sigma < 0.2 else cv2.GaussianBlur(x, (0, 0), sigma)
    return blurred


def place(height: int, width: int, rng: Rng, margin: float = 0.0) -> Floats:
    """A random point (x, y), up to `margin` of each side inside."""
    inside = rng.uniform(margin, 1.0 - margin, 2) * (width, height)
    return inside.astype(np.float32)


def paper(rng: Rng) -> Floats:
    """A colour [3] of bare paper or base: near white, often a little yellow."""
    level = rng.uniform(185, 255)
    yellow = rng.uniform(0, 35) if rng.random() < 0.6 else 0.0
    return np.array([level, level - 0.4 * yellow, level - yellow], np.float32)


def dark(rng: Rng) -> Floats:
    """A colour [3] of dirt or ink: near black, often a little brown."""
    level = rng.uniform(0, 60)
    brown = rng.uniform(0, 40) if rng.random() < 0.5 else 0.0
    return np.array([level + brown, level + 0.6 * brown, level + 0.2 * brown], np.float32)


def tint(rng: Rng) -> Floats:
    """Any colour [3]."""
    return rng.uniform(0, 255, 3).astype(np.float32)
