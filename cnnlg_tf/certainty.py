"""How certain damage must be to be taken: thresholds on the finder's probability, by the sensitivity asked for.

Two, as in Canny's edges: a pixel counts where its probability is above the lower one, if something of its region is
above the higher one. A crack is certain somewhere along its length, and faint for the most part; what only looks like
damage is nowhere certain. Specks are another matter: photos are full of what looks like one, so a lone speck must be
more certain; a photo with many that are is dusty, and there less is asked of the others.
"""

import math
from typing import NamedTuple

from cnnlg_tf.errors import ConfigError

STEEPNESS = 4.0  # logits between sensitivity 0.5, where 0.5 is the lower threshold, and 0 or 1
GROWTH = 2  # pixels around damage that are repaired with it, unless said otherwise: it ends softly
CERTAIN = 3.75  # logits between both thresholds up to sensitivity 0.5; they meet at 1
SPECK = 25  # pixels; smaller regions are specks,
LONE = 6.0  # of which so many logits are asked,
AMONG_MANY = 3.0  # and so many on a photo
DUSTY = 6  # with as many specks, on each megapixel and in all,
COUNTED = 5.0  # of so many logits


class Thresholds(NamedTuple):
    """Probabilities: a pixel counts above `lower` where something of its region is above `higher`.

    `lone` and `among_many` take the place of `higher` for specks; those above `counted` say whether there are many.
    """

    lower: float
    higher: float
    lone: float
    among_many: float
    counted: float


def thresholds(sensitivity: float) -> Thresholds:
    """The thresholds at a sensitivity from 0 to 1.

    Raises:
        ConfigError: sensitivity is out of range.
    """
    if not 0.0 <= sensitivity <= 1.0:
        raise ConfigError(f"sensitivity must be from 0 to 1. Received: {sensitivity}")
    lower = STEEPNESS * (1.0 - 2.0 * sensitivity)
    share = min(1.0, 2.0 * (1.0 - sensitivity))
    apart = (0.0, CERTAIN, LONE, AMONG_MANY, COUNTED)
    return Thresholds(*(_sigmoid(lower + share * logits) for logits in apart))


def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))
