"""LPIPS 0.1 with AlexNet (Zhang et al., 2018): how different two images look; 0 = the same.

AlexNet's features after each of its five ReLUs are scaled to unit length at every point. Their
squared difference is weighted by a learnt head for each layer, averaged over the points and summed
over the layers. The measure judges repairs and is never trained on.
"""

from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from cnnlg_tf.errors import CheckpointError, ImageError

MINIMUM_SIDE = 31
"""Pixels: below this AlexNet's second pooling has no full window."""

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_STRIDES = (4, 1, 1, 1, 1)
_PADDING = (2, 2, 1, 1, 1)
_POOLED = (False, True, True, False, False)  # a 3x3/2 max pooling stands before these layers


class Lpips:
    """Call it with two batches of images to get one distance a pair.

    Args:
        weights: an .npz with `conv{1..5}_kernel` (HWIO), `conv{1..5}_bias` and `head{1..5}`. The
            default ships with the package: rounded to float16, it moves distances by under 2e-4.

    Raises:
        CheckpointError: the weights cannot be read or lack an array.
    """

    def __init__(self, weights: str | Path | None = None) -> None:
        path = Path(str(resources.files("cnnlg_tf.weights") / "lpips_alexnet.npz"))
        path = path if weights is None else Path(weights)
        try:
            with np.load(path) as arrays:
                self._layers = [
                    tuple(
                        tf.constant(arrays[name], tf.float32)
                        for name in (f"conv{i}_kernel", f"conv{i}_bias", f"head{i}")
                    )
                    for i in range(1, 6)
                ]
        except (OSError, ValueError, KeyError) as error:
            raise CheckpointError(f"LPIPS weights {path} cannot be read: {error}") from error
        shape = tf.TensorSpec([None, None, None, 3], tf.float32)
        self._distance = tf.function(self._distance_graph, input_signature=(shape, shape))

    def __call__(
        self, image: npt.NDArray[np.floating], reference: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.float64]:
        """Distances of pairs: two [batch, height, width, 3] in [0, 1] give [batch].

        Raises:
            ImageError: the two differ in shape, are no batches of RGB images, or are under 31 px.
        """
        if image.shape != reference.shape or image.ndim != 4 or image.shape[3] != 3:
            raise ImageError(
                "image and reference must be [batch, height, width, 3] of the same size. "
                f"Received: image.shape={image.shape}, reference.shape={reference.shape}"
            )
        if min(image.shape[1:3]) < MINIMUM_SIDE:
            raise ImageError(
                f"LPIPS needs images of at least {MINIMUM_SIDE}x{MINIMUM_SIDE} pixels. "
                f"Received: shape={image.shape}"
            )
        distance = self._distance(tf.cast(image, tf.float32), tf.cast(reference, tf.float32))
        return np.asarray(distance, dtype=np.float64)

    def _distance_graph(self, image: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        batch = tf.shape(image)[0]
        both = tf.concat([image, reference], axis=0)  # [2b, h, w, 3]
        features = (both * 2 - 1 - _SHIFT) / _SCALE
        total = tf.zeros([batch])
        for (kernel, bias, head), stride, padding, pooled in zip(
            self._layers, _STRIDES, _PADDING, _POOLED, strict=True
        ):
            if pooled:
                features = tf.nn.max_pool2d(features, 3, 2, "VALID")
            edges = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
            features = tf.nn.relu(tf.nn.conv2d(features, kernel, stride, edges) + bias)
            unit = features / (tf.norm(features, axis=-1, keepdims=True) + 1e-10)
            difference = tf.square(unit[:batch] - unit[batch:])  # [b, h', w', c]
            total += tf.reduce_mean(tf.reduce_sum(difference * head, axis=-1), axis=[1, 2])
        return total
