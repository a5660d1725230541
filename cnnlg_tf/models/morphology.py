"""What is largest around each pixel, by shifts and maxima: for runtimes whose pooling is slow on few channels."""

import tensorflow as tf


def dilated(x: tf.Tensor, size: int | tuple[int, int]) -> tf.Tensor:
    """The largest value within a window of an odd size, or of odd (height, width), around each pixel: a dilation.

    x: [b, h, w, c], at least -1 everywhere, as all pictures and masks are.
    """
    height, width = (size, size) if isinstance(size, int) else size
    edge = [[0, 0], [height // 2] * 2, [width // 2] * 2, [0, 0]]
    x = tf.pad(x, edge, constant_values=-1)
    return largest_along(largest_along(x, height, 1), width, 2)


def largest_along(x: tf.Tensor, size: int, axis: int) -> tf.Tensor:
    """The largest of each `size` neighbours along an axis, which shrinks by size - 1.

    By maxima of 2, 4, 8: of one channel TensorFlow's pooling on a CPU takes ten to a hundred times as long.
    """
    reach = 1
    while reach < size:
        by = min(reach, size - reach)
        x = tf.maximum(before(x, by, axis), after(x, by, axis))
        reach += by
    return x


def before(x: tf.Tensor, by: int, axis: int) -> tf.Tensor:
    """Without the last `by` along an axis."""
    return x[(slice(None),) * axis + (slice(None, -by),)]


def after(x: tf.Tensor, by: int, axis: int) -> tf.Tensor:
    """Without the first `by` along an axis."""
    return x[(slice(None),) * axis + (slice(by, None),)]
