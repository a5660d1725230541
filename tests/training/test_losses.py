"""Losses against numpy, and what each of them looks at."""

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.training import losses


def make(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    images = rng.uniform(-1, 1, (2, 2, 16, 16, 3)).astype(np.float32)
    mask = np.zeros((2, 16, 16, 1), np.float32)
    mask[0, 2:9, 3:12] = 1.0
    mask[1, 8:, 8:] = 1.0
    return images[0], images[1], mask


def hole_mean(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.array([x[i][mask[i, ..., 0] == 1].mean() for i in range(len(x))])


def test_image_terms_are_means_over_the_hole() -> None:
    repaired, image, mask = make()
    error = np.abs(repaired - image)
    expected = hole_mean(error, mask) + 0.1 * hole_mean(error, 1 - mask)
    np.testing.assert_allclose(losses.hole_l1(repaired, image, mask), expected, rtol=1e-4)
    expected = np.log(hole_mean(error**2, mask) + 1e-4)
    np.testing.assert_allclose(losses.log_mse(repaired, image, mask), expected, rtol=1e-4)
    expected = hole_mean(error, mask)
    np.testing.assert_allclose(losses.gradient_l1(repaired, image, mask), expected, rtol=1e-4)
    log_prob = tf.constant(error.sum(-1))
    expected = -hole_mean(error.sum(-1), mask) / 3
    np.testing.assert_allclose(losses.hole_nll(log_prob, mask), expected, rtol=1e-4)


def test_known_pixels_count_in_l1_only() -> None:
    repaired, image, mask = make()
    moved = repaired + 0.3 * (1 - mask)
    for term in (losses.log_mse, losses.gradient_l1):
        np.testing.assert_array_equal(term(moved, image, mask), term(repaired, image, mask))
    assert np.all(losses.hole_l1(moved, image, mask) != losses.hole_l1(repaired, image, mask))


def test_an_empty_hole_costs_nothing() -> None:
    repaired, image, mask = make()
    assert not np.any(losses.masked_mean(tf.abs(repaired - image), 0 * mask))


def test_coarse_l1_compares_averages() -> None:
    _, image, mask = make()
    target = image.reshape(2, 4, 4, 4, 4, 3).mean((2, 4))
    np.testing.assert_allclose(losses.coarse_l1(target, image, mask), [0, 0], atol=1e-6)
    np.testing.assert_allclose(losses.coarse_l1(target + 0.5, image, mask), [0.5, 0.5], rtol=1e-4)


def test_latent_kl_weighs_cells_that_touch_the_hole() -> None:
    mask = np.zeros((1, 16, 16, 1), np.float32)
    mask[0, 0, 0] = 1.0
    divergence = tf.constant([[[5.0, 1.0], [1.0, 1.0]]])
    assert float(losses.latent_kl(divergence, mask)[0]) == pytest.approx(5.3 / 1.3, rel=1e-4)


def test_missing_cross_entropy() -> None:
    logits = tf.constant(np.full((2, 4, 4, 1), 2.0, np.float32))
    mask = tf.constant(np.stack([np.ones((4, 4, 1)), np.zeros((4, 4, 1))]).astype(np.float32))
    ours = losses.missing_cross_entropy(logits, mask)
    np.testing.assert_allclose(ours, np.log1p(np.exp([-2.0, 2.0])), rtol=1e-5)


def test_the_smaller_the_damage_the_more_its_pixels_weigh() -> None:
    mask = np.zeros((2, 20, 20, 1), np.float32)
    mask[0, :2, :2] = 1.0  # 1 % of an image: 10 times the weight of what is whole
    mask[1, :10] = 1.0
    logits = np.where(mask > 0, 1.0, -3.0).astype(np.float32)
    found, whole = np.log1p(np.exp(-1.0)), np.log1p(np.exp(-3.0))
    ours = losses.missing_cross_entropy(tf.constant(logits), tf.constant(mask), slack=0.0)
    rare = (40 * found + 396 * whole) / 436
    half = (2**0.5 * found + whole) / (2**0.5 + 1)
    np.testing.assert_allclose(ours, [rare, half], rtol=1e-5)


def test_faint_damage_counts_in_neither_loss_of_the_finder() -> None:
    mask = np.zeros((1, 8, 8, 1), np.float32)
    mask[:, :2], mask[:, 2:4] = 1.0, 2.0
    sure, unsure = (np.where(mask == 1, 9.0, -9.0).astype(np.float32) for _ in range(2))
    unsure[mask == 2] = 9.0
    for loss in (losses.missing_cross_entropy, losses.overlap_loss):
        np.testing.assert_array_equal(loss(sure, mask), loss(unsure, mask))


def test_overlap_is_1_minus_f1_of_each_image_and_small_damage_counts_as_much_as_large() -> None:
    mask = np.zeros((3, 32, 32, 1), np.float32)
    mask[0, :16], mask[1, :2] = 1.0, 1.0
    found = mask.copy()
    found[0, :8] = found[1, :1] = 0.0  # half of each is found
    logits = np.where(found > 0, 30.0, -30.0).astype(np.float32)
    half = 1 - 2 * 0.5 / 1.5
    ours = losses.overlap_loss(logits, mask, slack=1e-3)
    np.testing.assert_allclose(ours, [half, half, 0.0], atol=1e-3)
    whole = losses.overlap_loss(np.full_like(logits, 30.0), mask)[2]
    assert float(whole) == 0.0  # an undamaged image: cross entropy alone tells what is wrong there


def test_unit_perceptual_sees_directions_and_not_lengths() -> None:
    x = [tf.constant(np.random.default_rng(1).normal(size=(2, 4, 4, 8)), tf.float32)]
    np.testing.assert_allclose(losses.unit_perceptual(x, [5.0 * x[0]]), [0, 0], atol=1e-6)
    np.testing.assert_allclose(losses.unit_perceptual(x, [-x[0]]), [4, 4], rtol=1e-5)


def test_style_and_perceptual_are_zero_for_equals_and_style_ignores_places() -> None:
    a, b, _ = make()
    features, others = (
        [tf.constant(a), tf.constant(a[:, ::2])],
        [tf.constant(b), tf.constant(b[:, ::2])],
    )
    for term in (losses.perceptual, losses.unit_perceptual, losses.style):
        np.testing.assert_array_equal(term(features, features), [0, 0])
        assert np.all(term(features, others) > 0)
    turned = [f[:, ::-1] for f in features]
    np.testing.assert_allclose(losses.style(features, turned), [0, 0], atol=1e-6)
    expected = np.einsum("bhwc,bhwd->bcd", a, a) / 256
    np.testing.assert_allclose(losses.gram_matrix(tf.constant(a)), expected, rtol=1e-4, atol=1e-6)


def test_hinge_losses() -> None:
    mask = tf.constant([[[[1.0], [0.0]]]])
    real, fake = tf.constant([[[[2.0], [0.5]]]]), tf.constant([[[[0.5], [9.0]]]])
    ours = losses.hinge_discriminator(real, fake, mask)
    np.testing.assert_allclose(ours, [0.25 + 1.5], rtol=1e-4)
    np.testing.assert_allclose(losses.hinge_generator(fake, mask), [-0.5], rtol=1e-4)
