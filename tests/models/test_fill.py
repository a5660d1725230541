"""The membrane fill and the enlargements that it is made of."""

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.models.fill import membrane_fill, smooth_upsample, upsample


def box(size: int = 48, low: int = 16, high: int = 32) -> np.ndarray:
    mask = np.zeros((1, size, size, 1), np.float32)
    mask[:, low:high, low:high] = 1.0
    return mask


def test_known_pixels_stay_exactly_and_the_hole_is_never_looked_at() -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(-1, 1, (1, 48, 48, 3)).astype(np.float32)
    mask = box()
    filled = membrane_fill(image, mask).numpy()
    known = np.broadcast_to(mask == 0, image.shape)
    assert np.array_equal(filled[known], image[known])
    assert np.array_equal(filled, membrane_fill(image * (1 - mask) + 9 * mask, mask))
    assert np.abs(filled).max() < 1.2  # a plate may overshoot a little


@pytest.mark.parametrize("value", [-1.0, 0.3])
def test_a_constant_image_is_reproduced(value: float) -> None:
    image = np.full((1, 48, 64, 3), value, np.float32)
    mask = np.zeros((1, 48, 64, 1), np.float32)
    mask[:, 3:45, 3:61] = 1.0
    np.testing.assert_allclose(membrane_fill(image, mask), image, atol=1e-4)


def test_a_ramp_is_close() -> None:
    ramp = np.broadcast_to(np.linspace(-1, 1, 64, dtype=np.float32)[:, None], (1, 64, 64, 1))
    mask = box(64, 24, 40)
    error = np.abs(membrane_fill(ramp, mask).numpy() - ramp)
    assert error.max() < 0.15  # of 0.5 across the hole


def test_nothing_known_gives_zero() -> None:
    image = np.ones((1, 32, 32, 3), np.float32)
    filled = membrane_fill(image, np.ones((1, 32, 32, 1), np.float32))
    np.testing.assert_array_equal(filled, np.zeros_like(image))


def test_upsample_repeats_pixels() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(upsample(tf.constant(x), 2), x.repeat(2, 1).repeat(2, 2))
    np.testing.assert_allclose(smooth_upsample(tf.ones([1, 3, 4, 2]), 2), np.ones((1, 12, 16, 2)))
