"""Networks that judge a repair during training only: VGG features and a patch discriminator."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnlg_tf.config import DiscriminatorConfig
from cnnlg_tf.errors import DataError
from cnnlg_tf.models.pixels import high_frequencies

EMPHASIS = (
    6.0  # of high frequencies: what tells a soft repair from a photo is a small part of its pixels
)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class VGGFeatures:
    """Features of VGG16 after relu1_2, relu2_2 and relu3_3 (arXiv 1409.1556), with fixed weights.

    The file is an .npz with `convI_J_kernel` (HWIO) and `convI_J_bias` up to conv3_3, trained on images normalised by
    ImageNet's mean and standard deviation. It computes in the precision of Keras's policy.
    """

    LAYERS = (("1_1", "1_2"), ("2_1", "2_2"), ("3_1", "3_2", "3_3"))

    def __init__(self, path: str | Path) -> None:
        try:
            with np.load(path) as file:
                self._weights = {
                    name: (
                        tf.constant(file[f"conv{name}_kernel"]),
                        tf.constant(file[f"conv{name}_bias"]),
                    )
                    for stage in self.LAYERS
                    for name in stage
                }
        except (OSError, KeyError, ValueError) as error:
            raise DataError(
                f"VGG weights must be an .npz with conv1_1_kernel to conv3_3_bias. Received: {path} ({error})"
            ) from error

    def __call__(self, image: tf.Tensor) -> list[tf.Tensor]:
        """[b, h, w, 3] in [-1, 1] -> features at 1/1, 1/2 and 1/4 scale, in float32."""
        compute = keras.config.dtype_policy().compute_dtype
        x = (0.5 * (image + 1.0) - tf.constant(IMAGENET_MEAN)) / tf.constant(IMAGENET_STD)
        x, features = tf.cast(x, compute), []
        for index, stage in enumerate(self.LAYERS):
            if index:
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
            for name in stage:
                kernel, bias = self._weights[name]
                x = tf.nn.conv2d(x, tf.cast(kernel, compute), 1, "SAME")
                x = tf.nn.relu(tf.nn.bias_add(x, tf.cast(bias, compute)))
            features.append(tf.cast(x, tf.float32))
        return features


@keras.saving.register_keras_serializable("cnnlg")
class PatchDiscriminator(keras.Model):
    """Scores overlapping patches as real or painted (PatchGAN, arXiv 1611.07004).

    It sees the image and its high frequencies, amplified. Spectral normalisation spares the last layer: it would hold
    scores so near zero that the hinge loss hardly moves.

    call(image [b, h, w, 3] in [-1, 1]) -> list of features; the last is the scores, [b, h/8, w/8, 1].
    """

    def __init__(self, config: DiscriminatorConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # === Layers ===
        width = config.width
        plan = ((width, 4, 2), (2 * width, 4, 2), (4 * width, 4, 2), (4 * width, 3, 1))
        self.convolutions = []
        for i, (filters, size, stride) in enumerate(plan):
            layer = keras.layers.Conv2D(
                filters, size, strides=stride, padding="same", name=f"conv_{i}"
            )
            if config.spectral_norm:
                layer = keras.layers.SpectralNormalization(layer, name=f"conv_{i}")
            self.convolutions.append(layer)
        self.score = keras.layers.Conv2D(1, 3, padding="same", name="score")
        # === Config ===
        self.config = config

    def call(self, image: tf.Tensor, training: bool = False) -> list[tf.Tensor]:
        x, features = tf.concat([image, EMPHASIS * high_frequencies(image)], axis=-1), []
        for layer in self.convolutions:
            x = layer(x, training=training) if self.config.spectral_norm else layer(x)
            x = tf.nn.leaky_relu(x, 0.2)
            features.append(x)
        return [*features, self.score(x)]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"config": self.config.model_dump()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PatchDiscriminator":
        return cls(**config | {"config": DiscriminatorConfig(**config["config"])})


def crop_at_hole(
    images: list[tf.Tensor], mask: tf.Tensor, size: int, seed: tf.Tensor
) -> list[tf.Tensor]:
    """Cut the same square from each image, around a random pixel of the hole.

    images: [b, h, w, c] each; mask: [b, h, w, 1]; size no larger than h and w; seed int32 [2].
    """
    height, width = mask.shape[1], mask.shape[2]
    if height <= size and width <= size:
        return images
    noise = tf.random.stateless_uniform(tf.shape(mask), seed, 0.5, 1.0) * mask
    best = tf.argmax(tf.reshape(noise, [tf.shape(mask)[0], -1]), axis=-1, output_type=tf.int32)
    top = tf.clip_by_value(best // width - size // 2, 0, height - size)
    left = tf.clip_by_value(best % width - size // 2, 0, width - size)
    rows = top[:, None] + tf.range(size)  # [b, size]
    columns = left[:, None] + tf.range(size)

    def cut(image: tf.Tensor) -> tf.Tensor:
        image = tf.gather(image, rows, axis=1, batch_dims=1)
        image = tf.gather(tf.transpose(image, [0, 2, 1, 3]), columns, axis=1, batch_dims=1)
        return tf.transpose(image, [0, 2, 1, 3])

    return [cut(image) for image in images]
