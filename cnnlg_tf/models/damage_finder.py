"""Find visible damage: a U-Net gives each pixel's evidence of being damaged."""

from typing import Any

import keras
import tensorflow as tf

from cnnlg_tf.config import DamageFinderConfig
from cnnlg_tf.models.blocks import build_chain, conv
from cnnlg_tf.models.fill import upsample
from cnnlg_tf.models.plain_finder import PlainFinder

HAT_SIZES = (3, 9)  # pixels; what is thinner stands out in a top hat or a black hat
HAT_GAIN = 4.0  # hats are small beside colours
DILATIONS = (1, 2, 4, 1)  # at 1/16 scale: what belongs to the photo is seen some 150 px around


def hats(image: tf.Tensor) -> tf.Tensor:
    """How much a pixel is brighter, and darker, than all as wide as HAT_SIZES around: [b, h, w, 3] -> [b, h, w, 4].

    A scratch, a hair or a speck shows there as it is, whatever lies under it.
    """
    grey = tf.reduce_mean(image, axis=-1, keepdims=True)
    found = []
    for size in HAT_SIZES:
        opened, closed = _widest(-_widest(-grey, size), size), -_widest(-_widest(grey, size), size)
        found += [grey - opened, closed - grey]
    return HAT_GAIN * tf.concat(found, axis=-1)


def _widest(x: tf.Tensor, size: int) -> tf.Tensor:
    """The greatest value within a square window."""
    return tf.nn.max_pool2d(tf.nn.max_pool2d(x, [1, size], 1, "SAME"), [size, 1], 1, "SAME")


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

    Pixels are folded to 1/2 scale, so that a hair one pixel thin is seen; 1/16 scale tells what belongs to the photo.
    Each scale takes about as much work as the others.

    call(image [batch, height, width, 3] in [-1, 1]) -> [batch, height, width, 1]; height and width multiples of 16.
    """

    def __init__(self, config: DamageFinderConfig, activation: str = "silu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        half, *deeper = config.widths
        outer = config.widths[:-1]

        def block(width: int, name: str, dilation: int = 1) -> NormalisedBlock:
            return NormalisedBlock(width, dilation, activation, name=name)

        # === Layers ===
        self.stem = NormalisedConv(half, name="stem")
        self.down = [NormalisedConv(w, stride=2, name=f"down_{i}") for i, w in enumerate(deeper)]
        self.encode = [block(w, f"encode_{i}") for i, w in enumerate(outer)]
        self.middle = [block(deeper[-1], f"middle_{i}", d) for i, d in enumerate(DILATIONS)]
        self.up = [NormalisedConv(w, 1, name=f"up_{i}") for i, w in enumerate(outer)]
        self.decode = [block(w, f"decode_{i}") for i, w in enumerate(outer)]
        self.head = conv(4, kernel_initializer="zeros", name="head")
        # === Config ===
        self.config = config
        self.activation = keras.activations.get(activation)

    def call(self, image: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        act = self.activation
        both = tf.concat([image, hats(image)], axis=-1)
        x = act(self.stem(tf.nn.space_to_depth(both, 2), training=training))  # [b, h/2, w/2, half]
        kept = []
        for encode, down in zip(self.encode, self.down, strict=True):
            kept.append(encode(x, training=training))
            x = act(down(kept[-1], training=training))
        for layer in self.middle:
            x = layer(x, training=training)
        for encoded, up, decode in zip(kept[::-1], self.up[::-1], self.decode[::-1], strict=True):
            x = act(encoded + upsample(up(x, training=training), 2))
            x = decode(x, training=training)
        return tf.nn.depth_to_space(self.head(x), 2)  # [b, h, w, 1]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "config": self.config.model_dump(),
            "activation": keras.activations.serialize(self.activation),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "DamageFinder":
        return cls(DamageFinderConfig(**config.pop("config")), **config)


def make_finder(config: DamageFinderConfig, activation: str, name: str) -> keras.Model:
    """The finder that a configuration means: three widths are those of older checkpoints."""
    kind = PlainFinder if len(config.widths) == 3 else DamageFinder
    return kind(config, activation, name=name)
