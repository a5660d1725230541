"""Discretised mixture of logistics with coupled channels: the pixel distribution of PixelCNN++ (arXiv 1701.05517).

A pixel takes one of 256 values a channel; a value's probability is the logistic mass of its bin, the first and last
bins take the tails. Within a component green depends on red, blue on red and green. The coupling multiplies the
difference to the component's mean (PixelCNN++ multiplies the value itself): the same family, but the component's mean
is then a parameter that can be read off.
"""

import math
from typing import NamedTuple

import tensorflow as tf

HALF_BIN = 1.0 / 255.0
PARAMETERS_PER_MIXTURE = 10  # 1 weight, 3 means, 3 scales, 3 couplings
MIN_LOG_SCALE = -7.0
MAX_LOG_SCALE = 1.0


class LogisticMixture(NamedTuple):
    """Parameters of the distribution of each pixel, in units of [-1, 1].

    logits: [..., k]; means, log_scales, couplings: [..., 3, k].
    """

    logits: tf.Tensor
    means: tf.Tensor
    log_scales: tf.Tensor
    couplings: tf.Tensor


def unpack(parameters: tf.Tensor, mixtures: int, base: tf.Tensor | None = None) -> LogisticMixture:
    """Read a network's output as a mixture.

    Args:
        parameters: [..., 10 * mixtures].
        mixtures: k, the number of components.
        base: [..., 3] image that the means are an offset to; zero when None.
    """
    k = mixtures
    logits, rest = parameters[..., :k], parameters[..., k:]

    def split(start: int) -> tf.Tensor:
        channels = [rest[..., (start + c) * k : (start + c + 1) * k] for c in range(3)]
        return tf.stack(channels, axis=-2)  # [..., 3, k]

    means = split(0) if base is None else split(0) + base[..., None]
    log_scales = tf.clip_by_value(split(3) - 3.0, MIN_LOG_SCALE, MAX_LOG_SCALE)
    return LogisticMixture(logits, means, log_scales, tf.tanh(split(6)))


def log_prob(mixture: LogisticMixture, image: tf.Tensor) -> tf.Tensor:
    """Log probability in nats of each pixel's three 8-bit values.

    The mass of a bin [b, a] is sigmoid(a) - sigmoid(b), whose logarithm is
    log(1 - exp(b - a)) - softplus(-a) - softplus(b): exact in float32 however narrow or far the bin.

    Args:
        image: [..., 3] in [-1, 1], on the grid of 2 v / 255 - 1.

    Returns:
        [...].
    """
    x = image[..., None]  # [..., 3, 1]
    offset = x - _conditional_means(mixture, x)
    inverse_scale = tf.exp(-mixture.log_scales)
    upper = (offset + HALF_BIN) * inverse_scale
    lower = (offset - HALF_BIN) * inverse_scale
    above_first = tf.cast(x > -1.0 + HALF_BIN, x.dtype)
    below_last = tf.cast(x < 1.0 - HALF_BIN, x.dtype)
    inside = tf.math.log(-tf.math.expm1(-2.0 * HALF_BIN * inverse_scale))
    channel = (
        above_first * below_last * inside
        - below_last * tf.nn.softplus(-upper)
        - above_first * tf.nn.softplus(lower)
    )
    component = tf.reduce_sum(channel, axis=-2) + tf.nn.log_softmax(mixture.logits)  # [..., k]
    return tf.reduce_logsumexp(component, axis=-1)


def mean(mixture: LogisticMixture) -> tf.Tensor:
    """The expected image, [..., 3] in [-1, 1]."""
    weights = tf.nn.softmax(mixture.logits)[..., None, :]
    return tf.clip_by_value(tf.reduce_sum(weights * mixture.means, axis=-1), -1.0, 1.0)


def std(mixture: LogisticMixture) -> tf.Tensor:
    """Standard deviation of each pixel, averaged over colours as a root mean square: [..., 1] in [-1, 1] units."""
    weights = tf.nn.softmax(mixture.logits)[..., None, :]
    own = tf.exp(2.0 * mixture.log_scales) * (math.pi**2 / 3.0)
    red, green = own[..., 0:1, :], own[..., 1:2, :]
    c_green, c_red_blue, c_green_blue = (mixture.couplings[..., i : i + 1, :] for i in range(3))
    green = green + c_green**2 * red
    covariance = c_green * red
    blue = (
        own[..., 2:3, :]
        + c_red_blue**2 * red
        + c_green_blue**2 * green
        + 2.0 * c_red_blue * c_green_blue * covariance
    )
    variance = tf.concat([red, green, blue], axis=-2)
    centre = tf.reduce_sum(weights * mixture.means, axis=-1, keepdims=True)
    total = tf.reduce_sum(weights * (variance + tf.square(mixture.means - centre)), axis=-1)
    return tf.sqrt(tf.reduce_mean(total, axis=-1, keepdims=True))


