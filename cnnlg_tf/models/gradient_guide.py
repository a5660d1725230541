"""Gradient guidance: complete the photo's gradients inside the hole with a shallow four-way recurrence."""

from typing import Any

import keras
import tensorflow as tf

from cnnlg_tf.config import GradientGuideConfig
from cnnlg_tf.models.blocks import conv
from cnnlg_tf.models.scan import DirectionalScan

SCALE = 4


def image_gradients(image: tf.Tensor) -> tf.Tensor:
    """Forward differences along x, then along y; zero past the last column or row.

    [batch, height, width, c] -> [batch, height, width, 2 c].
    """
    across = tf.pad(image[:, :, 1:] - image[:, :, :-1], [[0, 0], [0, 0], [0, 1], [0, 0]])
    down = tf.pad(image[:, 1:] - image[:, :-1], [[0, 0], [0, 1], [0, 0], [0, 0]])
    return tf.concat([across, down], axis=-1)


def known_gradients(mask: tf.Tensor, channels: int = 3) -> tf.Tensor:
    """1 where both pixels of a difference are known: mask [b, h, w, 1] -> [b, h, w, 2 channels]."""
    known = 1.0 - mask
    across = known * tf.concat([known[:, :, 1:], known[:, :, -1:]], axis=2)
    down = known * tf.concat([known[:, 1:], known[:, -1:]], axis=1)
    return tf.concat([across] * channels + [down] * channels, axis=-1)


@keras.saving.register_keras_serializable("cnnlg")
class GradientGuide(keras.Model):
    """Completes image gradients from the hole's surroundings.

    The photo (holes filled smoothly), its known gradients and the mask are folded to 1/4 scale; a few layers of four
    directional sweeps carry the structure inwards; the result is unfolded to full size.

    call(filled, mask): filled [batch, height, width, 3] in [-1, 1]; mask [batch, height, width, 1], 1 = missing;
    height and width multiples of 4. Returns [batch, height, width, 6]: x then y differences of red, green, blue;
    differences between known pixels are those of the photo.
    """

    def __init__(
        self, config: GradientGuideConfig, activation: str = "silu", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        # === Layers ===
        self.fold = conv(config.width, 1, name="fold")
        self.stem = conv(config.width, name="stem")
        self.scans = [
            DirectionalScan(config.width, config.scan_steps, name=f"scan_{i}")
            for i in range(config.layers)
        ]
        self.mixers = [conv(config.width, 1, name=f"mixer_{i}") for i in range(config.layers)]
        self.head = conv(6 * SCALE**2, 1, kernel_initializer="zeros", name="head")
        # === Config ===
        self.config = config
        self.activation = keras.activations.get(activation)

    def call(self, filled: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        valid = known_gradients(mask)
        gradients = image_gradients(filled) * valid
        x = tf.nn.space_to_depth(tf.concat([gradients, mask], axis=-1), SCALE)  # [b, h/4, w/4, 112]
        x = self.stem(self.activation(self.fold(x)))
        for scan, mixer in zip(self.scans, self.mixers, strict=True):
            x = scan(self.activation(x))
            x = x + mixer(self.activation(x))
        completed = tf.nn.depth_to_space(self.head(self.activation(x)), SCALE)  # [b, h, w, 6]
        completed = completed + image_gradients(filled)
        return valid * gradients + (1.0 - valid) * completed

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "config": self.config.model_dump(),
            "activation": keras.activations.serialize(self.activation),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "GradientGuide":
        return cls(GradientGuideConfig(**config.pop("config")), **config)
