"""Votes of the patches that cover a cell: each brings the pixels that it lays there, the cheaper ones count more."""

from typing import NamedTuple

import tensorflow as tf

from cnnlg_tf.models.patch_sources import PATCH, UNUSABLE


class Votes(NamedTuple):
    """What the patches that cover each of n cells say.

    mean: [n, 12], weighted; share: [n, 1, 9], what each counts; brought: [n, 9, 12], what each brings; cost: [n, 1],
    the patches' mean, a pixel; some: [n, 1], 1 where there is a vote.
    """

    mean: tf.Tensor
    share: tf.Tensor
    brought: tf.Tensor
    cost: tf.Tensor
    some: tf.Tensor

    @property
    def variance(self) -> tf.Tensor:
        """Of the votes about their mean, over the cell's values: [n, 1]."""
        second = tf.matmul(self.share, tf.square(self.brought))[:, 0]
        variance = tf.nn.relu(second - tf.square(self.mean))
        return tf.reduce_mean(variance, axis=-1, keepdims=True)


def count_votes(brought: tf.Tensor, cost: tf.Tensor, weights: tf.Tensor) -> Votes:
    """Count what patches bring, [n, 9, 12], each at a cost, UNUSABLE where there is none, and with a weight: [n, 9]."""
    good = tf.cast(cost < 0.5 * UNUSABLE, tf.float32)
    cost = good * cost / PATCH**2
    count = tf.maximum(tf.reduce_sum(good, axis=1, keepdims=True), 1.0)
    typical = tf.reduce_sum(cost, axis=1, keepdims=True) / count
    share = good * tf.exp(-cost / (0.7 * typical + 2.0)) * weights
    total = tf.reduce_sum(share, axis=1, keepdims=True)
    some = tf.cast(total > 0.0, tf.float32)
    share = (share / tf.maximum(total, 1e-20))[:, None]
    return Votes(tf.matmul(share, brought)[:, 0], share, brought, typical, some)
