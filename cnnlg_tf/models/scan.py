"""Linear recurrences over images as parallel scans: log2(N) steps of pad, slice, multiply and add.

Nothing here needs a loop in the graph, so a scan exports to ONNX, TensorRT and LiteRT with dynamic sizes.
"""

from typing import Any

import keras
import tensorflow as tf

from cnnlg_tf.models.blocks import pointwise
from cnnlg_tf.models.morphology import trimmed


def shift(x: tf.Tensor, distance: int, axis: int) -> tf.Tensor:
    """Move `x` by `distance` places along `axis` (negative: backwards); zeros come in. The shape stays."""
    if distance == 0:
        return x
    before, after = max(distance, 0), max(-distance, 0)
    paddings = [[0, 0]] * x.shape.rank
    paddings[axis] = [before, after]
    return trimmed(tf.pad(x, paddings), {axis: (after, before)})  # static: exports well


def linear_recurrence(
    decay: tf.Tensor, value: tf.Tensor, axis: int, *, steps: int, reverse: bool = False
) -> tf.Tensor:
    """h_t = decay_t * h_(t-1) + value_t along `axis`, with h_(-1) = 0; from the far end when `reverse`.

    Exact for up to 2**steps positions; beyond that each h_t sees the nearest 2**steps values.

    Args:
        decay, value: tensors of one shape.
        axis: the axis to run along, non-negative.
        steps: doublings; fewer are made when the static length needs fewer.
    """
    length = value.shape[axis]
    if length is not None:
        steps = min(steps, max(int(length) - 1, 0).bit_length())
    sign = -1 if reverse else 1
    for step in range(steps):
        distance = sign * 2**step
        value = value + decay * shift(value, distance, axis)
        if step + 1 < steps:
            decay = decay * shift(decay, distance, axis)
    return value


@keras.saving.register_keras_serializable("cnnlg")
class DirectionalScan(keras.layers.Layer):
    """Four sweeps (right, left, down, up) of a minimal GRU, mixed and added to the input.

    Each sweep runs h_t = a_t h_(t-1) + (1 - a_t) v_t with a_t = sigmoid(gate) and v_t both linear in the input.
    Shapes: [batch, height, width, width_] -> the same. The last kernel starts at zero: the layer starts as identity.

    Args:
        width: channels of the input, a multiple of 4.
        steps: doublings of the scan; a sweep sees 2**steps positions.
    """

    def __init__(self, width: int, steps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # === Layers ===
        self.gates = keras.layers.Dense(width, name="gates")
        self.values = keras.layers.Dense(width, name="values")
        self.mix = keras.layers.Dense(width, kernel_initializer="zeros", name="mix")
        # === Config ===
        self.width = width
        self.steps = steps

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for layer in (self.gates, self.values, self.mix):
            layer.build(input_shape)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        decay = tf.sigmoid(
            pointwise(self.gates, x) + 1.0
        )  # starts near 0.73: a memory of a few positions
        value = (1.0 - decay) * pointwise(self.values, x)
        sweeps = [
            _sweep_both_ways(d, v, axis, self.steps)
            for d, v, axis in zip(
                tf.split(decay, 2, -1), tf.split(value, 2, -1), (2, 1), strict=True
            )
        ]
        return x + pointwise(self.mix, tf.concat(sweeps, axis=-1))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"width": self.width, "steps": self.steps}


def _sweep_both_ways(decay: tf.Tensor, value: tf.Tensor, axis: int, steps: int) -> tf.Tensor:
    """Forwards in the first half of the channels, backwards in the second: one scan of half turned channels."""
    swept = linear_recurrence(
        _turn_second_half(decay, axis), _turn_second_half(value, axis), axis, steps=steps
    )
    return _turn_second_half(swept, axis)


def _turn_second_half(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Reverse the second half of the channels along `axis`."""
    forwards, backwards = tf.split(x, 2, axis=-1)
    turned = [slice(None)] * x.shape.rank
    turned[axis] = slice(None, None, -1)
    return tf.concat([forwards, backwards[tuple(turned)]], axis=-1)
