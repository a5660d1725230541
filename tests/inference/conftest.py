"""A stand-in for the network, so that the work around it is tested exactly and quickly."""

from typing import Any

import pytest
import tensorflow as tf


class MeanFill:
    """Fills each hole with the mean of what is known, as CNNLG would be called; counts pixels."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def _look(self, height: Any, width: Any) -> Any:
        self.seen.append((int(height), int(width)))
        return height

    def repair(
        self, image: Any, mask: Any, detail: Any = 1.0, reference: Any = None
    ) -> tuple[Any, Any]:
        height, width = tf.shape(image)[1], tf.shape(image)[2]
        with tf.control_dependencies([tf.numpy_function(self._look, [height, width], tf.int32)]):
            known = 1.0 - mask
            total = tf.reduce_sum(image * known, axis=(1, 2), keepdims=True)
            count = tf.reduce_sum(known, axis=(1, 2), keepdims=True)
            mean = tf.where(count > 0, total / tf.maximum(count, 1.0), 0.5)
        if reference is not None:
            mean = tf.reduce_mean(reference, axis=(1, 2), keepdims=True)
        return tf.where(mask > 0.5, mean * tf.minimum(detail, 1.0), image), 0.25 * mask

    def sample(
        self, image: Any, mask: Any, seed: Any, temperature: Any = 1.0, detail: Any = 1.0
    ) -> Any:
        noise = tf.random.stateless_uniform(tf.shape(image), seed)
        return tf.where(mask > 0.5, noise, image)

    def find_damage(self, image: Any) -> tuple[Any, Any]:
        found = tf.cast(tf.reduce_min(image, axis=-1, keepdims=True) > 0.99, tf.float32)
        return found, found


@pytest.fixture
def mean_fill() -> MeanFill:
    return MeanFill()
