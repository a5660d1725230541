"""The finder: what its hats see, that it learns at all, and that a window does not depend on the batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.config import DamageFinderConfig
from cnnlg_tf.models.damage_finder import HAT_GAIN, DamageFinder, hats


def test_hats_show_what_is_thin_whatever_lies_under_it() -> None:
    image = np.repeat(np.linspace(-0.8, 0.6, 40, dtype=np.float32)[None, None, :, None], 40, 1)
    image = np.repeat(image, 3, -1)
    image[:, 10] += 0.3  # a bright line of 1 px
    image[:, 20:25, 5:35] -= 0.2  # a dark bar of 5 px
    image[:, 27:40] += 0.3  # a region
    thin_bright, thin_dark, wide_bright, wide_dark = np.moveaxis(hats(image).numpy()[0], -1, 0)
    inside = slice(12, 28)
    assert np.all(thin_bright[10, inside] > 0.2 * HAT_GAIN)
    assert np.all(wide_bright[10, inside] > 0.2 * HAT_GAIN)
    assert np.all(wide_dark[21:24, inside] > 0.1 * HAT_GAIN)
    for hat in (thin_bright, thin_dark, wide_bright):
        assert np.all(hat[21:24, inside] < 0.05 * HAT_GAIN)
    assert np.all(np.abs(hats(image).numpy()[0, 31:36, inside]) < 0.05 * HAT_GAIN)


def test_a_window_does_not_depend_on_its_batch() -> None:
    rng = np.random.default_rng(0)
    finder = DamageFinder(DamageFinderConfig(widths=(8, 8, 8, 8)))
    image = rng.uniform(-1.0, 1.0, (4, 32, 32, 3)).astype(np.float32)
    for variable in (finder(image), finder.trainable_variables)[1]:
        if not np.any(variable):
            variable.assign(rng.normal(0.0, 0.3, variable.shape))
    found = finder(image).numpy()
    assert found.std() > 0.01
    np.testing.assert_allclose(finder(image[:1]), found[:1], atol=1e-4)


@pytest.mark.slow
def test_it_learns_to_see_lines_and_windows_do_not_depend_on_their_batch() -> None:
    keras.utils.set_random_seed(0)
    finder, rng = DamageFinder(DamageFinderConfig(widths=(8, 8, 8, 8))), np.random.default_rng(0)

    def draw() -> tuple[np.ndarray, np.ndarray]:
        mask = np.zeros((4, 32, 32, 1), np.float32)
        for each in mask:
            each[rng.integers(2, 30)] = 1.0
        image = rng.uniform(-0.6, 0.6, (4, 1, 1, 3)) + rng.normal(0, 0.03, (4, 32, 32, 3))
        return (image + 0.35 * mask).astype(np.float32), mask

    optimizer = keras.optimizers.Adam(1e-2)

    @tf.function(reduce_retracing=True)
    def train(image: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            entropy = tf.nn.sigmoid_cross_entropy_with_logits(mask, finder(image, training=True))
            loss = tf.reduce_mean(entropy)
        variables = finder.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    for _ in range(90):
        train(*map(tf.constant, draw()))
    image, mask = draw()
    found = finder(image).numpy()
    assert np.mean((found > 0) == (mask > 0.5)) > 0.99
    np.testing.assert_allclose(finder(image[:1]), found[:1], atol=1e-4)
