"""Photos made new: turned, stretched, recoloured and joined, so that a network does not learn them by heart."""

import math
from collections.abc import Iterator

import cv2
import numpy as np

from cnnlg_tf.data.damage.layer import Rng, soft_noise, to_pixels
from cnnlg_tf.data.source import Pixels
from cnnlg_tf.data.synthetic import dead_leaves

SMALLEST, LARGEST = 0.3, 1.3  # size of what is cut, as a share of the photo's own
SHRUNK = 0.75  # what is made smaller than this is averaged first, else it aliases
# shares of squares: drawn, of no photo at all; joined with another; in other colours
DRAWN, JOINED, RECOLOURED = 0.05, 0.3, 0.8


def vary(photos: Iterator[Pixels], side: int, rng: Rng) -> Pixels:
    """A square that no photo shows: uint8 [side, side, 3].

    Args:
        photos: two at least; a photo that is not needed is not asked for.
        side: in pixels.
        rng: where all chance comes from.
    """
    drawn = rng.random() < DRAWN
    square = dead_leaves(side, rng) if drawn else cut_turned(next(photos), side, rng)
    if rng.random() < JOINED:
        square = join(square, cut_turned(next(photos), side, rng), rng)
    if rng.random() < RECOLOURED:
        square = recolour(square, rng)
    return square


def cut_turned(photo: Pixels, side: int, rng: Rng) -> Pixels:
    """A square of a photo at a drawn scale, turned, mirrored and stretched; beyond its edges the photo is mirrored."""
    fits = 0.9 * side / min(photo.shape[:2])
    least = min(max(SMALLEST, fits), LARGEST)
    scale = math.exp(rng.uniform(math.log(least), math.log(LARGEST)))
    if scale < SHRUNK:
        by = scale / SHRUNK
        height, width = (max(2, round(by * n)) for n in photo.shape[:2])
        small = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
        photo, scale = np.asarray(small, np.uint8), SHRUNK
    angle = math.pi / 2 * int(rng.integers(4)) if rng.random() < 0.5 else 0.0
    angle += rng.normal(0, 0.25) if rng.random() < 0.5 else 0.0
    stretch = math.exp(rng.normal(0, 0.15)) if rng.random() < 0.5 else 1.0
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turn = turn @ np.diag([stretch, 1 / stretch]) / scale  # from the square to the photo
    if rng.random() < 0.5:
        turn[:, 0] *= -1
    reach = np.abs(turn) @ np.full(2, side / 2)
    photo_size = np.array(photo.shape[1::-1])
    low, high = np.minimum(reach, photo_size / 2), np.maximum(photo_size - reach, photo_size / 2)
    corner = rng.uniform(low, high) - turn @ np.full(2, side / 2)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    matrix = np.concatenate([turn, corner[:, None]], axis=1)
    # not REFLECT_101, with which OpenCV never ends on a photo 1 px high
    cut = cv2.warpAffine(photo, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(cut, np.uint8)


def join(first: Pixels, second: Pixels, rng: Rng) -> Pixels:
    """Two squares as one: side by side along a wandering border, one through the other, or both as slides."""
    a, b = first.astype(np.float32), second.astype(np.float32)
    how = rng.random()
    if how < 0.45:
        cell, steep = float(rng.uniform(20, 150)), float(rng.choice([2.0, 40.0]))
        share = np.clip(soft_noise(first.shape[0], first.shape[1], cell, rng) * steep + 0.5, 0, 1)
        return to_pixels(a + share[..., None] * (b - a))
    if how < 0.8:
        return to_pixels(a + np.float32(rng.uniform(0.15, 0.5)) * (b - a))
    if how < 0.9:
        return to_pixels(a * b * np.float32(1.3 / 255))
    return to_pixels(255 - (255 - a) * (255 - b) / 255)


def recolour(square: Pixels, rng: Rng) -> Pixels:
    """Channels swapped, other tones, colours and contrast, now and then a negative."""
    x = square.astype(np.float32) / np.float32(255)
    if rng.random() < 0.3:
        x = x[..., rng.permutation(3)]
    if rng.random() < 0.7:
        x = np.power(x, np.float32(math.exp(rng.normal(0, 0.3))))
        x = x @ (np.eye(3) + rng.normal(0, 0.12, (3, 3))).astype(np.float32).T
        contrast, light = math.exp(rng.normal(0, 0.25)), rng.normal(0, 0.08)
        x = (x - np.float32(0.5)) * np.float32(contrast) + np.float32(0.5 + light)
    if rng.random() < 0.04:
        x = 1 - x
    return to_pixels(255 * x)
