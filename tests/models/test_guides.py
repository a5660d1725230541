"""The latent guide and the gradient guide."""

import numpy as np
import tensorflow as tf

from cnnlg_tf.config import GradientGuideConfig, LatentGuideConfig
from cnnlg_tf.models.gradient_guide import GradientGuide, image_gradients, known_gradients
from cnnlg_tf.models.latent_guide import LatentGuide

TINY = LatentGuideConfig(stem_width=8, growth=4, dilations=[1, 2])


def test_latent_guide_gives_each_cell_a_distribution() -> None:
    guide = LatentGuide(TINY, latent_channels=5)
    latent = guide(tf.zeros([2, 32, 48, 3]), tf.ones([2, 32, 48, 1]))
    assert latent.mean.shape == latent.log_variance.shape == (2, 4, 6, 5)


def test_every_dense_layer_sees_all_before_it() -> None:
    guide = LatentGuide(TINY, latent_channels=5)
    guide(tf.zeros([1, 16, 16, 3]), tf.zeros([1, 16, 16, 1]))
    assert [layer.kernel.shape[-2] for layer in guide.dense] == [16, 20]
    assert guide.latent_head.kernel.shape[-2] == 24


def test_gradients_are_forward_differences() -> None:
    image = np.random.default_rng(0).normal(size=(1, 5, 6, 2)).astype(np.float32)
    gradients = image_gradients(tf.constant(image)).numpy()
    assert gradients.shape == (1, 5, 6, 4)
    np.testing.assert_allclose(gradients[:, :, :-1, :2], np.diff(image, axis=2))
    np.testing.assert_allclose(gradients[:, :-1, :, 2:], np.diff(image, axis=1))
    assert not gradients[:, :, -1, :2].any() and not gradients[:, -1, :, 2:].any()


def test_a_gradient_is_known_where_both_its_pixels_are() -> None:
    mask = np.zeros((1, 4, 4, 1), np.float32)
    mask[0, 1, 2] = 1.0
    known = known_gradients(tf.constant(mask)).numpy()[0]
    across, down = np.ones((4, 4)), np.ones((4, 4))
    across[1, 1:3] = 0
    down[0:2, 2] = 0
    np.testing.assert_array_equal(known[..., 0], across)
    np.testing.assert_array_equal(known[..., 5], down)


def test_gradient_guide_keeps_known_gradients_and_completes_the_others() -> None:
    guide = GradientGuide(GradientGuideConfig(width=8, layers=2, scan_steps=3))
    rng = np.random.default_rng(0)
    filled = rng.uniform(-1, 1, (1, 16, 20, 3)).astype(np.float32)
    mask = np.zeros((1, 16, 20, 1), np.float32)
    mask[:, 4:9, 6:12] = 1.0
    guide(filled, mask)
    guide.head.bias.assign(tf.ones_like(guide.head.bias))
    completed = guide(filled, mask).numpy()
    own = image_gradients(filled).numpy()
    known = known_gradients(tf.constant(mask)).numpy() == 1
    np.testing.assert_array_equal(completed[known], own[known])
    np.testing.assert_allclose(completed[~known], own[~known] + 1.0, atol=1e-6)
