"""Latent guides: a densely connected network gives each point's latent distribution and chance of being missing."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from cnnlg_tf.config import LatentGuideConfig
from cnnlg_tf.models import gaussian
from cnnlg_tf.models.blocks import conv
from cnnlg_tf.models.fill import upsample
from cnnlg_tf.models.gaussian import Gaussian

FOLD = 4


class Guidance(NamedTuple):
    """latent: distribution of h at 1/8 scale; missing_logits: [batch, height, width, 1]."""

    latent: Gaussian
    missing_logits: tf.Tensor


@keras.saving.register_keras_serializable("cnnlg")
class LatentGuide(keras.Model):
    """Estimates p(h_i | photo with a hole) at each point i, and each pixel's probability of being missing.

    Every layer of the dense part sees all layers before it (DenseNet, arXiv 1608.06993); dilations widen its view.

    call(observed, mask): observed [batch, height, width, 3] in [-1, 1]; mask [batch, height, width, 1], 1 = missing,
    all 0 for blind repair; height and width multiples of 8. Returns Guidance.
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
        self.missing_hidden = conv(config.stem_width, name="missing_hidden")
        self.missing_context = conv(config.stem_width, 1, name="missing_context")
        self.missing_head = conv(FOLD**2, 1, kernel_initializer="zeros", name="missing_head")
        # === Config ===
        self.config = config
        self.latent_channels = latent_channels
        self.activation = keras.activations.get(activation)

    def call(self, observed: tf.Tensor, mask: tf.Tensor) -> Guidance:
        act = self.activation
        folded = tf.nn.space_to_depth(
            tf.concat([observed, mask], axis=-1), FOLD
        )  # [b, h/4, w/4, 64]
        fine = act(self.stem(folded))
        features = act(self.down(fine))  # [b, h/8, w/8, 2 stem]
        for layer in self.dense:
            features = tf.concat([features, act(layer(features))], axis=-1)
        latent = gaussian.from_parameters(self.latent_head(features))
        context = upsample(self.missing_context(features), 2)  # [b, h/4, w/4, stem]
        hidden = act(self.missing_hidden(fine) + context)
        missing = tf.nn.depth_to_space(self.missing_head(hidden), FOLD)  # [b, h, w, 1]
        return Guidance(latent, missing)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "config": self.config.model_dump(),
            "latent_channels": self.latent_channels,
            "activation": keras.activations.serialize(self.activation),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LatentGuide":
        return cls(LatentGuideConfig(**config.pop("config")), **config)
