"""Damage that comes from a print's edge or lies over it: missing corners, tears, tape, faded borders."""

import math

import cv2
import numpy as np

from cnnlg_tf.data.damage.layer import (
    Floats,
    Layer,
    Rng,
    blur,
    dark,
    draw,
    jagged,
    paper,
    rough_noise,
    soft_noise,
    step,
    walk,
)


def torn(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """Corners or edges torn off, the scanner's lid or bed in their place, often with a rim of bare fibres."""
    depth = np.full((height, width), -1e3, np.float32)  # pixels into what is missing
    cell = rng.uniform(8, 40) * unit
    ragged = np.float32(rng.uniform(0.02, 0.12) * cell) * rough_noise(height, width, cell, rng, 4)
    side = math.sqrt(height * width)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        np.maximum(
            depth,
            _cut(height, width, side * math.exp(rng.uniform(math.log(0.05), math.log(0.3))), rng),
            out=depth,
        )
    depth += ragged
    missing = step(depth, rng.uniform(0.4, 1.0))
    layers = []
    if rng.random() < 0.6:
        uneven = np.clip(1 + 0.6 * soft_noise(height, width, rng.uniform(6, 25), rng), 0.1, 3)
        rim = step(depth + np.float32(rng.uniform(1.5, 7) * unit) * uneven, 1.0)
        layers.append(Layer(rim * np.float32(rng.uniform(0.7, 1.0)), paper(rng)))
    if rng.random() < 0.4:
        shade = blur(missing, rng.uniform(1, 3) * unit) * np.float32(rng.uniform(0.3, 0.8))
        layers.append(Layer(shade, gain=np.full(3, 0.4, np.float32)))
    draws = rng.random()
    level = (
        rng.uniform(225, 255)
        if draws < 0.5
        else rng.uniform(0, 40)
        if draws < 0.75
        else rng.uniform(60, 220)
    )
    bed = np.float32(level) + np.float32(rng.uniform(0, 4)) * soft_noise(
        height, width, rng.uniform(1, 8), rng
    )
    layers.append(Layer(missing, np.repeat(bed[..., None], 3, -1)))
    return layers


def _cut(height: int, width: int, reach: float, rng: Rng) -> Floats:
    """Pixels beyond a straight cut across a corner or along an edge: [height, width], negative on what stays."""
    y, x = np.ogrid[:height, :width]
    x = (x if rng.random() < 0.5 else width - 1 - x).astype(np.float32)
    y = (y if rng.random() < 0.5 else height - 1 - y).astype(np.float32)
    if rng.random() < 0.75:  # a corner
        slope = math.exp(rng.uniform(-0.8, 0.8))
        cut = (reach - x * np.float32(slope) - y / np.float32(slope)) / math.hypot(slope, 1 / slope)
    else:
        lean = rng.normal(0, 0.06)
        along, across = (x, y) if rng.random() < 0.5 else (y, x)
        cut = 0.5 * reach - across - np.float32(lean) * along
    whole: Floats = np.broadcast_to(cut, (height, width)).astype(np.float32)
    return whole


def tears(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """A rip from an edge inwards, open at the edge, white fibres on its lips and a shadow."""
    start = np.array([rng.uniform(0.1, 0.9) * width, 0.0], np.float32)
    if rng.random() < 0.5:
        start = np.array([0.0, rng.uniform(0.1, 0.9) * height], np.float32)
    angle = math.pi / 2 if start[1] == 0 else 0.0
    if rng.random() < 0.5:
        start, angle = np.array([width, height], np.float32) - start, angle + math.pi
    length = math.sqrt(height * width) * rng.uniform(0.15, 0.8)
    path = walk(start, angle + rng.normal(0, 0.5), length, rng.uniform(0.1, 0.35), 6, rng)
    path = jagged(path, 1.0, rng)
    thick = unit * rng.uniform(2, 9)
    widths = thick * np.linspace(1, 0.12, len(path) - 1)
    gap, lips = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    draw(gap, path, (widths * rng.uniform(0.2, 0.7)).tolist())
    draw(lips, path + rng.normal(0, 0.8 * unit, 2).astype(np.float32), (widths + unit).tolist())
    fibres = step(rough_noise(height, width, 4 * unit, rng) + 1.2, 0.6)
    return [
        Layer(blur(lips, 0.5) * fibres * np.float32(rng.uniform(0.7, 1.0)), paper(rng)),
        Layer(blur(gap, 0.4), paper(rng) if rng.random() < 0.4 else dark(rng)),
    ]


def tape(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """Strips of adhesive tape or its yellowed glue, half transparent, with darker ends."""
    layers = []
    for _ in range(1 if rng.random() < 0.7 else 2):
        strip, outline = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
        size = (unit * rng.uniform(40, 160), unit * rng.uniform(12, 40))
        centre = rng.uniform(0, 1, 2) * (width, height)
        box = cv2.boxPoints(((float(centre[0]), float(centre[1])), size, rng.uniform(0, 180)))
        corners = np.rint(box * 16).astype(np.int32)
        cv2.fillPoly(strip, [corners], 255, cv2.LINE_AA, 4)
        cv2.polylines(outline, [corners], True, 255, max(1, round(1.5 * unit)), cv2.LINE_AA, 4)
        uneven = 1 - np.float32(rng.uniform(0, 0.35)) * np.clip(
            soft_noise(height, width, 20, rng), 0, 1
        )
        opacity = blur(strip.astype(np.float32) / 255, rng.uniform(0.3, 1.5)) * uneven
        if rng.random() < 0.5:
            colour = np.array(
                [rng.uniform(180, 235), rng.uniform(150, 200), rng.uniform(80, 150)], np.float32
            )
            layers.append(Layer(opacity * np.float32(rng.uniform(0.5, 0.95)), colour))
        else:
            gain = np.array([rng.uniform(0.6, 0.85), rng.uniform(0.5, 0.7), rng.uniform(0.2, 0.5)])
            layers.append(
                Layer(opacity * np.float32(rng.uniform(0.7, 1.0)), gain=gain.astype(np.float32))
            )
        if rng.random() < 0.6:
            edge = blur(outline.astype(np.float32) / 255, 0.6) * np.float32(rng.uniform(0.3, 0.8))
            layers.append(Layer(edge, dark(rng) if rng.random() < 0.6 else paper(rng)))
    return layers


def borders(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """Edges that light or handling has bleached to paper, or damp has blackened, with a soft uneven front."""
    y, x = np.ogrid[:height, :width]
    nearest = np.full((height, width), 1e6, np.float32)
    for far in rng.permutation(4)[: int(rng.choice([1, 1, 2, 4]))]:
        gap = (y, x, height - 1 - y, width - 1 - x)[far]
        nearest = np.minimum(nearest, gap).astype(np.float32)
    reach = math.sqrt(height * width) * rng.uniform(0.02, 0.11)
    front = np.float32(reach) * (
        1 + np.float32(rng.uniform(0.1, 0.5)) * rough_noise(height, width, reach * 2 + 6, rng, 3)
    )
    opacity = step(front - nearest, rng.uniform(0.15, 0.7) * reach) ** np.float32(
        rng.uniform(0.7, 1.3)
    )
    colour = paper(rng) if rng.random() < 0.75 else dark(rng)
    return [Layer((opacity * rng.uniform(0.75, 1.0)).astype(np.float32), colour)]
