"""Damage in spots: dust, blots, stains, mould, emulsion that came off."""

import math

import cv2
import numpy as np

from cnnlg_tf.data.damage.layer import (
    Floats,
    Layer,
    Rng,
    blur,
    dark,
    paper,
    place,
    rough_noise,
    soft_noise,
    step,
    tint,
)


def _blob(
    height: int, width: int, centre: Floats, radius: float, ragged: float, rng: Rng
) -> Floats:
    """Depth inside an irregular spot, about 1 at its middle, 0 at its edge, negative outside: [height, width]."""
    y, x = np.ogrid[:height, :width]
    stretch, turn = rng.uniform(0.55, 1.0), rng.uniform(0, math.pi)
    dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
    along = np.float32(math.cos(turn)) * dx + np.float32(math.sin(turn)) * dy
    across = np.float32(math.cos(turn)) * dy - np.float32(math.sin(turn)) * dx
    far = np.sqrt(along**2 + (across / np.float32(stretch)) ** 2) / np.float32(radius)
    depth: Floats = (
        1.0 - far + np.float32(ragged) * rough_noise(height, width, max(3.0, radius * 0.7), rng)
    )
    return depth.astype(np.float32)


def _dots(
    height: int,
    width: int,
    count: int,
    sizes: tuple[float, float],
    centre: Floats | None,
    spread: float,
    rng: Rng,
) -> Floats:
    """Many small ellipses with smooth edges, around `centre` or everywhere: opacity [height, width]."""
    canvas = np.zeros((height, width), np.uint8)
    for _ in range(count):
        at = place(height, width, rng) if centre is None else centre + rng.normal(0, spread, 2)
        size = float(np.exp(rng.uniform(math.log(sizes[0]), math.log(sizes[1]))))
        axes = (max(3, round(8 * size)), max(3, round(8 * size * rng.uniform(0.35, 1.0))))
        spot = (round(float(at[0]) * 16), round(float(at[1]) * 16))
        value = int(255 * rng.uniform(0.6, 1.0))
        cv2.ellipse(canvas, spot, axes, rng.uniform(0, 180), 0, 360, value, -1, cv2.LINE_AA, 4)
    return canvas.astype(np.float32) / np.float32(255)


