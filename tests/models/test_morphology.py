import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.models.fill import membrane_fill
from cnnlg_tf.models.guided_synthesis import synthesise
from cnnlg_tf.models.morphology import dilated, largest_along, windowed
from cnnlg_tf.models.synthesis_scale import Synthesis


@pytest.mark.parametrize("size", [1, 3, 5, 11, (1, 3), (7, 1), (3, 9)])
@pytest.mark.parametrize("shape", [(2, 24, 17, 1), (1, 4, 30, 3)])
def test_dilation_is_pooling_of_the_largest(
    size: int | tuple[int, int], shape: tuple[int, ...]
) -> None:
    image = tf.random.stateless_uniform(shape, [1, 2], -1.0, 1.0)
    pooled = tf.nn.max_pool2d(image, size, 1, "SAME")
    np.testing.assert_array_equal(dilated(image, size), pooled)


@pytest.mark.parametrize("size", [2, 6, 7])
def test_the_largest_of_neighbours_along_an_axis(size: int) -> None:
    row = np.random.default_rng(0).normal(size=(1, 20, 3, 2)).astype(np.float32)
    expected = np.stack([row[:, i : i + size].max(axis=1) for i in range(21 - size)], axis=1)
    np.testing.assert_array_equal(largest_along(tf.constant(row), size, axis=1), expected)


def test_windowed_graphs_give_the_same() -> None:
    """The fill to rounding, what is laid exactly; and windows end with the block."""
    rng = np.random.default_rng(0)
    image = tf.constant(rng.random((1, 64, 48, 3), np.float32))
    mask = np.zeros((1, 64, 48, 1), np.float32)
    mask[:, 16:40, 12:34] = 1.0

    once = (1, 1, 1, 1)

    def both() -> tuple[tf.Tensor, tf.Tensor, set[str]]:
        def run() -> tuple[tf.Tensor, Synthesis]:
            laid = synthesise(image, mask, image, passes=once, rounds=once)
            return membrane_fill(image, mask), laid

        graph = tf.function(run)
        concrete = graph.get_concrete_function()
        fill, laid = concrete()
        return fill, laid.image, {op.type for op in concrete.graph.get_operations()}

    with windowed():
        fill, laid, windows = both()
    expected_fill, expected, shifts = both()
    np.testing.assert_allclose(fill, expected_fill, atol=1e-5)
    np.testing.assert_array_equal(laid, expected)
    assert "DepthwiseConv2dNative" in windows and "DepthwiseConv2dNative" not in shifts
