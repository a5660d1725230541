"""The prior p(x | h): a posterior encoder q(h | x), used in training only, and a decoder p(x | h, context)."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from cnnlg_tf.config import ModelConfig
from cnnlg_tf.models import gaussian, likelihood
from cnnlg_tf.models.blocks import ResidualBlock, conv
from cnnlg_tf.models.fill import smooth_upsample, upsample
from cnnlg_tf.models.gaussian import Gaussian
from cnnlg_tf.models.likelihood import LogisticMixture
from cnnlg_tf.models.scan import DirectionalScan


class Context(NamedTuple):
    """What the decoder knows of a photo; height and width are multiples of 16.

    filled: [b, h, w, 3] in [-1, 1], the photo with its hole filled smoothly; mask: [b, h, w, 1], 1 = missing;
    gradients: [b, h, w, 6], completed by the gradient guide (zero in the hole without it).
    """

    filled: tf.Tensor
    mask: tf.Tensor
    gradients: tf.Tensor


class Decoded(NamedTuple):
    """The distribution of each pixel and the image at 1/4 scale.

    parameters: [b, h, w, 10 k], what `likelihood.unpack` reads; base: [b, h, w, 3] in [-1, 1], what their means are an
    offset to; coarse: [b, h/4, w/4, 3] in [-1, 1].
    """

    parameters: tf.Tensor
    base: tf.Tensor
    coarse: tf.Tensor

    @property
    def mixtures(self) -> int:
        return int(self.parameters.shape[-1]) // likelihood.PARAMETERS_PER_MIXTURE

    @property
    def pixels(self) -> LogisticMixture:
        """The photo's distribution as a mixture, for likelihoods."""
        return likelihood.unpack(self.parameters, self.mixtures, self.base)

    @property
    def moments(self) -> tuple[tf.Tensor, tf.Tensor]:
        """(repair [b, h, w, 3], standard deviation [b, h, w, 1]) in units of [-1, 1]."""
        return likelihood.moments(self.parameters, self.mixtures, self.base)


@keras.saving.register_keras_serializable("cnnlg")
class PosteriorEncoder(keras.Model):
    """q(h | x): [b, h, w, 3] in [-1, 1] -> Gaussian at 1/8 scale."""

    def __init__(
        self, width: int, latent_channels: int, activation: str = "silu", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        # === Layers ===
        self.stem = conv(width, name="stem")
        self.down = conv(2 * width, stride=2, name="down")
        self.block = ResidualBlock(2 * width, activation=activation, name="block")
        self.head = conv(2 * latent_channels, 1, name="head")
        # === Config ===
        self.width = width
        self.latent_channels = latent_channels
        self.activation = keras.activations.get(activation)

    def call(self, image: tf.Tensor) -> Gaussian:
        x = self.activation(self.stem(tf.nn.space_to_depth(image, 4)))  # [b, h/4, w/4, width]
        x = self.block(self.down(x))  # [b, h/8, w/8, 2 width]
        return gaussian.from_parameters(self.head(self.activation(x)))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "width": self.width,
            "latent_channels": self.latent_channels,
            "activation": keras.activations.serialize(self.activation),
        }


