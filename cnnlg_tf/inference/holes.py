"""What a hole may undergo before it is filled: it grows, and its rim is blended."""

import cv2
import numpy as np

from cnnlg_tf.errors import ConfigError
from cnnlg_tf.inference.windows import bounding_box
from cnnlg_tf.photos import from_unit, to_unit


def grown(hole: np.ndarray, pixels: int) -> np.ndarray:
    """The hole and every pixel whose centre lies within `pixels` of one of its pixels' centres.

    Args:
        hole: bool [height, width], True = missing.

    Raises:
        ConfigError: `pixels` is negative.
    """
    _check(pixels, "grow")
    return hole if pixels == 0 else rim_weights(hole, pixels) > 0.0


def rim_weights(hole: np.ndarray, pixels: int) -> np.ndarray:
    """How much of a repair shows: 1 in the hole, falling evenly over the `pixels` around it.

    Returns:
        float32 [height, width]: 1 - d / (pixels + 1) where a pixel's centre lies d away from the
        nearest one of the hole, 0 where that is more than `pixels`.

    Raises:
        ConfigError: `pixels` is negative.
    """
    _check(pixels, "feather")
    weights = np.zeros(hole.shape, np.float32)
    if not hole.any():
        return weights
    inside = bounding_box(hole).grown(pixels).clipped(*hole.shape).slices
    known = (~hole[inside]).astype(np.uint8)
    distance = cv2.distanceTransform(known, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    falling = 1.0 - distance / np.float32(pixels + 1)
    weights[inside] = np.where(distance <= pixels, falling, 0.0)
    return weights


def blend_rim(photo: np.ndarray, painted: np.ndarray, weights: np.ndarray) -> None:
    """Mix the photo back into `painted`, in place, where weights lie between 0 and 1."""
    rim = (weights > 0.0) & (weights < 1.0)
    share = weights[rim][:, np.newaxis]
    mixed = share * to_unit(painted[rim]) + (1.0 - share) * to_unit(photo[rim])
    painted[rim] = from_unit(mixed, photo.dtype)


def _check(pixels: int, name: str) -> None:
    if pixels < 0:
        raise ConfigError(f"{name} must be 0 pixels or more. Received: {pixels}")
