"""The parallel scan against a plain loop."""

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.models.scan import DirectionalScan, linear_recurrence, shift


def plain_loop(decay: np.ndarray, value: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    decay, value = np.moveaxis(decay, axis, 0), np.moveaxis(value, axis, 0)
    if reverse:
        decay, value = decay[::-1], value[::-1]
    state, states = np.zeros_like(value[0]), []
    for a, v in zip(decay, value, strict=True):
        state = a * state + v
        states.append(state)
    result = np.stack(states[::-1] if reverse else states)
    return np.moveaxis(result, 0, axis)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("size", [(1, 7), (13, 9), (16, 33)])
@pytest.mark.parametrize("dynamic", [False, True])
def test_scan_is_the_loop(size: tuple[int, int], axis: int, reverse: bool, dynamic: bool) -> None:
    rng = np.random.default_rng(0)
    decay = rng.uniform(0, 1, (2, *size, 3)).astype(np.float32)
    value = rng.normal(size=(2, *size, 3)).astype(np.float32)

    def run(d: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        return linear_recurrence(d, v, axis, steps=6, reverse=reverse)

    if dynamic:
        spec = tf.TensorSpec([None, None, None, 3])
        run = tf.function(run, input_signature=[spec, spec])
    ours = run(tf.constant(decay), tf.constant(value))
    np.testing.assert_allclose(ours, plain_loop(decay, value, axis, reverse), atol=1e-5)


def test_few_steps_see_the_nearest_values() -> None:
    ones = tf.ones([1, 1, 8, 1])
    seen = linear_recurrence(ones, ones, 2, steps=2)
    np.testing.assert_array_equal(seen[0, 0, :, 0], [1, 2, 3, 4, 4, 4, 4, 4])


def test_shift_moves_zeros_in() -> None:
    x = tf.constant([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(shift(x, 1, 1), [[0, 1, 2]])
    np.testing.assert_array_equal(shift(x, -2, 1), [[3, 0, 0]])
    np.testing.assert_array_equal(shift(x, 5, 1), [[0, 0, 0]])
    assert shift(x, 0, 1) is x


def test_each_sweep_of_the_layer_carries_its_own_way() -> None:
    layer = DirectionalScan(8, steps=4)
    layer.build((None, None, None, 8))
    x = np.zeros((1, 5, 5, 8), np.float32)
    np.testing.assert_array_equal(layer(x), x)  # starts as the identity
    layer.gates.kernel.assign(tf.zeros([8, 8]))
    layer.values.kernel.assign(tf.eye(8))
    layer.mix.kernel.assign(tf.eye(8))
    x[0, 2, 2] = 1.0
    moved = layer(x)[0].numpy()
    for channel, (rows, columns) in enumerate(
        [(slice(2, 3), slice(2, 5)), (slice(2, 3), slice(0, 3))]
        + [(slice(2, 5), slice(2, 3)), (slice(0, 3), slice(2, 3))]
    ):
        expected = np.zeros((5, 5), bool)
        expected[rows, columns] = True
        np.testing.assert_array_equal(moved[..., 2 * channel] > 0, expected)