def dust(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """Specks of 1 to 5 pixels, strewn or in swarms, mostly light."""
    layers = []
    area = height * width / 2e4
    for _ in range(int(rng.integers(1, 3))):
        count = 1 + int(
            rng.poisson(area * math.exp(rng.uniform(math.log(1.5), math.log(30))) / unit)
        )
        centre = place(height, width, rng) if rng.random() < 0.4 else None
        spread = rng.uniform(0.08, 0.3) * math.sqrt(height * width)
        opacity = _dots(
            height,
            width,
            min(count, 400),
            (0.7 * unit, rng.uniform(1.5, 4.5) * unit),
            centre,
            spread,
            rng,
        )
        opacity = blur(opacity, rng.uniform(0.0, 0.7)) * np.float32(rng.uniform(0.7, 1.0))
        layers.append(Layer(opacity, paper(rng) if rng.random() < 0.65 else dark(rng)))
    return layers


def blots(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """Opaque blots with droplets around: ink, paint, glue."""
    opacity = np.zeros((height, width), np.float32)
    soft = rng.uniform(0.03, 0.25)
    for _ in range(int(rng.integers(1, 4))):
        centre, radius = (
            place(height, width, rng),
            unit * math.exp(rng.uniform(math.log(4), math.log(38))),
        )
        depth = _blob(height, width, centre, radius, rng.uniform(0.08, 0.4), rng)
        np.maximum(opacity, step(depth, soft), out=opacity)
        if rng.random() < 0.5:
            drops = _dots(
                height,
                width,
                int(rng.integers(3, 25)),
                (0.8 * unit, 4 * unit),
                centre,
                1.6 * radius,
                rng,
            )
            np.maximum(opacity, drops, out=opacity)
    opacity *= np.float32(rng.uniform(0.65, 1.0))
    draws = rng.random()
    colour = dark(rng) if draws < 0.45 else paper(rng) if draws < 0.75 else tint(rng)
    return [Layer(opacity, colour)]


def stains(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """Tea, water, rust: they darken and tint without hiding, often with a darker rim."""
    layers = []
    for _ in range(1 if rng.random() < 0.6 else 2):
        radius = unit * math.exp(rng.uniform(math.log(10), math.log(60)))
        depth = _blob(height, width, place(height, width, rng), radius, rng.uniform(0.1, 0.35), rng)
        inside = step(depth, rng.uniform(0.04, 0.3))
        rim = np.exp(-((depth / np.float32(rng.uniform(0.05, 0.15))) ** 2)) * np.float32(
            rng.uniform(0.0, 1.0)
        )
        patchy = 1.0 - np.float32(rng.uniform(0, 0.4)) * np.clip(
            soft_noise(height, width, radius, rng), 0, 1
        )
        body = rng.uniform(0.4, 1.0)
        opacity = np.clip(body * inside * patchy + rim * step(depth + 0.15, 0.15), 0.0, 1.0)
        deepest = rng.uniform(0.25, 0.65)
        brown = np.array([1.0, rng.uniform(0.75, 1.0), rng.uniform(0.4, 1.0)])
        grey = np.full(3, 1.0)
        hue = brown if rng.random() < 0.7 else grey
        layers.append(Layer(opacity.astype(np.float32), gain=(deepest * hue).astype(np.float32)))
    return layers


def mould(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """Swarms of soft round spots: mould and foxing, dark, brown, green or pale."""
    opacity = np.zeros((height, width), np.float32)
    side = math.sqrt(height * width)
    for _ in range(int(rng.integers(1, 4))):
        count = int(rng.integers(4, 40))
        sizes = (1.2 * unit, rng.uniform(3, 9) * unit)
        swarm = _dots(
            height,
            width,
            count,
            sizes,
            place(height, width, rng),
            rng.uniform(0.05, 0.2) * side,
            rng,
        )
        np.maximum(opacity, swarm, out=opacity)
    ragged = rough_noise(height, width, 3 * unit, rng, 2)
    opacity = blur(opacity, rng.uniform(0.4, 1.6) * unit)
    opacity = np.clip(opacity * (1.2 + np.float32(0.35) * ragged), 0, 1) * np.float32(
        rng.uniform(0.6, 1.0)
    )
    draws = rng.random()
    if draws < 0.3:
        return [Layer(opacity, paper(rng))]
    if draws < 0.6:
        brown = np.array(
            [rng.uniform(90, 160), rng.uniform(60, 110), rng.uniform(20, 70)], np.float32
        )
        return [Layer(opacity, brown)]
    if draws < 0.8:
        green = np.array(
            [rng.uniform(30, 90), rng.uniform(50, 110), rng.uniform(20, 70)], np.float32
        )
        return [Layer(opacity, green)]
    return [Layer(opacity, dark(rng))]


def flakes(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """Emulsion that came off or was rubbed off: ragged bare patches with a shaded edge."""
    radius = unit * math.exp(rng.uniform(math.log(8), math.log(70)))
    depth = _blob(height, width, place(height, width, rng), radius, 0.25, rng)
    rough = rough_noise(height, width, rng.uniform(4, 20) * unit, rng, 4)
    bare = step(np.minimum(depth * 2.5, rough - rng.uniform(-0.6, 1.0)), rng.uniform(0.05, 0.25))
    opacity = bare * np.float32(rng.uniform(0.7, 1.0))
    layers = []
    if rng.random() < 0.5:
        shade = np.clip(blur(bare, rng.uniform(0.8, 2.0) * unit) - bare, 0, 1) * np.float32(
            rng.uniform(0.5, 1.2)
        )
        layers.append(Layer(np.clip(shade, 0, 1), gain=np.full(3, 0.35, np.float32)))
    colour = paper(rng) if rng.random() < 0.8 else dark(rng)
    grain = np.float32(rng.uniform(0, 9)) * soft_noise(height, width, rng.uniform(1, 4), rng)
    return [*layers, Layer(opacity, colour + grain[..., None])]