def moments(parameters: tf.Tensor, mixtures: int, base: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`mean` and `std` of `unpack(parameters, mixtures, base)`, straight from the network's output.

    The same sums without the axes [3, k] of `LogisticMixture`: as many planes of the photo's size, and no more, is
    what runs fast in every runtime, and what TensorRT and LiteRT take.

    Returns:
        (mean [..., 3] in [-1, 1], std [..., 1]).
    """
    k = mixtures
    part = [parameters[..., i * k : (i + 1) * k] for i in range(PARAMETERS_PER_MIXTURE)]
    weights = tf.nn.softmax(part[0])  # [..., k], as is each part
    offsets, couplings = part[1:4], [tf.tanh(x) for x in part[7:10]]
    centres = [tf.reduce_sum(weights * x, axis=-1, keepdims=True) for x in offsets]
    red, green, blue = (
        tf.exp(2.0 * tf.clip_by_value(x - 3.0, MIN_LOG_SCALE, MAX_LOG_SCALE)) * (math.pi**2 / 3.0)
        for x in part[4:7]
    )
    c_green, c_red_blue, c_green_blue = couplings
    green = green + c_green * c_green * red
    blue = (
        blue
        + c_red_blue * c_red_blue * red
        + c_green_blue * c_green_blue * green
        + 2.0 * c_red_blue * c_green_blue * c_green * red
    )
    gaps = [x - centre for x, centre in zip(offsets, centres, strict=True)]
    total = red + green + blue + sum(gap * gap for gap in gaps)
    variance = tf.reduce_sum(weights * total, axis=-1, keepdims=True) / 3.0
    return tf.clip_by_value(base + tf.concat(centres, axis=-1), -1.0, 1.0), tf.sqrt(variance)


def sample(mixture: LogisticMixture, seed: tf.Tensor, temperature: float = 1.0) -> tf.Tensor:
    """Draw an image: [..., 3] in [-1, 1] on the 8-bit grid.

    Args:
        seed: int32 [2]; the same seed gives the same image.
        temperature: scales the logistic noise; 0 gives a component's mean.
    """
    seeds = tf.random.split(seed, 2)
    shape = tf.shape(mixture.logits)
    uniform = tf.random.stateless_uniform(shape, seeds[0], 1e-5, 1.0 - 1e-5)
    gumbel = -tf.math.log(-tf.math.log(uniform))
    chosen = tf.one_hot(tf.argmax(mixture.logits + gumbel, axis=-1), mixture.logits.shape[-1])
    pick = [tf.reduce_sum(p * chosen[..., None, :], axis=-1) for p in mixture[1:]]
    means, log_scales, couplings = pick  # [..., 3] each
    uniform = tf.random.stateless_uniform(tf.shape(means), seeds[1], 1e-5, 1.0 - 1e-5)
    noise = (tf.math.log(uniform) - tf.math.log1p(-uniform)) * tf.exp(log_scales) * temperature
    red = noise[..., 0]
    green = noise[..., 1] + couplings[..., 0] * red
    blue = noise[..., 2] + couplings[..., 1] * red + couplings[..., 2] * green
    image = tf.clip_by_value(means + tf.stack([red, green, blue], axis=-1), -1.0, 1.0)
    return tf.round((image + 1.0) * 127.5) / 127.5 - 1.0


def _conditional_means(mixture: LogisticMixture, x: tf.Tensor) -> tf.Tensor:
    """Means of red, green given red, blue given red and green: [..., 3, k]."""
    means, couplings = mixture.means, mixture.couplings
    red = x[..., 0:1, :] - means[..., 0:1, :]
    green = x[..., 1:2, :] - means[..., 1:2, :]
    return tf.concat(
        [
            means[..., 0:1, :],
            means[..., 1:2, :] + couplings[..., 0:1, :] * red,
            means[..., 2:3, :] + couplings[..., 1:2, :] * red + couplings[..., 2:3, :] * green,
        ],
        axis=-2,
    )
