"""A photo, and stains on it that it shows through."""

import cv2
import numpy as np

SHADE = np.array([0.7, 0.55, 0.4], np.float32)


def a_scene(height: int = 240, width: int = 300, seed: int = 4) -> np.ndarray:
    """Soft and fine structure of all sizes, as photos have: float32 [height, width, 3] in 0.2 .. 0.8."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for sigma in (1.5, 4, 12, 30):
        noise = rng.standard_normal((height, width, 3)).astype(np.float32)
        soft = cv2.GaussianBlur(noise, (0, 0), sigma)
        total += soft / soft.std() * np.float32(sigma**0.5)
    return np.clip(0.5 + 0.1 * total / total.std(), 0.2, 0.8)


def a_blob(height: int = 240, width: int = 300, radius: float = 50, soft: float = 2) -> np.ndarray:
    """Opacity of a wavy disc in the middle: float32 [height, width]."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    y, x = y - height / 2, x - width / 2
    wavy = radius * (1 + 0.08 * np.sin(5 * np.arctan2(y, x)))
    return np.clip(0.5 + (wavy - np.hypot(x, y)) / (2 * soft), 0, 1)


def stained(scene: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    return scene * (1 - opacity[..., None] * (1 - SHADE))
