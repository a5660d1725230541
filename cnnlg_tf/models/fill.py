"""The membrane fill: a smooth first guess of the hole from its border, and the tool that removes seams."""

import tensorflow as tf

from cnnlg_tf.models.scan import shift

LEVELS = 4


def membrane_fill(image: tf.Tensor, mask: tf.Tensor, relaxations: int = 3) -> tf.Tensor:
    """Spread the known pixels smoothly into the hole; known pixels stay as they are.

    A pyramid of normalised averages goes down to 1/16, is spread there to every position, and comes back up with a
    few Jacobi relaxations of Laplace's equation at each level: a multigrid's first cycle, linear in the photo's area.

    Args:
        image: [batch, height, width, c], any range, height and width multiples of 16.
        mask: [batch, height, width, 1], 1 = missing.
        relaxations: Jacobi steps a level.

    Returns:
        [batch, height, width, c]; zero everywhere when nothing is known.
    """
    known = 1.0 - mask
    sums, weights = [image * known], [known]
    for _ in range(LEVELS):
        sums.append(_pool(sums[-1]))
        weights.append(_pool(weights[-1]))
    filled = _spread(sums[-1], weights[-1])
    for total, weight in zip(sums[-2::-1], weights[-2::-1], strict=True):
        have = tf.cast(weight > 0.0, image.dtype)
        average = tf.math.divide_no_nan(total, weight)
        filled = have * average + (1.0 - have) * upsample(filled, 2)
        for _ in range(relaxations):
            filled = have * average + (1.0 - have) * _neighbours(filled)
    return filled


def upsample(x: tf.Tensor, factor: int) -> tf.Tensor:
    """Repeat each pixel `factor` times both ways: [b, h, w, c] -> [b, factor h, factor w, c]."""
    channels = x.shape[-1]
    return tf.nn.depth_to_space(tf.concat([x] * factor**2, axis=-1), factor) if channels else x


def smooth_upsample(x: tf.Tensor, doublings: int) -> tf.Tensor:
    """Enlarge by 2**doublings with a tent-like filter made of shifts: [b, h, w, c] -> [b, 2**n h, 2**n w, c]."""
    for _ in range(doublings):
        x = upsample(x, 2)
        x = 0.5 * (x + _neighbours(x))
    return x


def _pool(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.avg_pool2d(x, 2, 2, "VALID")


def _neighbours(x: tf.Tensor) -> tf.Tensor:
    """Mean of the four neighbours; the border's pixels are their own neighbours outside."""
    up = tf.concat([x[:, :1], x[:, :-1]], axis=1)
    down = tf.concat([x[:, 1:], x[:, -1:]], axis=1)
    left = tf.concat([x[:, :, :1], x[:, :, :-1]], axis=2)
    right = tf.concat([x[:, :, 1:], x[:, :, -1:]], axis=2)
    return 0.25 * (up + down + left + right)


def _spread(total: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Normalised average over ever wider neighbourhoods, near values weighing most; the mean where none reaches."""
    both = tf.concat([total, weight], axis=-1)
    mean = 1e-8 * tf.reduce_sum(both, axis=(1, 2), keepdims=True)
    for distance in (1, 2, 4, 8, 16):
        around = sum(shift(both, d, axis) for axis in (1, 2) for d in (distance, -distance))
        both = both + 0.05 * around
    both = both + mean
    return tf.math.divide_no_nan(both[..., :-1], both[..., -1:])
