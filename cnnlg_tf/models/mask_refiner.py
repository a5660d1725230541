"""Refine a map of damage evidence to a mask: a convolutional dense CRF or a maximum-entropy mask distribution.

Both are made of small convolutions, products and sums over a window, so that they export with the rest of the model.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnlg_tf.config import MaskRefinerConfig
from cnnlg_tf.models.scan import shift

NEXT = ((0, 1), (1, 0))  # the neighbours that a pixel shares a boundary with, each pair once
NEAREST = ((0, 1), (0, -1), (1, 0), (-1, 0))
LIKENESS = 0.08  # deviation of colours, of [0, 1], that the CRF takes for the same
SMOOTHNESS = 0.3  # weight of its kernel that looks at no colours


def window_offsets(radius: int) -> list[tuple[int, int]]:
    """All offsets (y, x) of a square window but its centre."""
    span = range(-radius, radius + 1)
    return [(y, x) for y in span for x in span if (y, x) != (0, 0)]


def move(x: tf.Tensor, y_distance: int, x_distance: int) -> tf.Tensor:
    """Shift an image in both directions; zeros come in."""
    x = shift(x, y_distance, 1) if y_distance else x
    return shift(x, x_distance, 2) if x_distance else x


def look_around(x: tf.Tensor, radius: int) -> tf.Tensor:
    """What each pixel's neighbours hold, in the order of `window_offsets`; zeros beyond the border.

    [b, h, w, c] -> [b, h, w, c * n], channel by channel.
    """
    side, offsets = 2 * radius + 1, window_offsets(radius)
    kernel = np.zeros((side, side, x.shape[-1], len(offsets)), np.float32)
    for at, (y, x_offset) in enumerate(offsets):
        kernel[radius + y, radius + x_offset, :, at] = 1.0
    return tf.nn.depthwise_conv2d(x, tf.constant(kernel, x.dtype), [1, 1, 1, 1], "SAME")


@keras.saving.register_keras_serializable("cnnlg")
class MaskRefiner(keras.layers.Layer):
    """call(image, logits): image [b, h, w, 3] in [0, 1]; logits [b, h, w, 1], evidence that a pixel is missing.

    Returns the refined probability, [b, h, w, 1]. It has no weights: its parameters are the config's.

    - `none`: the evidence's own probability.
    - `crf`: mean field on a dense CRF within a window (Convolutional CRFs, arXiv 1805.04777), with an appearance
      kernel (near and of like colour) and a smoothness kernel (near).
    - `maxent`: among all mask distributions whose expected evidence, area and boundary length are those of the guide's
      map, the one of greatest entropy. It is an exponential family; its multipliers are found by dual ascent, its
      marginals by mean field.
    """

    def __init__(self, config: MaskRefinerConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config

    def call(self, image: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        if self.config.kind == "none":
            return tf.sigmoid(logits)
        return self._crf(image, logits) if self.config.kind == "crf" else self._maxent(logits)

    def _crf(self, image: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        radius = self.config.radius
        kernels = self._kernels(image)  # [b, h, w, n]
        share = self.config.strength / (tf.reduce_sum(kernels, axis=-1, keepdims=True) + 1e-6)
        probability = tf.sigmoid(logits)
        for _ in range(self.config.iterations):
            around = look_around(2.0 * probability - 1.0, radius)
            message = tf.reduce_sum(kernels * around, axis=-1, keepdims=True)
            probability = tf.sigmoid(logits + share * message)
        return probability

    def _kernels(self, image: tf.Tensor) -> tf.Tensor:
        """How much each pixel heeds each of its neighbours, 0 where there is none: [b, h, w, n]."""
        radius = self.config.radius
        offsets = np.array(window_offsets(radius), np.float32)
        near = np.sum(offsets**2, axis=-1) / (2.0 * (0.5 * radius) ** 2)
        around = tf.reshape(
            look_around(image, radius), tf.concat([tf.shape(image), [len(offsets)]], axis=0)
        )
        apart = tf.reduce_sum(tf.square(around - image[..., None]), axis=-2)
        appearance = tf.exp(-apart / (2.0 * LIKENESS**2) - near)
        inside = look_around(tf.ones_like(image[..., :1]), radius)
        return inside * (appearance + SMOOTHNESS * np.exp(-2.0 * near))

    def _maxent(self, logits: tf.Tensor) -> tf.Tensor:
        evidence = tf.tanh(0.5 * logits)  # in (-1, 1), positive = missing
        prior = tf.sigmoid(logits)
        targets = self._targets(evidence, prior)
        # log p(mask) = l0 sum(evidence m) + l1 sum(m) - l2 boundary(m) - log Z
        multipliers = tf.zeros([tf.shape(logits)[0], 1]) + tf.constant([[2.0, 0.0, 0.5]])
        probability = prior
        for _ in range(self.config.iterations):
            for _ in range(2):
                around = self._marginals(evidence, probability, multipliers)
                probability = 0.5 * (probability + around)
            multipliers += 2.0 * (targets - self._statistics(evidence, probability))
            multipliers = tf.clip_by_value(multipliers, [[-20.0, -20.0, 0.0]], [[20.0, 20.0, 1.5]])
        return self._marginals(evidence, probability, multipliers)

    def _targets(self, evidence: tf.Tensor, prior: tf.Tensor) -> tf.Tensor:
        """The map's evidence and area a pixel, and (negative) boundary length averaged over its level sets: [b, 3].

        The boundary is that of the map averaged over 3 x 3 pixels: specks would count for most of it otherwise.
        """
        ones = tf.ones_like(prior)
        smooth = _box(prior) / _box(ones)
        boundary = tf.add_n(
            [move(ones, -y, -x) * tf.abs(smooth - move(smooth, -y, -x)) for y, x in NEXT]
        )
        return _means(evidence * prior, prior, -boundary)

    def _statistics(self, evidence: tf.Tensor, probability: tf.Tensor) -> tf.Tensor:
        """Expected evidence, area and (negative) boundary length a pixel, of independent pixels: [b, 3]."""
        ones, parts = tf.ones_like(probability), []
        for y, x in NEXT:
            other = move(probability, -y, -x)
            parts.append(move(ones, -y, -x) * (probability + other - 2.0 * probability * other))
        return _means(evidence * probability, probability, -tf.add_n(parts))

    def _marginals(
        self, evidence: tf.Tensor, probability: tf.Tensor, multipliers: tf.Tensor
    ) -> tf.Tensor:
        by_evidence, by_area, by_boundary = (multipliers[:, i, None, None, None] for i in range(3))
        belief = 2.0 * probability - 1.0
        around = tf.add_n([move(belief, y, x) for y, x in NEAREST])
        return tf.sigmoid(by_evidence * evidence + by_area + by_boundary * around)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"config": self.config.model_dump()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MaskRefiner":
        return cls(MaskRefinerConfig(**config.pop("config")), **config)


def _box(x: tf.Tensor) -> tf.Tensor:
    """The sum over 3 x 3 pixels: [b, h, w, 1] -> the same."""
    return tf.nn.conv2d(x, tf.ones([3, 3, 1, 1], x.dtype), 1, "SAME")


def _means(*maps: tf.Tensor) -> tf.Tensor:
    """Mean of each map: [b, h, w, 1] each -> [b, n]."""
    return tf.concat([tf.reduce_mean(x, axis=(1, 2)) for x in maps], axis=-1)
