"""Find visible damage: a network gives each pixel's evidence of being damaged."""

from typing import Any

import keras
import tensorflow as tf

from cnnlg_tf.config import DamageFinderConfig
from cnnlg_tf.models.blocks import build_chain, conv
from cnnlg_tf.models.fill import upsample
from cnnlg_tf.models.morphology import dilated
from cnnlg_tf.models.photo_encoder import PhotoEncoder

HAT_SIZES = (3, 9)  # pixels; what is thinner stands out in a top hat or a black hat
HAT_GAIN = 4.0  # hats are small beside colours
DILATIONS = (1, 2)  # at 1/16 scale, after the encoder
JUDGE_DILATIONS = (1, 2, 4)  # at 1/2 scale


def hats(image: tf.Tensor) -> tf.Tensor:
    """How much a pixel is brighter, and darker, than all as wide as HAT_SIZES around: [b, h, w, 3] -> [b, h, w, 4].

    A scratch, a hair or a speck shows there as it is, whatever lies under it.
    """
    grey = tf.reduce_mean(image, axis=-1, keepdims=True)
    found = []
    for size in HAT_SIZES:
        opened, closed = dilated(-dilated(-grey, size), size), -dilated(-dilated(grey, size), size)
        found += [grey - opened, closed - grey]
    return HAT_GAIN * tf.concat(found, axis=-1)


@keras.saving.register_keras_serializable("cnnlg")
class NormalisedConv(keras.layers.Layer):
    """A convolution whose outputs are normalised over the batch in training: [b, h, w, c] -> [b, h', w', width].

    Damage is rare and small, and without normalisation a finder takes many times as many steps to see any of it.
    """

    def __init__(
        self, width: int, size: int = 3, stride: int = 1, dilation: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        # === Layers ===
        self.conv = conv(width, size, stride=stride, dilation=dilation, use_bias=False, name="conv")
        self.norm = keras.layers.BatchNormalization(momentum=0.98, epsilon=1e-3, name="norm")
        # === Config ===
        self.width = width
        self.size = size
        self.stride = stride
        self.dilation = dilation

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        build_chain([self.conv, self.norm], input_shape)
        self.built = True

    def call(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return self.norm(self.conv(x), training=training)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        shape: tuple[int | None, ...] = self.conv.compute_output_shape(input_shape)
        return shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "width": self.width,
            "size": self.size,
            "stride": self.stride,
            "dilation": self.dilation,
        }


@keras.saving.register_keras_serializable("cnnlg")
class NormalisedBlock(keras.layers.Layer):
    """act(x + conv(act(conv(x)))), both normalised: [batch, height, width, width_] -> the same."""

    def __init__(
        self, width: int, dilation: int = 1, activation: str = "silu", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        # === Layers ===
        self.first = NormalisedConv(width, dilation=dilation, name="first")
        self.second = NormalisedConv(width, name="second")
        # === Config ===
        self.width = width
        self.dilation = dilation
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        build_chain([self.first, self.second], input_shape)
        self.built = True

    def call(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        inner = self.activation(self.first(x, training=training))
        return self.activation(x + self.second(inner, training=training))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "width": self.width,
            "dilation": self.dilation,
            "activation": keras.activations.serialize(self.activation),
        }


@keras.saving.register_keras_serializable("cnnlg")
class DamageFinder(keras.Model):
    """Logits of each pixel being damaged, from the photo alone.

    An encoder that knows photos tells what belongs to them; beside it, convolutions at 1/2 scale see pixels and hats,
    folded, so that a hair one pixel thin is not lost. A decoder joins both from coarse to fine. Last, a judge at 1/2
    scale compares each pixel with those up to 24 px around it: a speck may be one of many that the photo shows.

    call(image [batch, height, width, 3] in [-1, 1]) -> [batch, height, width, 1]; height and width multiples of 16.
    """

    def __init__(self, config: DamageFinderConfig, activation: str = "silu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        fine, *_, middle = config.widths

        def block(width: int, name: str, dilation: int = 1) -> NormalisedBlock:
            return NormalisedBlock(width, dilation, activation, name=name)

        # === Layers ===
        self.encoder = PhotoEncoder(name="encoder")
        self.stem = NormalisedConv(fine, name="stem")
        self.look = block(fine, "look")
        self.enter = NormalisedConv(middle, 1, name="enter")
        self.middle = [block(middle, f"middle_{i}", d) for i, d in enumerate(DILATIONS)]
        outer = config.widths[:-1]
        self.up = [NormalisedConv(w, 1, name=f"up_{i}") for i, w in enumerate(outer)]
        self.tap = [NormalisedConv(w, 1, name=f"tap_{i}") for i, w in enumerate(outer)]
        self.decode = [block(w, f"decode_{i}") for i, w in enumerate(outer)]
        self.head = conv(4, kernel_initializer="zeros", name="head")
        self.judge_stem = NormalisedConv(config.judge, name="judge_stem")
        self.judge_tap = NormalisedConv(config.judge, 1, name="judge_tap")
        self.judge = [block(config.judge, f"judge_{i}", d) for i, d in enumerate(JUDGE_DILATIONS)]
        self.judge_head = conv(4, kernel_initializer="zeros", name="judge_head")
        # === Config ===
        self.config = config
        self.activation = keras.activations.get(activation)

    def call(self, image: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        act = self.activation
        both = tf.nn.space_to_depth(tf.concat([image, hats(image)], axis=-1), 2)
        fine = self.look(act(self.stem(both, training=training)), training=training)
        *kept, x = self.encoder(image)  # 1/2, 1/4, 1/8; 1/16
        kept[0] = tf.concat([kept[0], fine], axis=-1)
        x = act(self.enter(x, training=training))
        for layer in self.middle:
            x = layer(x, training=training)
        for seen, up, tap, decode in zip(
            kept[::-1], self.up[::-1], self.tap[::-1], self.decode[::-1], strict=True
        ):
            x = act(tap(seen, training=training) + upsample(up(x, training=training), 2))
            x = decode(x, training=training)
        judged = self._judge(both, tf.concat([kept[0], x], axis=-1), training)
        return tf.nn.depth_to_space(self.head(x) + judged, 2)  # [b, h, w, 1]

    def _judge(self, both: tf.Tensor, known: tf.Tensor, training: bool | None) -> tf.Tensor:
        """What is added to the logits, [b, h / 2, w / 2, 4], from pixels and hats and all that is known there."""
        y = self.judge_stem(both, training=training) + self.judge_tap(known, training=training)
        y = self.activation(y)
        for layer in self.judge:
            y = layer(y, training=training)
        return self.judge_head(y)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "config": self.config.model_dump(),
            "activation": keras.activations.serialize(self.activation),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "DamageFinder":
        return cls(DamageFinderConfig(**config.pop("config")), **config)
