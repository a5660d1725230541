"""Latent guides: a densely connected network gives each point's latent distribution."""

from typing import Any

import keras
import tensorflow as tf

from cnnlg_tf.config import LatentGuideConfig
from cnnlg_tf.models import gaussian
from cnnlg_tf.models.blocks import conv
from cnnlg_tf.models.gaussian import Gaussian

FOLD = 4


@keras.saving.register_keras_serializable("cnnlg")
class LatentGuide(keras.Model):
    """Estimates p(h_i | photo with a hole) at each point i.

    Every layer of the dense part sees all layers before it (DenseNet, arXiv 1608.06993); dilations widen its view.

    call(observed, mask): observed [batch, height, width, 3] in [-1, 1]; mask [batch, height, width, 1], 1 = missing;
    height and width multiples of 8. Returns the distribution of h at 1/8 scale.
    """

    def __init__(
        self,
        config: LatentGuideConfig,
        latent_channels: int,
        activation: str = "silu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # === Layers ===
        self.stem = conv(config.stem_width, name="stem")
        self.down = conv(2 * config.stem_width, stride=2, name="down")
        self.dense = [
            conv(config.growth, dilation=dilation, name=f"dense_{i}")
            for i, dilation in enumerate(config.dilations)
        ]
        self.latent_head = conv(
            2 * latent_channels, 1, kernel_initializer="zeros", name="latent_head"
        )
        # === Config ===
        self.config = config
        self.latent_channels = latent_channels
        self.activation = keras.activations.get(activation)

    def call(self, observed: tf.Tensor, mask: tf.Tensor) -> Gaussian:
        act = self.activation
        folded = tf.nn.space_to_depth(
            tf.concat([observed, mask], axis=-1), FOLD
        )  # [b, h/4, w/4, 64]
        features = act(self.down(act(self.stem(folded))))  # [b, h/8, w/8, 2 stem]
        for layer in self.dense:
            features = tf.concat([features, act(layer(features))], axis=-1)
        return gaussian.from_parameters(self.latent_head(features))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "config": self.config.model_dump(),
            "latent_channels": self.latent_channels,
            "activation": keras.activations.serialize(self.activation),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LatentGuide":
        return cls(LatentGuideConfig(**config.pop("config")), **config)
