"""The membrane fill: a smooth first guess of the hole from its border, and the tool that removes seams."""

import tensorflow as tf

from cnnlg_tf.models.morphology import dilated, neighbours
from cnnlg_tf.models.scan import shift

LEVELS = 4
RELAXATIONS = (32, 16, 8, 4)  # Jacobi steps at 1/8, 1/4, 1/2 and 1/1 of the size
PLATE_STEPS = (0, 0, 2, 8)  # biharmonic steps at the same sizes
PLATE_RATE, PLATE_MOMENTUM = 0.03, 0.75

LEAK = 0.05  # how much a wall counts beside what is no wall


def membrane_fill(image: tf.Tensor, mask: tf.Tensor, walls: tf.Tensor | None = None) -> tf.Tensor:
    """Spread the known pixels smoothly into the hole; known pixels stay as they are.

    A pyramid of normalised averages goes down to 1/16, is spread there to every position, and comes back up with
    Jacobi relaxations of Laplace's equation (a membrane) at each level: a multigrid's first cycle. At the two finest
    levels some steps towards the biharmonic equation follow (a plate), with momentum: they continue slopes across
    narrow holes, where a membrane is too flat, and hardly reach into wide ones, where a plate would overshoot.

    Args:
        image: [batch, height, width, c], any range, height and width multiples of 16.
        mask: [batch, height, width, 1], 1 = missing.
        walls: [batch, height, width, 1] of 0 and 1, lines across which hardly anything spreads; missing pixels of them
            get what lies around. Without any the fill is that of None.

    Returns:
        [batch, height, width, c]; zero everywhere when nothing is known.
    """
    known = 1.0 - mask
    sums, weights, barriers = [image * known], [known], [walls]
    for _ in range(LEVELS):
        sums.append(_pool(sums[-1]))
        weights.append(_pool(weights[-1]))
        barriers.append(None if walls is None else tf.nn.max_pool2d(barriers[-1], 2, 2, "VALID"))
    filled = _spread(sums[-1], weights[-1])
    for level, relaxations, steps in zip(
        range(LEVELS - 1, -1, -1), RELAXATIONS, PLATE_STEPS, strict=True
    ):
        total, weight, wall = sums[level], weights[level], barriers[level]
        have = tf.cast(weight > 0.0, image.dtype)
        hole = 1.0 - have
        fixed = have * tf.math.divide_no_nan(total, weight)
        filled = fixed + hole * upsample(filled, 2)
        one = tf.ones_like(weight)
        passing = one
        if wall is not None:
            filled = _from_own_side(filled, have, upsample(barriers[level + 1], 2), wall)
            passing = 1.0 - (1.0 - LEAK) * wall
        # at the border, of the neighbours that exist
        share = like(hole / neighbours(passing), image)
        for _ in range(relaxations):
            seen = filled if wall is None else passing * filled
            filled = fixed + share * neighbours(seen)
        if not steps:
            continue
        # Only where all that the biharmonic operator reads exists: it is not what two Laplacians make of a border.
        inside = tf.cast(tf.abs(_biharmonic(one)) < 0.5, image.dtype)
        if wall is not None:  # a plate would overshoot at edges
            inside *= 1.0 - dilated(wall, 7)
        rate, velocity = like(PLATE_RATE * hole * inside, image), tf.zeros_like(filled)
        for _ in range(steps):
            velocity = PLATE_MOMENTUM * velocity - rate * _biharmonic(filled)
            filled = filled + velocity
    return filled


def upsample(x: tf.Tensor, factor: int) -> tf.Tensor:
    """Repeat each pixel `factor` times both ways: [b, h, w, c] -> [b, factor h, factor w, c]."""
    channels = x.shape[-1]
    return tf.nn.depth_to_space(tf.concat([x] * factor**2, axis=-1), factor) if channels else x


def smooth_upsample(x: tf.Tensor, doublings: int) -> tf.Tensor:
    """Enlarge by 2**doublings with a tent-like filter: [b, h, w, c] -> [b, 2**n h, 2**n w, c]."""
    for _ in range(doublings):
        x = upsample(x, 2)
        x = _tent(x) / _tent(tf.ones_like(x[..., :1]))
    return x


def _pool(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.avg_pool2d(x, 2, 2, "VALID")


def like(x: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """[b, h, w, 1] for as many channels as the image's: onnxruntime multiplies two alike faster."""
    return tf.concat([x] * image.shape[-1], axis=-1)


def _tent(x: tf.Tensor) -> tf.Tensor:
    return 0.5 * x + 0.125 * neighbours(x)


def _from_own_side(
    filled: tf.Tensor, have: tf.Tensor, coarse_wall: tf.Tensor, wall: tf.Tensor
) -> tf.Tensor:
    """Pixels in a wall's cell of the coarser level, whose colour is one of both sides, begin with their own side's."""
    settled = tf.maximum(have, 1.0 - coarse_wall) * tf.maximum(have, 1.0 - wall)
    for _ in range(2):  # none is farther away
        near = neighbours(settled)
        reached = (1.0 - settled) * (1.0 - wall) * tf.cast(near > 0.0, near.dtype)
        mean = tf.math.divide_no_nan(neighbours(settled * filled), near)
        filled = filled + reached * (mean - filled)
        settled = settled + reached
    return filled


def _biharmonic(x: tf.Tensor) -> tf.Tensor:
    """The Laplacian of the Laplacian."""
    x = neighbours(x) - 4.0 * x
    return neighbours(x) - 4.0 * x


def _spread(total: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Normalised average over ever wider neighbourhoods, near values weighing most; the mean where none reaches."""
    both = tf.concat([total, weight], axis=-1)
    mean = 1e-8 * tf.reduce_sum(both, axis=(1, 2), keepdims=True)
    for distance in (1, 2, 4, 8, 16):
        around = sum(shift(both, d, axis) for axis in (1, 2) for d in (distance, -distance))
        both = both + 0.05 * around
    both = both + mean
    return tf.math.divide_no_nan(both[..., :-1], both[..., -1:])
