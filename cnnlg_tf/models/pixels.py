"""Operations on images that several networks use."""

import tensorflow as tf

from cnnlg_tf.models.fill import smooth_upsample
from cnnlg_tf.models.morphology import dilated


def high_frequencies(image: tf.Tensor, halvings: int = 2) -> tf.Tensor:
    """The image minus its averages over cells of 2**halvings px, enlarged smoothly. Sizes are multiples of that."""
    cell = 2**halvings
    return image - smooth_upsample(tf.nn.avg_pool2d(image, cell, cell, "VALID"), halvings)


def quotient(dividend: tf.Tensor, divisor: tf.Tensor | int) -> tf.Tensor:
    """dividend // divisor, of integers from 0 on: one node in every format, where `//` and `%` take several."""
    return tf.raw_ops.Div(x=dividend, y=divisor)


def known_range(image: tf.Tensor, mask: tf.Tensor, reach: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The least and the largest value of the known pixels within `reach` px: [b, h, w, c] each.

    image: [b, h, w, c] in [-1, 1]; where no pixel in reach is known, that range.
    """
    side = 2 * reach + 1
    some = dilated(1.0 - mask, side)
    high = dilated(tf.where(mask > 0.5, -1.0, image), side)
    low = -dilated(tf.where(mask > 0.5, -1.0, -image), side)
    return some * low - (1.0 - some), some * high + (1.0 - some)


def border_distance(cells: tf.Tensor, most: int) -> tf.Tensor:
    """Chessboard distance of each 1 to the nearest 0, up to `most`: [b, h, w, 1] of 0 and 1 -> the same shape."""
    total, rest = tf.zeros_like(cells), cells
    for _ in range(most):
        total += rest
        rest = 1.0 - dilated(1.0 - rest, 3)
    return total


def beyond_frame(mask: tf.Tensor) -> tf.Tensor:
    """Missing pixels between no two known ones, neither in their row nor in their column: there the photo goes on.

    mask: [b, h, w, 1] of 0 and 1, 1 = missing -> the same shape; all of a photo without known pixels.
    """
    known, between = 1.0 - mask, tf.zeros_like(mask)
    for axis in (1, 2):
        before = tf.cumsum(known, axis)
        after = tf.reduce_sum(known, axis, keepdims=True) - before
        between = tf.maximum(between, tf.minimum(before, after))
    return mask * tf.cast(between < 0.5, tf.float32)
