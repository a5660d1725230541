"""Damage without a typical shape: brush strokes and boxes covered by a colour, by noise, or by another picture."""

import cv2
import numpy as np

from cnnlg_tf.data.damage.layer import Floats, Layer, Rng, blur, dark, paper, soft_noise, tint
from cnnlg_tf.data.masks import draw_mask


def overpaint(height: int, width: int, unit: float, rng: Rng) -> list[Layer]:
    """Strokes, patches and bars, hard or soft, that hide the photo: paint, stickers, bad earlier repairs."""
    draws = rng.random()
    if draws < 0.6:
        mask = draw_mask("thin", height, width, rng).astype(np.float32)
    elif draws < 0.75:
        mask = draw_mask("medium", height, width, rng).astype(np.float32)
        mask *= _part(height, width, rng)
    else:
        mask = _bar(height, width, unit, rng)
    opacity = blur(mask, rng.uniform(0.0, 1.2)) * np.float32(rng.uniform(0.65, 1.0))
    colour = paper(rng) if rng.random() < 0.4 else dark(rng) if rng.random() < 0.5 else tint(rng)
    draws = rng.random()
    if draws < 0.6:
        return [Layer(opacity, colour)]
    if draws < 0.8:
        grain, channels = rng.uniform(1, 6), 3 if rng.random() < 0.5 else 1
        noise = np.stack([soft_noise(height, width, grain, rng) for _ in range(channels)], -1)
        return [Layer(opacity, colour + np.float32(rng.uniform(20, 90)) * noise)]
    cell = rng.uniform(8, 40)
    cloudy = np.stack([soft_noise(height, width, cell, rng) for _ in range(3)], -1)
    return [Layer(opacity, colour + np.float32(rng.uniform(10, 60)) * cloudy)]


def _part(height: int, width: int, rng: Rng) -> Floats:
    """1 in a random half or so of the picture, 0 in the other."""
    noise = soft_noise(height, width, 0.4 * min(height, width), rng)
    return (noise > rng.uniform(0.0, 1.2)).astype(np.float32)


def _bar(height: int, width: int, unit: float, rng: Rng) -> Floats:
    canvas = np.zeros((height, width), np.uint8)
    size = (unit * rng.uniform(5, 60), unit * rng.uniform(4, 40))
    centre = rng.uniform(0, 1, 2) * (width, height)
    turn = rng.uniform(0, 180) if rng.random() < 0.5 else 0.0
    box = cv2.boxPoints(((float(centre[0]), float(centre[1])), size, turn))
    cv2.fillPoly(canvas, [np.rint(box * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return canvas.astype(np.float32) / np.float32(255)
