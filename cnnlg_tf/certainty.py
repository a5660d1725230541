"""How certain damage must be to be taken: thresholds on the finder's probability, by the sensitivity asked for.

Two, as in Canny's edges: a pixel counts where its probability is above the lower one, if something of its region is
above the higher one. A crack is certain somewhere along its length, and faint for the most part; what only looks like
damage is nowhere certain. Of a small region less is asked: a speck has few pixels that could be certain, and a large
region of what only looks like damage has many.
"""

import math

import numpy as np

from cnnlg_tf.errors import ConfigError

STEEPNESS = 4.0  # logits between sensitivity 0.5, where 0.5 is the lower threshold, and 0 or 1
GROWTH = 2  # pixels around damage that are repaired with it, unless said otherwise: it ends softly
CERTAIN = 4.0  # logits between both thresholds up to sensitivity 0.5; they meet at 1
LARGE = 400  # pixels; of regions of fewer,
LESS = 0.35  # so many logits less are asked for each halving,
LEAST = 0.5  # down to this


def thresholds(sensitivity: float) -> tuple[float, float]:
    """(lower, higher) probabilities, of large regions; raises ConfigError for a sensitivity outside 0 to 1."""
    lower, apart = _logits(sensitivity)
    return _sigmoid(lower), _sigmoid(lower + CERTAIN * apart)


def higher_thresholds(pixels: np.ndarray, sensitivity: float) -> np.ndarray:
    """The higher probabilities, of regions of so many pixels.

    Args:
        pixels: whole numbers from 1 on, of any shape.
        sensitivity: 0 to 1.

    Returns:
        float32, of the same shape.

    Raises:
        ConfigError: sensitivity is out of range.
    """
    lower, apart = _logits(sensitivity)
    halvings = np.log2(LARGE / np.minimum(pixels, LARGE))
    between = np.maximum(CERTAIN - LESS * halvings, LEAST)
    higher: np.ndarray = 1 / (1 + np.exp(-(lower + apart * between)))
    return higher.astype(np.float32)


def _logits(sensitivity: float) -> tuple[float, float]:
    """(the lower threshold, how much counts of what lies between both)."""
    if not 0.0 <= sensitivity <= 1.0:
        raise ConfigError(f"sensitivity must be from 0 to 1. Received: {sensitivity}")
    return STEEPNESS * (1.0 - 2.0 * sensitivity), min(1.0, 2.0 * (1.0 - sensitivity))


def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))
