"""Diagonal Gaussians over latent maps."""

import math
from typing import NamedTuple

import tensorflow as tf

from cnnlg_tf.models import noise


class Gaussian(NamedTuple):
    """Independent normal distributions; both tensors are [batch, height / 8, width / 8, latent]."""

    mean: tf.Tensor
    log_variance: tf.Tensor


def from_parameters(parameters: tf.Tensor) -> Gaussian:
    """Split [..., 2 c] into mean and log variance; the log variance is kept within (-8, 4) softly."""
    mean, raw = tf.split(parameters, 2, axis=-1)
    return Gaussian(mean, 6.0 * tf.tanh(raw / 6.0) - 2.0)


def sample(gaussian: Gaussian, seed: tf.Tensor, temperature: tf.Tensor | float = 1.0) -> tf.Tensor:
    """A draw; `temperature` scales the standard deviation. `seed` is int32 [2]."""
    drawn = tf.cast(noise.normal(tf.shape(gaussian.mean), seed), gaussian.mean.dtype)
    return gaussian.mean + temperature * tf.exp(0.5 * gaussian.log_variance) * drawn


def log_prob(gaussian: Gaussian, value: tf.Tensor) -> tf.Tensor:
    """The log density of a draw in nats, summed over channels: [batch, height / 8, width / 8]."""
    off = tf.square(value - gaussian.mean) * tf.exp(-gaussian.log_variance)
    return -0.5 * tf.reduce_sum(off + gaussian.log_variance + math.log(2.0 * math.pi), axis=-1)


def kl_divergence(q: Gaussian, p: Gaussian) -> tf.Tensor:
    """KL(q || p) in nats at each position, summed over channels: [batch, height / 8, width / 8]."""
    difference = tf.square(q.mean - p.mean) * tf.exp(-p.log_variance)
    ratio = tf.exp(q.log_variance - p.log_variance)
    return 0.5 * tf.reduce_sum(p.log_variance - q.log_variance + ratio + difference - 1.0, axis=-1)


def standard_like(gaussian: Gaussian) -> Gaussian:
    """The standard normal of the same shape."""
    return Gaussian(tf.zeros_like(gaussian.mean), tf.zeros_like(gaussian.log_variance))
