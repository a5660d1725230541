"""Refine a map of damage evidence to a mask: a convolutional dense CRF or a maximum-entropy mask distribution.

Both are made of shifts, products and sums over a window, so that they export with the rest of the model.
"""

import math
from typing import Any

import keras
import tensorflow as tf

from cnnlg_tf.config import MaskRefinerConfig
from cnnlg_tf.models.scan import shift

NEXT = ((0, 1), (1, 0))  # the neighbours that a pixel shares a boundary with, each pair once


def window_offsets(radius: int) -> list[tuple[int, int]]:
    """Half of the offsets of a square window without its centre; the other half are their negatives."""
    span = range(-radius, radius + 1)
    return [(y, x) for y in span for x in span if (y, x) > (0, 0)]


def move(x: tf.Tensor, y_distance: int, x_distance: int) -> tf.Tensor:
    """Shift an image in both directions; zeros come in."""
    x = shift(x, y_distance, 1) if y_distance else x
    return shift(x, x_distance, 2) if x_distance else x


@keras.saving.register_keras_serializable("cnnlg")
class MaskRefiner(keras.layers.Layer):
    """call(image, logits): image [b, h, w, 3] in [0, 1]; logits [b, h, w, 1], evidence that a pixel is missing.

    Returns the refined probability, [b, h, w, 1]. It has no weights: its parameters are the config's.

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
        return self._crf(image, logits) if self.config.kind == "crf" else self._maxent(logits)

    def _crf(self, image: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        kernels = [
            (y, x, self._affinity(image, y, x)) for y, x in window_offsets(self.config.radius)
        ]
        total = tf.add_n([k + move(k, y, x) for y, x, k in kernels])
        probability = tf.sigmoid(logits)
        for _ in range(self.config.iterations):
            belief = 2.0 * probability - 1.0
            message = tf.add_n(
                [k * move(belief, -y, -x) + move(k * belief, y, x) for y, x, k in kernels]
            )
            probability = tf.sigmoid(logits + 2.0 * message / (total + 1e-6))
        return probability

    def _affinity(self, image: tf.Tensor, y: int, x: int) -> tf.Tensor:
        """Kernel between each pixel and the one (y, x) further on, 0 where that lies outside."""
        inside = move(tf.ones_like(image[..., :1]), -y, -x)
        difference = tf.reduce_sum(tf.square(image - move(image, -y, -x)), axis=-1, keepdims=True)
        near = float(y * y + x * x) / (2.0 * (0.5 * self.config.radius) ** 2)
        appearance = tf.exp(-difference / (2.0 * 0.08**2) - near)
        smoothness = math.exp(-2.0 * near)
        return inside * (appearance + 0.3 * smoothness)

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
        total = tf.add_n([move(prior, y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)])
        ones = tf.ones_like(prior)
        smooth = total / tf.add_n([move(ones, y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)])
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
        around = tf.add_n([move(belief, y, x) for y, x in ((0, 1), (0, -1), (1, 0), (-1, 0))])
        return tf.sigmoid(by_evidence * evidence + by_area + by_boundary * around)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"config": self.config.model_dump()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MaskRefiner":
        return cls(MaskRefinerConfig(**config.pop("config")), **config)


def _means(*maps: tf.Tensor) -> tf.Tensor:
    """Mean of each map: [b, h, w, 1] each -> [b, n]."""
    return tf.concat([tf.reduce_mean(x, axis=(1, 2)) for x in maps], axis=-1)
