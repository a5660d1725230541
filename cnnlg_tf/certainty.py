"""How certain damage must be to be taken: thresholds on the finder's probability, by the sensitivity asked for.

Two, as in Canny's edges: a pixel counts where its probability is above the lower one, if something of its region is
above the higher one. A crack is certain somewhere along its length, and faint for the most part; what only looks like
damage is nowhere certain. Of a small region less is asked: a speck has few pixels that could be certain, and a large
region of what only looks like damage has many.
"""

import math

from cnnlg_tf.errors import ConfigError

STEEPNESS = 4.0  # logits between sensitivity 0.5, where 0.5 is the lower threshold, and 0 or 1
GROWTH = 2  # pixels around damage that are repaired with it, unless said otherwise: it ends softly
CERTAIN = 4.0  # logits between both thresholds up to sensitivity 0.5; they meet at 1
LARGE = 400  # pixels; of regions of fewer,
LESS = 0.35  # so many logits less are asked for each halving,
LEAST = 0.5  # down to this


def thresholds(sensitivity: float, pixels: int = LARGE) -> tuple[float, float]:
    """(lower, higher) probabilities.

    Args:
        sensitivity: 0 to 1.
        pixels: of the region, 1 or more.

    Raises:
        ConfigError: sensitivity is out of range.
    """
    if not 0.0 <= sensitivity <= 1.0:
        raise ConfigError(f"sensitivity must be from 0 to 1. Received: {sensitivity}")
    lower = STEEPNESS * (1.0 - 2.0 * sensitivity)
    halvings = math.log2(LARGE / min(pixels, LARGE))
    apart = max(CERTAIN - LESS * halvings, LEAST) * min(1.0, 2.0 * (1.0 - sensitivity))
    return _sigmoid(lower), _sigmoid(lower + apart)


def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))
