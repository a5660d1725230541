"""Small layers that the networks share."""

from typing import Any

import keras
import tensorflow as tf


def conv(
    width: int, size: int = 3, *, stride: int = 1, dilation: int = 1, **kwargs: Any
) -> keras.layers.Conv2D:
    """A convolution with "same" padding and He initialisation."""
    kwargs.setdefault("kernel_initializer", "he_normal")
    return keras.layers.Conv2D(
        width, size, strides=stride, dilation_rate=dilation, padding="same", **kwargs
    )


def build_chain(
    layers: list[keras.layers.Layer], shape: tuple[int | None, ...]
) -> tuple[int | None, ...]:
    """Build layers that feed one another; returns the last one's output shape."""
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return shape


def pointwise(layer: keras.layers.Dense, x: tf.Tensor) -> tf.Tensor:
    """A built Dense layer on an image, [b, h, w, c] -> [b, h, w, units], as a 1x1 convolution.

    The same numbers without a reshape to a matrix and back: runtimes that keep channels first need no transposes.
    """
    kernel, bias = tf.cast(layer.kernel, x.dtype), tf.cast(layer.bias, x.dtype)
    return tf.nn.bias_add(tf.nn.conv2d(x, kernel[None, None], 1, "VALID"), bias)


@keras.saving.register_keras_serializable("cnnlg")
class ResidualBlock(keras.layers.Layer):
    """x + conv(act(conv(act(x)))) without normalisation; the last kernel starts at zero.

    Shapes: [batch, height, width, width_] -> the same.

    Args:
        width: channels.
        dilation: of the first convolution.
        activation: a smooth one (SiLU, GELU) when a gradient penalty is used: ReLU's second derivative is zero.
    """

    def __init__(
        self, width: int, dilation: int = 1, activation: str = "silu", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        # === Layers ===
        self.first = conv(width, dilation=dilation, name="first")
        self.second = conv(width, kernel_initializer="zeros", name="second")
        # === Config ===
        self.width = width
        self.dilation = dilation
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        build_chain([self.first, self.second], input_shape)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return x + self.second(self.activation(self.first(self.activation(x))))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "width": self.width,
            "dilation": self.dilation,
            "activation": keras.activations.serialize(self.activation),
        }
