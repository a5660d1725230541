"""What is around each pixel, by shifts and maxima or sums: pooling and convolutions are slow on few channels.

TensorRT, though, takes minutes and more to fuse chains of shifts: `windowed` graphs have one node for each.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import tensorflow as tf

_WINDOWED = ContextVar("windowed", default=False)


@contextmanager
def windowed() -> Iterator[None]:
    """Graphs that are traced meanwhile are made of pooling and convolutions."""
    before = _WINDOWED.set(True)
    try:
        yield
    finally:
        _WINDOWED.reset(before)


def is_windowed() -> bool:
    return _WINDOWED.get()


def convolved(x: tf.Tensor, weights: np.ndarray) -> tf.Tensor:
    """Each channel by itself, without padding; weights: [height, width]."""
    kernel = np.tile(weights.astype(np.float32)[:, :, None, None], [1, 1, x.shape[-1], 1])
    return tf.nn.depthwise_conv2d(x, tf.cast(kernel, x.dtype), [1, 1, 1, 1], "VALID")


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
    if is_windowed():
        return tf.nn.max_pool2d(x, [size, 1] if axis == 1 else [1, size], 1, "VALID")
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
