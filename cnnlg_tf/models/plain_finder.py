"""The finder of damage of older checkpoints, so that they load: see damage_finder.py for the present one."""

from typing import Any

import keras
import tensorflow as tf

from cnnlg_tf.config import DamageFinderConfig
from cnnlg_tf.models.blocks import ResidualBlock, conv
from cnnlg_tf.models.fill import upsample

DILATIONS = (1, 2, 4)  # at 1/8 scale


@keras.saving.register_keras_serializable("cnnlg")
class PlainFinder(keras.Model):
    """Logits of each pixel being damaged, from the photo alone.

    Pixels are folded to 1/2 scale, so that a hair one pixel thin is seen; 1/8 scale tells what belongs to the photo.
    `widths` has three entries, for 1/2, 1/4 and 1/8 of the photo's size.

    call(image [batch, height, width, 3] in [-1, 1]) -> [batch, height, width, 1]; height and width multiples of 8;
    `training` changes nothing.
    """

    def __init__(self, config: DamageFinderConfig, activation: str = "silu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        half, quarter, eighth = config.widths[:3]

        def block(width: int, name: str, dilation: int = 1) -> ResidualBlock:
            return ResidualBlock(width, dilation=dilation, activation=activation, name=name)

        # === Layers ===
        self.stem = conv(half, name="stem")
        self.encode_half = block(half, "encode_half")
        self.down_quarter = conv(quarter, stride=2, name="down_quarter")
        self.encode_quarter = block(quarter, "encode_quarter")
        self.down_eighth = conv(eighth, stride=2, name="down_eighth")
        self.middle = [block(eighth, f"middle_{d}", dilation=d) for d in DILATIONS]
        self.up_quarter = conv(quarter, 1, name="up_quarter")
        self.decode_quarter = block(quarter, "decode_quarter")
        self.up_half = conv(half, 1, name="up_half")
        self.decode_half = block(half, "decode_half")
        self.head = conv(4, kernel_initializer="zeros", name="head")
        # === Config ===
        self.config = config
        self.activation = keras.activations.get(activation)

    def call(self, image: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        act = self.activation
        half = self.encode_half(self.stem(tf.nn.space_to_depth(image, 2)))
        quarter = self.encode_quarter(self.down_quarter(act(half)))
        x = self.down_eighth(act(quarter))
        for layer in self.middle:
            x = layer(x)
        quarter = self.decode_quarter(quarter + upsample(self.up_quarter(act(x)), 2))
        half = self.decode_half(half + upsample(self.up_half(act(quarter)), 2))
        return tf.nn.depth_to_space(self.head(act(half)), 2)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "config": self.config.model_dump(),
            "activation": keras.activations.serialize(self.activation),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PlainFinder":
        return cls(DamageFinderConfig(**config.pop("config")), **config)
