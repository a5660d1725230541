"""Guided copy: windows, which of them may be copied, and that a copy lands where it belongs."""

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.config import GuidedCopyConfig
from cnnlg_tf.models.guided_copy import (
    GuidedCopy,
    Source,
    extract_windows,
    fold_windows,
    high_frequencies,
    hole_depth,
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
    copied, confidence = make_layer(4)(tf.constant(phases), source.mask, [source])
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
    copied, _ = make_layer(5, sharpness=1.0)(features, mask, [Source(features, detail, mask)])
    np.testing.assert_allclose(copied[:, 8:-8, 8:-8], np.ones((1, 48, 48, 3)), atol=1e-4)


def test_nothing_usable_copies_nothing() -> None:
    features, detail = tf.ones([1, 4, 4, 5]), tf.ones([1, 32, 32, 3])
    copied, confidence = make_layer(5)(
        features, tf.ones([1, 32, 32, 1]), [Source(features, detail, tf.ones([1, 32, 32, 1]))]
    )
    assert not np.any(copied) and not np.any(confidence)


def test_reference_photos_are_used() -> None:
    """A reference that looks like the hole is copied, not the photo's own unlike windows."""
    query = tf.one_hot(tf.zeros([1, 4, 4], tf.int32), 4)
    own = Source(tf.one_hot(tf.ones([1, 4, 4], tf.int32), 4), tf.zeros([1, 32, 32, 3]), _known(32))
    other = Source(
        tf.one_hot(tf.zeros([1, 6, 8], tf.int32), 4), tf.ones([1, 48, 64, 3]), _known(48, 64)
    )
    copied, _ = make_layer(4)(query, _known(32), [own, other])
    np.testing.assert_allclose(copied[:, 4:-4, 4:-4], np.ones((1, 24, 24, 3)), atol=1e-4)


def _known(height: int, width: int = 0) -> tf.Tensor:
    return tf.zeros([1, height, width or height, 1])


def test_high_frequencies_leave_out_what_is_smooth() -> None:
    flat = high_frequencies(tf.fill([1, 16, 16, 3], 0.4))
    np.testing.assert_allclose(flat, np.zeros((1, 16, 16, 3)), atol=1e-6)
    checks = np.indices((16, 16)).sum(0) % 2 * 2.0 - 1.0
    image = tf.constant(np.repeat(checks[None, ..., None], 3, -1), tf.float32)
    np.testing.assert_allclose(high_frequencies(image), image, atol=1e-6)


def test_neighbours_decide_between_equals() -> None:
    """Of two positions with the same features, the one whose neighbours agree is copied."""
    rows = np.zeros((1, 5, 16, 4), np.float32)
    rows[..., 0] = 1.0  # everywhere alike ...
    # ... but three places, of which the second is the query
    rows[:, 2, [2, 8, 13]] = [0.0, 1.0, 0.0, 0.0]
    rows[:, 1:4, [1, 3, 7, 9]] = [0.0, 0.0, 1.0, 0.0]  # and the first has the query's neighbours
    detail = np.zeros((1, 40, 128, 3), np.float32)
    detail[:, 12:28, 12:28] = 1.0
    detail[:, 12:28, 100:116] = -1.0
    mask = np.zeros((1, 40, 128, 1), np.float32)
    mask[:, 16:24, 64:72] = 1.0
    copied, _ = make_layer(4)(tf.constant(rows), mask, [Source(rows, detail, mask)])
    assert np.all(copied.numpy()[0, 19:21, 67:69] > 0.5)


def test_depth_is_zero_in_strokes_and_one_deep_inside() -> None:
    mask = np.zeros((1, 128, 128, 1), np.float32)
    mask[:, :, 8:20] = 1.0
    mask[:, 32:112, 48:120] = 1.0
    depth = hole_depth(tf.constant(mask)).numpy()[0, ..., 0]
    assert not depth[:, 8:20].any() and not depth[mask[0, ..., 0] == 0].any()
    np.testing.assert_allclose(depth[64:80, 72:96], 1.0, atol=1e-6)
    assert depth[32:112, 48:120].min() < 0.3


def test_what_many_would_take_loses_similarity() -> None:
    layer = make_layer(4, sharpness=30.0)
    similarity = np.full((1, 4, 3), 0.5, np.float32)
    similarity[..., 1] = 1.0
    mask = np.zeros((1, 16, 16, 1), np.float32)
    assert not np.any(layer._popularity(tf.constant(similarity), mask))
    mask[:, :8] = 1.0  # two of the four positions
    loss = layer._popularity(tf.constant(similarity), mask).numpy()[0, 0]
    np.testing.assert_allclose(loss, [0.0, np.log(3.0) / 30.0, 0.0], atol=1e-4)


def test_a_hole_takes_from_many_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions of a hole that look nearly the same take from more places than the one that fits best."""
    rng = np.random.default_rng(0)
    features = rng.normal(1.0, 0.2, size=(1, 16, 16, 4)).astype(np.float32)
    features[:, :8] = rng.normal(1.0, 0.02, size=(1, 8, 16, 4))
    mask = np.zeros((1, 128, 128, 1), np.float32)
    mask[:, :64] = 1.0
    detail = rng.normal(size=(1, 128, 128, 3)).astype(np.float32)
    layer = make_layer(4, sharpness=300.0)

    def places() -> int:
        copied, _ = layer(tf.constant(features), mask, [Source(features, detail, mask)])
        centres = copied.numpy()[0, 4:60:8, 12:120:8, 0]
        return len(np.unique(centres.round(3)))

    shared = places()
    monkeypatch.setattr(GuidedCopy, "_popularity", lambda *_: 0.0)
    assert shared > 1.1 * places()
