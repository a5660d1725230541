import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.models.morphology import dilated, largest_along


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
