"""What is around each pixel, by shifts and maxima or sums: pooling and convolutions are slow on few channels.

TensorRT, though, takes minutes and more to fuse chains of shifts: `windowed` graphs have one node for each. All of
[b, h, w, c], each channel by itself; an axis is 1 (down) or 2 (across).
"""

import math
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import reduce

import numpy as np
import tensorflow as tf

from cnnlg_tf.models.tracing import switched_on

CROSS = ((0, 1, 0), (1, 0, 1), (0, 1, 0))

_KEPT = "_cnnlg_integers"  # where a graph keeps its constants
_WINDOWED = ContextVar("windowed", default=False)


def windowed() -> AbstractContextManager[None]:
    """Graphs that are traced meanwhile are made of pooling and convolutions."""
    return switched_on(_WINDOWED)


def dilated(x: tf.Tensor, size: int | tuple[int, int]) -> tf.Tensor:
    """The largest value within a window of an odd size, or of odd (height, width), around each pixel: a dilation.

    x: at least -1 everywhere, as all pictures and masks are.
    """
    height, width = (size, size) if isinstance(size, int) else size
    edge = [[0, 0], [height // 2] * 2, [width // 2] * 2, [0, 0]]
    x = tf.pad(x, edge, constant_values=-1)
    return largest_along(largest_along(x, height, 1), width, 2)


def largest_along(x: tf.Tensor, size: int, axis: int) -> tf.Tensor:
    """The largest of each `size` neighbours along an axis, which shrinks by size - 1.

    By maxima of 2, 4, 8: of one channel TensorFlow's pooling on a CPU takes ten to a hundred times as long.
    """
    if _WINDOWED.get():
        return tf.nn.max_pool2d(x, [size, 1] if axis == 1 else [1, size], 1, "VALID")
    reach = 1
    while reach < size:
        by = min(reach, size - reach)
        x = tf.maximum(trimmed(x, {axis: (0, by)}), trimmed(x, {axis: (by, 0)}))
        reach += by
    return x


def sum_along(x: tf.Tensor, size: int, axis: int) -> tf.Tensor:
    """The sum of each `size` neighbours along an axis, which shrinks by size - 1."""
    if _WINDOWED.get():
        return _convolved_along(x, [1] * size, axis)
    return reduce(tf.add, (trimmed(x, {axis: (i, size - 1 - i)}) for i in range(size)))


def binomial_along(x: tf.Tensor, order: int, axis: int) -> tf.Tensor:
    """Sums of order + 1 neighbours along an axis, which shrinks by `order`, with binomial weights."""
    if _WINDOWED.get():
        return _convolved_along(x, [math.comb(order, i) for i in range(order + 1)], axis)
    for _ in range(order):
        x = sum_along(x, 2, axis)
    return x


def neighbours(x: tf.Tensor) -> tf.Tensor:
    """The sum of each pixel's four neighbours; beyond the border is zero.

    Not by a convolution of 3 x 3: of three channels that takes six times as long in TensorFlow on a CPU, compiled by
    XLA or not, and no less in onnxruntime.
    """
    x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    if _WINDOWED.get():
        return _convolved(x, np.array(CROSS))
    above, below = (trimmed(x, {1: edge, 2: (1, 1)}) for edge in ((0, 2), (2, 0)))
    left, right = (trimmed(x, {1: (1, 1), 2: edge}) for edge in ((0, 2), (2, 0)))
    return (above + below) + (left + right)


def trimmed(x: tf.Tensor, edges: dict[int, tuple[int, int]]) -> tf.Tensor:
    """Without the first and the last so many places along the axes named.

    What slicing gives, in one node instead of four: a repair has two thousand, and its graph is built before the first.
    """
    first, last, whole = [0] * x.shape.rank, [0] * x.shape.rank, (1 << x.shape.rank) - 1
    from_start, to_end = whole, whole
    for axis, (before, after) in edges.items():
        first[axis], last[axis] = before, -after
        from_start ^= 1 << axis
        to_end ^= (after > 0) << axis
    return tf.raw_ops.StridedSlice(
        input=x,
        begin=_integers(first),
        end=_integers(last),
        strides=_integers([1] * x.shape.rank),
        begin_mask=from_start,
        end_mask=to_end,
    )


def _integers(values: list[int]) -> tf.Tensor:
    """A constant; of a graph, one for all that are alike."""
    if tf.executing_eagerly():
        return tf.constant(values)
    graph = tf.compat.v1.get_default_graph()
    known: dict[tuple[int, ...], tf.Tensor] = getattr(graph, _KEPT, {})
    setattr(graph, _KEPT, known)
    if tuple(values) not in known:
        known[tuple(values)] = tf.constant(values)
    return known[tuple(values)]


def _convolved_along(x: tf.Tensor, weights: list[int], axis: int) -> tf.Tensor:
    return _convolved(x, np.expand_dims(weights, 2 - axis))


def _convolved(x: tf.Tensor, weights: np.ndarray) -> tf.Tensor:
    """Without padding; weights: [height, width]."""
    kernel = np.tile(weights.astype(np.float32)[:, :, None, None], [1, 1, x.shape[-1], 1])
    return tf.nn.depthwise_conv2d(x, tf.cast(kernel, x.dtype), [1, 1, 1, 1], "VALID")
