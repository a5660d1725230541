"""Damage that runs in lines: cracks, folds, scratches, hairs, pen strokes."""

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
    place,
    rough_noise,
    soft_noise,
    step,
    tint,
    walk,
)


def cracks(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """Branching cracks with a bright core and, mostly, a dark edge on one side; or a fine net of them."""
    core = np.zeros((height, width), np.float32)
    if rng.random() < 0.25:
        _net(core, unit, rng)
    else:
        side = math.sqrt(height * width)
        for _ in range(int(rng.integers(1, 4))):
            start = place(height, width, rng)
            if rng.random() < 0.6:  # most run in from an edge
                start[int(rng.integers(2))] = 0.0
            angle = rng.uniform(0, 2 * math.pi)
            _branch(
                core,
                start,
                angle,
                side * rng.uniform(0.3, 1.3),
                unit * rng.uniform(0.8, 3.5),
                3,
                rng,
            )
    core = blur(core, rng.uniform(0.0, 0.6))
    fading = step(soft_noise(height, width, rng.uniform(15, 60), rng) + rng.uniform(0.6, 2.0), 0.5)
    opacity = core * fading * np.float32(rng.uniform(0.6, 1.0))
    bright = rng.random() < 0.85
    layers = []
    if rng.random() < (0.7 if bright else 0.2):
        away = rng.uniform(-1.5, 1.5, 2) * unit
        edge = blur(_moved(core, away), 0.5 * unit) * fading
        shade = np.clip(edge - 0.6 * opacity, 0.0, 1.0) * np.float32(rng.uniform(0.4, 0.9))
        layers.append(Layer(shade, gain=np.full(3, rng.uniform(0.2, 0.6), np.float32)))
    layers.append(Layer(opacity, paper(rng) if bright else dark(rng)))
    return layers


def _branch(
    core: Floats, start: Floats, angle: float, length: float, thick: float, depth: int, rng: Rng
) -> None:
    stride = rng.uniform(4, 12)
    path = walk(start, angle, length, rng.uniform(0.08, 0.4), stride, rng)
    path = jagged(path, rng.uniform(0.0, 1.5), rng)
    ends = np.linspace(1.0, rng.uniform(0.2, 0.8), len(path) - 1)
    uneven = np.exp(rng.normal(0, 0.25, len(path) - 1))
    draw(core, path, (thick * ends * uneven).tolist())
    if depth == 0:
        return
    for _ in range(int(rng.poisson(length / 90))):
        at = int(rng.integers(0, len(path) - 1))
        turned = angle + rng.choice([-1, 1]) * rng.uniform(0.3, 1.3)
        _branch(
            core, path[at], turned, length * rng.uniform(0.15, 0.5), thick * 0.7, depth - 1, rng
        )


def _net(core: Floats, unit: float, rng: Rng) -> None:
    """Craquelure: the borders between cells around scattered points, within a patch."""
    height, width = core.shape
    cell = rng.uniform(9, 34) * unit
    seeds = np.full((height, width), 255, np.uint8)
    count = max(4, round(height * width / cell**2))
    seeds[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
    _, labels = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    y, x = np.mgrid[:height, :width].astype(np.float32)
    bend = np.float32(0.12 * cell)
    x += bend * soft_noise(height, width, 0.5 * cell + 2, rng)
    y += bend * soft_noise(height, width, 0.5 * cell + 2, rng)
    cells = cv2.remap(
        labels.astype(np.float32), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT
    )
    border = np.zeros((height, width), np.float32)
    border[:, 1:] = cells[:, 1:] != cells[:, :-1]
    border[1:] = np.maximum(border[1:], cells[1:] != cells[:-1])
    thick = rng.uniform(0.7, 1.8) * unit
    net = np.clip(2.2 * thick**0.5 * blur(border, 0.45 * thick), 0, 1)
    patch = step(soft_noise(height, width, rng.uniform(40, 150), rng) + rng.uniform(-0.3, 1.0), 0.6)
    np.maximum(core, net * patch, out=core)


def _moved(x: Floats, away: Floats) -> Floats:
    matrix = np.array([[1, 0, away[0]], [0, 1, away[1]]], np.float32)
    moved: Floats = cv2.warpAffine(x, matrix, (x.shape[1], x.shape[0]))
    return moved


def folds(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """Nearly straight creases from edge to edge: a broken, flaky core amid soft light and shade."""
    layers: list[Layer] = []
    for _ in range(1 if rng.random() < 0.7 else 2):
        through, angle = place(height, width, rng, 0.1), rng.uniform(0, math.pi)
        if rng.random() < 0.6:  # prints are folded along their sides
            angle = rng.choice([0.0, math.pi / 2]) + rng.normal(0, 0.06)
        reach = math.hypot(height, width)
        start = through - reach * np.array([math.cos(angle), math.sin(angle)])
        path = walk(start, angle, 2 * reach, rng.uniform(0.0, 0.012), 10, rng)
        line = np.zeros((height, width), np.float32)
        thick = unit * rng.uniform(1.0, 4.0)
        draw(line, jagged(path, rng.uniform(0, 0.5), rng), thick)
        band = np.zeros((height, width), np.float32)
        draw(
            band, path + rng.normal(0, 1.5 * unit, 2).astype(np.float32), thick * rng.uniform(3, 8)
        )
        band = blur(band, thick * rng.uniform(0.8, 2.0)) * np.float32(rng.uniform(0.05, 0.3))
        light = rng.random() < 0.5
        layers.append(Layer(band, paper(rng) if light else dark(rng), marks=False))
        wide = np.zeros((height, width), np.float32)
        draw(wide, path, thick * rng.uniform(1.5, 3.5))
        flaking = rough_noise(height, width, rng.uniform(3, 9) * unit, rng)
        flakes = blur(wide, 0.6) * step(flaking - rng.uniform(0.3, 1.4), 0.4)
        whole = line * step(flaking + rng.uniform(0.2, 2.0), 0.5)
        opacity = np.maximum(whole, flakes) * np.float32(rng.uniform(0.55, 1.0))
        bright = rng.random() < 0.75
        layers.append(
            Layer(blur(opacity, rng.uniform(0.2, 0.7)), paper(rng) if bright else dark(rng))
        )
    return layers


def scratches(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """One scratch or many nearly parallel ones, light or dark, of 1 to 6 pixels, whole or broken."""
    opacity = np.zeros((height, width), np.float32)
    many = rng.random() < 0.45
    angle = rng.uniform(0, 2 * math.pi)
    if rng.random() < 0.3:  # film runs through its gate one way
        angle = math.pi / 2 + rng.normal(0, 0.02)
    spread = rng.choice([0.01, 0.08, 0.4])
    heart, side = place(height, width, rng), math.sqrt(height * width)
    thick = unit * (rng.uniform(1, 6) if rng.random() < 0.3 and not many else rng.uniform(0.8, 2.5))
    for _ in range(int(rng.integers(3, 16)) if many else int(rng.integers(1, 4))):
        start = heart + rng.normal(0, 0.2 * side, 2) if many else place(height, width, rng)
        length = side * (rng.uniform(0.05, 0.6) if many else rng.uniform(0.2, 1.8))
        own = angle + rng.normal(0, spread)
        start = start - 0.5 * length * np.array([math.cos(own), math.sin(own)])
        path = walk(start, own, length, rng.choice([0.0, 0.01, 0.05]), 8, rng)
        taper = np.sin(np.linspace(0.15, math.pi - 0.15, len(path) - 1)) ** 0.5
        draw(opacity, path, (thick * rng.uniform(0.6, 1.0) * taper).tolist(), rng.uniform(0.6, 1.0))
    if rng.random() < 0.5:
        along = soft_noise(height, width, rng.uniform(4, 30), rng)
        opacity *= step(along + rng.uniform(0.2, 1.5), 0.4)
    opacity = blur(opacity, rng.uniform(0.0, 0.7)) * np.float32(rng.uniform(0.6, 1.0))
    draws = rng.random()
    colour = paper(rng) if draws < 0.6 else dark(rng) if draws < 0.9 else tint(rng)
    return [Layer(opacity, colour)]


def hairs(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """Curled hairs and lint, thin and smooth, light or dark."""
    opacity = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        stride, curl = rng.uniform(2, 5) * unit, rng.uniform(0.0, 0.12)
        length = rng.uniform(15, 130) * unit
        count = max(4, round(length / stride))
        bend = rng.normal(0, curl) + np.cumsum(rng.normal(0, 0.05, count))
        angles = rng.uniform(0, 2 * math.pi) + np.cumsum(np.clip(bend, -0.6, 0.6))
        moves = stride * np.stack([np.cos(angles), np.sin(angles)], -1)
        path = (place(height, width, rng) + np.cumsum(moves, 0)).astype(np.float32)
        draw(opacity, path, unit * rng.uniform(0.8, 2.2), rng.uniform(0.7, 1.0))
    opacity = blur(opacity, rng.uniform(0.2, 0.8)) * np.float32(rng.uniform(0.6, 1.0))
    return [Layer(opacity, paper(rng) if rng.random() < 0.5 else dark(rng))]


def pen(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """Ink: pen strokes, scribbles, crossings-out, marker; one colour that covers nearly all."""
    opacity = np.zeros((height, width), np.float32)
    thick = unit * (rng.uniform(1.2, 4) if rng.random() < 0.6 else rng.uniform(4, 14))
    for _ in range(int(rng.integers(1, 5))):
        count = int(rng.integers(8, 60))
        swing = rng.uniform(3, 16) * unit
        drift = rng.normal(0, 0.35 * swing, 2) + rng.uniform(-1, 1, 2) * swing * 0.5
        turning = np.cumsum(rng.normal(0, 0.5, count) + rng.choice([-1, 1]) * rng.uniform(0, 0.7))
        loops = swing * 0.6 * np.stack([np.cos(turning), np.sin(turning)], -1)
        path = place(height, width, rng) + np.cumsum(0.3 * drift + loops, 0)
        draw(opacity, path.astype(np.float32), thick, 1.0)
    opacity = blur(opacity, rng.uniform(0.2, 0.8)) * np.float32(rng.uniform(0.65, 1.0))
    draws = rng.random()
    blue = np.array([rng.uniform(0, 60), rng.uniform(0, 80), rng.uniform(90, 200)], np.float32)
    colour = (
        dark(rng)
        if draws < 0.4
        else blue
        if draws < 0.65
        else paper(rng)
        if draws < 0.75
        else tint(rng)
    )
    return [Layer(opacity, colour)]
