"""The pixel distribution against a numpy reference, against its own total, and against its samples."""

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.models import likelihood
from cnnlg_tf.models.likelihood import LogisticMixture

GRID = np.arange(256) / 127.5 - 1.0


def make_mixture(
    shape: tuple[int, ...] = (), mixtures: int = 3, seed: int = 0, scale: float = -2.5
) -> LogisticMixture:
    rng = np.random.default_rng(seed)
    triples = (*shape, 3, mixtures)
    return LogisticMixture(
        tf.constant(rng.normal(size=(*shape, mixtures)), tf.float32),
        tf.constant(rng.uniform(-0.8, 0.8, triples), tf.float32),
        tf.constant(rng.normal(scale, 0.5, triples), tf.float32),
        tf.constant(rng.uniform(-0.9, 0.9, triples), tf.float32),
    )


def reference_log_prob(mixture: LogisticMixture, pixel: np.ndarray) -> float:
    """In float64, term by term, as the definition reads."""
    logits, means, log_scales, couplings = (np.asarray(p, np.float64) for p in mixture)

    def sigmoid(x: float) -> float:
        return float(1.0 / (1.0 + np.exp(-x)))

    total = 0.0
    for k, share in enumerate(np.exp(logits) / np.exp(logits).sum()):
        red, green, blue = (pixel - means[:, k])[:3]
        shift = [
            0.0,
            couplings[0, k] * red,
            couplings[1, k] * red + couplings[2, k] * green,
        ]
        product = share
        for c, value in enumerate(pixel):
            scale = np.exp(log_scales[c, k])
            offset = value - means[c, k] - shift[c]
            upper = 1.0 if value == 1.0 else sigmoid((offset + 1 / 255) / scale)
            lower = 0.0 if value == -1.0 else sigmoid((offset - 1 / 255) / scale)
            product *= upper - lower
        total += product
    return float(np.log(total))


@pytest.mark.parametrize("levels", [(0, 128, 255), (255, 0, 0), (90, 100, 110), (1, 254, 127)])
def test_log_prob_is_the_definition(levels: tuple[int, ...]) -> None:
    mixture, pixel = make_mixture(), GRID[list(levels)]
    ours = float(likelihood.log_prob(mixture, tf.constant(pixel, tf.float32)))
    assert ours == pytest.approx(reference_log_prob(mixture, pixel), rel=1e-4)


@pytest.mark.parametrize("scale", [-6.5, -2.5, 0.5])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_probabilities_of_all_values_sum_to_one(channel: int, scale: float) -> None:
    """The 256 probabilities of a channel given the channels before it, later ones left out."""
    mixture = make_mixture(mixtures=1, scale=scale, seed=channel)
    # A later channel that lies far below the range is in its first bin for certain.
    below = tf.constant([[-1e4 if c > channel else 0.0] for c in range(3)])
    mixture = mixture._replace(means=mixture.means + below)
    pixels = np.full((256, 3), -1.0)
    pixels[:, :channel] = GRID[140]
    pixels[:, channel] = GRID
    batched = LogisticMixture(*(tf.repeat(p[None], 256, axis=0) for p in mixture))
    joint = np.asarray(likelihood.log_prob(batched, tf.constant(pixels, tf.float32)), np.float64)
    before = _log_prob_before(mixture, GRID[140], channel)
    assert np.exp(joint - before).sum() == pytest.approx(1.0, abs=1e-3)


def _log_prob_before(mixture: LogisticMixture, value: float, channel: int) -> float:
    """Log probability that the channels before `channel` have `value`, for one component."""
    means, scales, couplings = (np.asarray(p[:, 0], np.float64) for p in mixture[1:])
    shifts = (0.0, couplings[0] * (value - means[0]))
    total = 0.0
    for c in range(channel):
        offset = value - means[c] - shifts[c]
        upper, lower = ((offset + half) / np.exp(scales[c]) for half in (1 / 255, -1 / 255))
        total += float(np.log(-np.expm1(lower - upper)))
        total -= float(np.logaddexp(0, -upper) + np.logaddexp(0, lower))
    return total


def test_mean_and_std_are_those_of_samples() -> None:
    mixture = make_mixture(seed=3, scale=-4.0)
    count = 40_000
    many = LogisticMixture(*(tf.repeat(p[None], count, axis=0) for p in mixture))
    draws = np.asarray(likelihood.sample(many, tf.constant([1, 2])))
    np.testing.assert_allclose(likelihood.mean(mixture), draws.mean(0), atol=0.01)
    spread = np.sqrt(draws.var(0).mean())
    assert float(likelihood.std(mixture)[0]) == pytest.approx(spread, rel=0.02)


def test_moments_are_mean_and_std_of_the_same_parameters() -> None:
    rng = np.random.default_rng(5)
    parameters = tf.constant(rng.normal(size=(2, 4, 5, 30)), tf.float32)
    base = tf.constant(rng.uniform(-0.9, 0.9, (2, 4, 5, 3)), tf.float32)
    mixture = likelihood.unpack(parameters, 3, base)
    mean, std = likelihood.moments(parameters, 3, base)
    np.testing.assert_allclose(mean, likelihood.mean(mixture), atol=1e-5)
    np.testing.assert_allclose(std, likelihood.std(mixture), rtol=1e-4)


def test_samples_are_seeded_and_on_the_grid() -> None:
    mixture = make_mixture((4, 5))
    first = likelihood.sample(mixture, tf.constant([7, 0])).numpy()
    again = likelihood.sample(mixture, tf.constant([7, 0])).numpy()
    other = likelihood.sample(mixture, tf.constant([8, 0])).numpy()
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    levels = (first + 1) * 127.5
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
    assert first.min() >= -1 and first.max() <= 1


def test_temperature_zero_gives_a_components_mean() -> None:
    mixture = make_mixture(mixtures=1)
    drawn = likelihood.sample(mixture, tf.constant([0, 0]), temperature=0.0)
    np.testing.assert_allclose(drawn, mixture.means[:, 0], atol=1 / 255 + 1e-6)


def test_unpack_reads_each_parameter_once() -> None:
    parameters = tf.range(20, dtype=tf.float32) / 100.0
    mixture = likelihood.unpack(parameters, 2)
    assert mixture.logits.shape == (2,) and mixture.means.shape == (3, 2)
    np.testing.assert_allclose(mixture.means, [[0.02, 0.03], [0.04, 0.05], [0.06, 0.07]])
    np.testing.assert_allclose(mixture.log_scales[0], [-2.92, -2.91])
    np.testing.assert_allclose(mixture.couplings[0], np.tanh([0.14, 0.15]), rtol=1e-5)
    moved = likelihood.unpack(parameters, 2, tf.constant([0.5, 0.0, -0.5]))
    np.testing.assert_allclose(moved.means[0], [0.52, 0.53])
    extreme = likelihood.unpack(tf.fill([20], 1e4), 2)
    assert float(tf.reduce_max(extreme.log_scales)) == likelihood.MAX_LOG_SCALE


def test_log_prob_stays_finite_for_the_narrowest_and_the_farthest() -> None:
    mixture = make_mixture(mixtures=1)._replace(
        means=tf.fill([3, 1], -3.0), log_scales=tf.fill([3, 1], likelihood.MIN_LOG_SCALE)
    )
    with tf.GradientTape() as tape:
        tape.watch(mixture.means)
        value = likelihood.log_prob(mixture, tf.constant([1.0, -1.0, 0.1]))
    assert np.isfinite(float(value))
    assert np.all(np.isfinite(tape.gradient(value, mixture.means)))
