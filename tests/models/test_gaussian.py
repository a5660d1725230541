"""Diagonal Gaussians: draws, and the divergence in closed form."""

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.models import gaussian
from cnnlg_tf.models.gaussian import Gaussian


def make(seed: int, shape: tuple[int, ...] = (2, 3, 3, 4)) -> Gaussian:
    rng = np.random.default_rng(seed)
    mean, spread = rng.normal(size=shape), rng.uniform(-2, 1, shape)
    return Gaussian(tf.constant(mean, tf.float32), tf.constant(spread, tf.float32))


def test_kl_divergence_is_that_of_samples_and_zero_for_equals() -> None:
    q, p = make(0, (1, 1, 1, 2)), make(1, (1, 1, 1, 2))
    np.testing.assert_allclose(gaussian.kl_divergence(q, q), np.zeros((1, 1, 1)), atol=1e-6)
    mean, std = q.mean.numpy(), np.exp(0.5 * q.log_variance.numpy())
    draws = mean + std * np.random.default_rng(2).normal(size=(200_000, 1, 1, 2))

    def log_density(g: Gaussian, x: np.ndarray) -> np.ndarray:
        variance = np.exp(g.log_variance.numpy())
        terms = (x - g.mean.numpy()) ** 2 / variance + np.log(2 * np.pi * variance)
        return np.sum(-0.5 * terms, axis=-1)

    estimate = np.mean(log_density(q, draws) - log_density(p, draws))
    assert float(gaussian.kl_divergence(q, p)[0, 0, 0]) == pytest.approx(estimate, rel=0.03)


def test_samples_are_seeded_and_scaled() -> None:
    g = make(3)
    seed = tf.constant([4, 5])
    np.testing.assert_array_equal(gaussian.sample(g, seed), gaussian.sample(g, seed))
    np.testing.assert_array_equal(gaussian.sample(g, seed, 0.0), g.mean)
    one, half = (gaussian.sample(g, seed, t) - g.mean for t in (1.0, 0.5))
    np.testing.assert_allclose(half, 0.5 * one, atol=1e-6)


def test_log_variance_is_kept_in_its_range() -> None:
    extreme = gaussian.from_parameters(tf.constant([[0.0, 1e3], [0.0, -1e3]]))
    np.testing.assert_allclose(extreme.log_variance[:, 0], [4.0, -8.0])
    standard = gaussian.standard_like(make(0))
    assert not np.any(standard.mean) and not np.any(standard.log_variance)