@keras.saving.register_keras_serializable("cnnlg")
class Decoder(keras.Model):
    """p(x | h, context): a U-Net from 1/2 to 1/16 scale that takes h in at 1/8.

    call(context, latent) -> Decoded. The last blocks see the coarse repair, enlarged, as an image.
    """

    def __init__(self, config: ModelConfig, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # images stay float32; layers cast what they see
        # === Layers ===
        half, quarter, eighth, sixteenth = config.widths
        counts = config.blocks
        act = config.activation

        def blocks(width: int, count: int, name: str) -> list[keras.layers.Layer]:
            return [ResidualBlock(width, activation=act, name=f"{name}_{i}") for i in range(count)]

        self.stem = conv(half, name="stem")
        self.down_quarter = conv(quarter, stride=2, name="down_quarter")
        self.encode_quarter = blocks(quarter, 1, "encode_quarter")
        self.down_eighth = conv(eighth, stride=2, name="down_eighth")
        self.latent_in = conv(eighth, 1, name="latent_in")
        self.encode_eighth = blocks(eighth, 1, "encode_eighth")
        self.down_sixteenth = conv(sixteenth, stride=2, name="down_sixteenth")
        self.middle = blocks(sixteenth, counts[3], "middle")
        self.middle_scan = DirectionalScan(sixteenth, config.scan_steps, name="middle_scan")
        self.up_eighth = conv(eighth, 1, name="up_eighth")
        self.decode_eighth = blocks(eighth, counts[2], "decode_eighth")
        self.eighth_scan = DirectionalScan(eighth, config.scan_steps, name="eighth_scan")
        self.up_quarter = conv(quarter, 1, name="up_quarter")
        self.decode_quarter = blocks(quarter, counts[1], "decode_quarter")
        self.coarse_head = conv(3, 1, kernel_initializer="zeros", name="coarse_head")
        self.up_half = conv(half, 1, name="up_half")
        self.join = conv(half, name="join")
        self.decode_half = blocks(half, counts[0], "decode_half")
        parameters = 4 * likelihood.PARAMETERS_PER_MIXTURE * config.mixtures
        self.head = conv(
            parameters,
            1,
            kernel_initializer=keras.initializers.RandomNormal(stddev=1e-3),
            name="head",
        )
        # === Config ===
        self.config = config
        self.activation = keras.activations.get(act)

    def call(self, context: Context, latent: tf.Tensor) -> Decoded:
        act = self.activation
        folded = tf.nn.space_to_depth(tf.concat(list(context), axis=-1), 2)  # [b, h/2, w/2, 40]
        skip = self.stem(folded)
        quarter = _run(self.encode_quarter, self.down_quarter(act(skip)))
        eighth = self.down_eighth(act(quarter)) + self.latent_in(latent)
        eighth = _run(self.encode_eighth, eighth)
        x = self.down_sixteenth(act(eighth))
        x = self.middle_scan(_run(self.middle, x))
        eighth = eighth + upsample(self.up_eighth(x), 2)
        eighth = self.eighth_scan(_run(self.decode_eighth, eighth))
        quarter = quarter + upsample(self.up_quarter(eighth), 2)
        quarter = _run(self.decode_quarter, quarter)

        fill_quarter = tf.nn.avg_pool2d(context.filled, 4, 4, "VALID")
        coarse = fill_quarter + tf.cast(
            self.coarse_head(act(quarter)), tf.float32
        )  # [b, h/4, w/4, 3]
        enlarged = smooth_upsample(tf.nn.avg_pool2d(coarse, 2, 2, "VALID"), 3)
        enlarged = tf.where(context.mask > 0.5, enlarged, context.filled)
        x = skip + upsample(self.up_half(quarter), 2)  # [b, h/2, w/2, w0]
        images = tf.concat([folded, tf.nn.space_to_depth(enlarged, 2)], axis=-1)
        seen = tf.concat([x, tf.cast(images, x.dtype)], axis=-1)
        x = _run(self.decode_half, self.join(act(seen)) + x)
        parameters = tf.nn.depth_to_space(self.head(act(x)), 2)  # [b, h, w, 10 k]
        return Decoded(tf.cast(parameters, tf.float32), context.filled, coarse)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"config": self.config.model_dump(mode="json")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Decoder":
        return cls(ModelConfig(**config.pop("config")), **config)


@keras.saving.register_keras_serializable("cnnlg")
class Prior(keras.Model):
    """The generation step: q(h | x) and p(x | h, context) together.

    call(image, context, seed): image [b, h, w, 3] in [-1, 1], seed int32 [2]. Returns (q, Decoded) with h drawn from q.
    """

    def __init__(self, config: ModelConfig, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        # === Layers ===
        self.encoder = PosteriorEncoder(
            config.posterior_width, config.latent_channels, config.activation, name="encoder"
        )
        self.decoder = Decoder(config, name="decoder")
        # === Config ===
        self.config = config

    def call(self, image: tf.Tensor, context: Context, seed: tf.Tensor) -> tuple[Gaussian, Decoded]:
        posterior = self.encoder(image)
        return posterior, self.decoder(context, gaussian.sample(posterior, seed))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"config": self.config.model_dump(mode="json")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Prior":
        return cls(ModelConfig(**config.pop("config")), **config)


def _run(layers: list[keras.layers.Layer], x: tf.Tensor) -> tf.Tensor:
    for layer in layers:
        x = layer(x)
    return x
