"""Guided copy: windows, which of them may be copied, and that a copy lands where it belongs."""

import numpy as np
import tensorflow as tf

from cnnlg_tf.config import GuidedCopyConfig
from cnnlg_tf.models.guided_copy import (
    GuidedCopy,
    Source,
    extract_windows,
    fold_windows,
    high_frequencies,
)


def make_layer(channels: int, sharpness: float = 1e4) -> GuidedCopy:
    """A copy layer that compares features as they are."""
    layer = GuidedCopy(GuidedCopyConfig(width=max(channels, 4), sharpness=sharpness))
    layer.project.build((None, channels))
    layer.project.kernel.assign(tf.eye(channels, max(channels, 4)))
    return layer


def test_windows_fold_back_to_the_image() -> None:
    image = np.random.default_rng(0).normal(size=(2, 32, 48, 3)).astype(np.float32)
    windows = extract_windows(tf.constant(image))
    assert windows.shape == (2, 4, 6, 768)
    folded = fold_windows(windows, 3).numpy()
    inner = (slice(None), slice(4, -4), slice(4, -4))
    np.testing.assert_allclose(folded[inner], image[inner], atol=1e-5)


def test_a_periodic_texture_is_copied_into_the_hole() -> None:
    """Features that name the phase of a texture of period 16 px let the hard copy land exactly."""
    rng = np.random.default_rng(1)
    detail = np.tile(rng.normal(size=(1, 16, 16, 3)), (1, 6, 6, 1)).astype(np.float32)
    phases = np.tile(np.eye(4, dtype=np.float32).reshape(1, 2, 2, 4), (1, 6, 6, 1))
    mask = np.zeros((1, 96, 96, 1), np.float32)
    mask[:, 40:56, 40:56] = 1.0
    source = Source(tf.constant(phases), tf.constant(detail * (1 - mask)), tf.constant(mask))
    copied, confidence = make_layer(4)(tf.constant(phases), [source])
    hole = (0, slice(40, 56), slice(40, 56))
    np.testing.assert_allclose(copied.numpy()[hole], detail[hole], atol=1e-3)
    assert confidence.shape == (1, 12, 12, 1)
    assert 0 < float(tf.reduce_min(confidence)) <= float(tf.reduce_max(confidence)) <= 1


def test_windows_with_a_missing_pixel_are_never_copied() -> None:
    detail = np.ones((1, 64, 64, 3), np.float32)
    mask = np.zeros((1, 64, 64, 1), np.float32)
    mask[:, 30, 30] = 1.0
    detail[:, 30, 30] = 1e6
    features = tf.random.stateless_normal([1, 8, 8, 5], [0, 1])
    copied, _ = make_layer(5, sharpness=1.0)(features, [Source(features, detail, mask)])
    np.testing.assert_allclose(copied[:, 8:-8, 8:-8], np.ones((1, 48, 48, 3)), atol=1e-4)


def test_nothing_usable_copies_nothing() -> None:
    features, detail = tf.ones([1, 4, 4, 5]), tf.ones([1, 32, 32, 3])
    copied, confidence = make_layer(5)(
        features, [Source(features, detail, tf.ones([1, 32, 32, 1]))]
    )
    assert not np.any(copied) and not np.any(confidence)


def test_reference_photos_are_used() -> None:
    """A reference that looks like the hole is copied, not the photo's own unlike windows."""
    query = tf.one_hot(tf.zeros([1, 4, 4], tf.int32), 4)
    own = Source(tf.one_hot(tf.ones([1, 4, 4], tf.int32), 4), tf.zeros([1, 32, 32, 3]), _known(32))
    other = Source(
        tf.one_hot(tf.zeros([1, 6, 8], tf.int32), 4), tf.ones([1, 48, 64, 3]), _known(48, 64)
    )
    copied, _ = make_layer(4)(query, [own, other])
    np.testing.assert_allclose(copied[:, 4:-4, 4:-4], np.ones((1, 24, 24, 3)), atol=1e-4)


def _known(height: int, width: int = 0) -> tf.Tensor:
    return tf.zeros([1, height, width or height, 1])


def test_high_frequencies_leave_out_what_is_smooth() -> None:
    flat = high_frequencies(tf.fill([1, 16, 16, 3], 0.4))
    np.testing.assert_allclose(flat, np.zeros((1, 16, 16, 3)), atol=1e-6)
    checks = np.indices((16, 16)).sum(0) % 2 * 2.0 - 1.0
    image = tf.constant(np.repeat(checks[None, ..., None], 3, -1), tf.float32)
    np.testing.assert_allclose(high_frequencies(image), image, atol=1e-6)
