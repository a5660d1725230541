"""The learnt merge: what of the synthesis is taken, pixel by pixel, and what is added to it."""

from typing import Any

import keras
import tensorflow as tf

from cnnlg_tf.config import MergeConfig
from cnnlg_tf.models.blocks import ResidualBlock, conv
from cnnlg_tf.models.fill import upsample
from cnnlg_tf.models.morphology import sum_along
from cnnlg_tf.models.pixels import border_distance
from cnnlg_tf.models.synthesis_scale import Synthesis

DEPTH = 16  # px; deeper is all one
HALF = 5.0  # px; untrained, the network's repair and the synthesis count alike at this depth
SOFTNESS = 1.0  # px
CALM = 0.5  # how much less is added where the synthesis is taken: it is crisp as it is
CRISP = 0.7  # how much of the synthesis's own high frequencies is added at detail 2


@keras.saving.register_keras_serializable("cnnlg")
class Merge(keras.Model):
    """Puts the network's repair and the synthesis together.

    A small U-Net at 1/2 and 1/4 of the size sees both, the synthesis's match distances and votes, and the depth in the
    hole. Its last kernel starts at zero: the untrained merge is a blend by depth.

    call(guide, synthesis, mask, detail) -> [b, h, w, 3] in [-1, 1], from guide [b, h, w, 3] in [-1, 1], which holds the
    photo where it is known, and mask [b, h, w, 1]; height and width are multiples of 4. detail 0 gives the guide,
    without its highest frequencies where pixels were laid, 1 what is learnt, 2 more of the synthesis and its high
    frequencies amplified.
    """

    def __init__(self, config: MergeConfig, activation: str = "silu", **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # images stay float32; layers cast what they see
        half, quarter = config.widths
        # === Layers ===
        self.stem = conv(half, name="stem")
        self.encode = ResidualBlock(half, activation=activation, name="encode")
        self.down = conv(quarter, stride=2, name="down")
        self.middle = [
            ResidualBlock(quarter, dilation=d, activation=activation, name=f"middle_{d}")
            for d in (1, 2)
        ]
        self.up = conv(half, 1, name="up")
        self.decode = ResidualBlock(half, activation=activation, name="decode")
        self.head = conv(4 * 4, kernel_initializer="zeros", name="head")
        # === Config ===
        self.config = config
        self.activation = keras.activations.get(activation)

    def call(
        self,
        guide: tf.Tensor,
        synthesis: Synthesis,
        mask: tf.Tensor,
        detail: tf.Tensor | float = 1.0,
    ) -> tf.Tensor:
        logit, added = self.weigh(guide, synthesis, mask)
        return self.join(guide, synthesis, mask, logit, added, detail)

    def weigh(
        self, guide: tf.Tensor, synthesis: Synthesis, mask: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """How much of the synthesis is taken, as logits [b, h, w, 1], and what is added to the rest [b, h, w, 3]."""
        laid = 2.0 * synthesis.image - 1.0
        depth = hole_depth(mask)
        about = [4.0 * synthesis.distance, 4.0 * synthesis.spread, synthesis.share, depth / DEPTH]
        seen = tf.concat([guide, laid, mask, *about], axis=-1)  # [b, h, w, 11]
        skip = self.encode(self.stem(tf.nn.space_to_depth(seen, 2)))  # [b, h/2, w/2, half]
        x = self.down(self.activation(skip))  # [b, h/4, w/4, quarter]
        for block in self.middle:
            x = block(x)
        x = self.decode(skip + upsample(self.up(self.activation(x)), 2))
        out = tf.cast(tf.nn.depth_to_space(self.head(self.activation(x)), 2), tf.float32)
        return out[..., :1] + (depth - HALF) / SOFTNESS, out[..., 1:]

    @staticmethod
    def join(
        guide: tf.Tensor,
        synthesis: Synthesis,
        mask: tf.Tensor,
        logit: tf.Tensor,
        added: tf.Tensor,
        detail: tf.Tensor | float = 1.0,
    ) -> tf.Tensor:
        """Guide and synthesis put together as `weigh` says: [b, h, w, 3] in [-1, 1]."""
        laid = 2.0 * synthesis.image - 1.0
        # 1 - (1 - sigmoid(logit)) ** detail: 0, as learnt, nearly all
        taken = synthesis.share * (1.0 - tf.exp(-detail * tf.nn.softplus(logit)))
        added *= tf.minimum(detail, 1.0) * (1.0 - CALM * taken)
        merged = guide + taken * (laid - guide) + added
        if not (isinstance(detail, float) and detail == 1.0):
            # beyond 1 more of the synthesis's high frequencies, below it less of the guide's
            more = CRISP * tf.nn.relu(detail - 1.0) * laid - tf.nn.relu(1.0 - detail) * guide
            merged += synthesis.share * (more - _smoothed(more))
        return guide + mask * (merged - guide)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "config": self.config.model_dump(mode="json"),
            "activation": keras.activations.serialize(self.activation),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Merge":
        return cls(MergeConfig(**config.pop("config")), **config)


def hole_depth(mask: tf.Tensor) -> tf.Tensor:
    """Distance to the hole's border in steps of 2 px, up to DEPTH: [b, h, w, 1] -> the same, 0 at known pixels."""
    touched = tf.nn.max_pool2d(mask, 2, 2, "VALID")  # [b, h/2, w/2, 1]
    depth = 2.0 * border_distance(touched, DEPTH // 2)
    return mask * upsample(depth, 2)


def _smoothed(image: tf.Tensor) -> tf.Tensor:
    """The mean of 3 x 3 pixels; at the border of those that exist."""
    return _sum_around(image) / _sum_around(tf.ones_like(image))


def _sum_around(x: tf.Tensor) -> tf.Tensor:
    x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    for axis in (1, 2):
        x = sum_along(x, 3, axis)
    return x
