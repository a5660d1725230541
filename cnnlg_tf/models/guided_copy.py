"""Guided copy: attention from hole positions to known ones copies real texture into the hole.

Positions lie on an 8 px grid, and are compared with their eight neighbours, so that what is copied goes on from one
position to the next. What is copied is a 16 px window of the photo's high frequencies; windows overlap by half and are
blended with weights that sum to one at each pixel. All of it is matrix products and reshapes.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from cnnlg_tf.config import GuidedCopyConfig
from cnnlg_tf.models.blocks import pointwise
from cnnlg_tf.models.copy_field import coherent_field
from cnnlg_tf.models.fill import smooth_upsample

CELL = 8
SHIFTS = ((0, 0), (0, 1), (1, 0), (1, 1))


class Source(NamedTuple):
    """A photo that texture may be copied from.

    features: [b, h/8, w/8, c]; detail: [b, h, w, 3] high frequencies; mask: [b, h, w, 1], 1 = must not be copied.
    """

    features: tf.Tensor
    detail: tf.Tensor
    mask: tf.Tensor


def extract_windows(image: tf.Tensor) -> tf.Tensor:
    """16 px windows centred on the cells of an 8 px grid: [b, h, w, c] -> [b, h/8, w/8, 256 c]."""
    half = CELL // 2
    padded = tf.pad(image, [[0, 0], [half, half], [half, half], [0, 0]])
    blocks = tf.nn.space_to_depth(padded, CELL)  # [b, h/8 + 1, w/8 + 1, 64 c]
    cut = (slice(None, -1), slice(1, None))
    return tf.concat([blocks[:, cut[y], cut[x]] for y, x in SHIFTS], axis=-1)


def fold_windows(windows: tf.Tensor, channels: int) -> tf.Tensor:
    """Blend windows back into an image, the inverse of `extract_windows`: [b, h/8, w/8, 256 c] -> [b, h, w, c]."""
    weights = _window_weights(channels)
    quarters = tf.split(windows * tf.cast(weights, windows.dtype), 4, axis=-1)
    blocks = tf.add_n(
        [
            tf.pad(quarter, [[0, 0], [y, 1 - y], [x, 1 - x], [0, 0]])
            for quarter, (y, x) in zip(quarters, SHIFTS, strict=True)
        ]
    )
    half = CELL // 2
    return tf.nn.depth_to_space(blocks, CELL)[:, half:-half, half:-half]


def _window_weights(channels: int) -> tf.Tensor:
    """Weights of a window's pixels in `extract_windows` order; they sum to one where four windows meet."""
    ramp = tf.sin((tf.range(CELL, dtype=tf.float32) + 0.5) * (3.14159265 / (2 * CELL))) ** 2
    sides = (ramp, 1.0 - ramp)  # the first block rises towards the centre, the second falls
    parts = [
        tf.reshape(
            tf.tile((sides[y][:, None] * sides[x][None, :])[..., None], [1, 1, channels]), [-1]
        )
        for y, x in SHIFTS
    ]
    return tf.concat(parts, axis=0)


def high_frequencies(image: tf.Tensor, halvings: int = 2) -> tf.Tensor:
    """The image minus its averages over cells of 2**halvings px, enlarged smoothly. Sizes are multiples of that."""
    cell = 2**halvings
    return image - smooth_upsample(tf.nn.avg_pool2d(image, cell, cell, "VALID"), halvings)


def hole_depth(mask: tf.Tensor) -> tf.Tensor:
    """0 in strokes and near a hole's border, 1 deep inside: [b, h, w, 1] -> the same, zero at known pixels.

    What half of a 24 px neighbourhood or more tells is repaired well without a copy.
    """
    share = tf.nn.avg_pool2d(tf.nn.avg_pool2d(mask, CELL, CELL, "VALID"), 3, 1, "SAME")
    return mask * smooth_upsample(tf.nn.relu(2.0 * share - 1.0), 3)


@keras.saving.register_keras_serializable("cnnlg")
class GuidedCopy(keras.layers.Layer):
    """Copies high frequencies from known windows to all positions, by similarity of projected guide features.

    call(features, mask, sources): features [b, h/8, w/8, c] of the positions to paint; mask [b, h, w, 1], 1 = missing;
    sources, a list of Source.
    Returns (copied [b, h, w, 3], confidence [b, h/8, w/8, 1]: the highest cosine similarity of two neighbourhoods of
    3 x 3 positions, in [0, 1]); zero where there is nothing to copy from. The most similar window is copied. In
    training its gradient is that of a blend of all windows by softmax(sharpness * cosine similarity), so that the
    projection learns (a straight-through estimator).

    A window that many missing positions would take loses similarity, the logarithm of how many, so that a texture is
    laid out from several places instead of one stamp side by side; and neighbours prefer to go on from each other's
    windows.

    Args:
        sharpness: inverse temperature of the attention in training.
    """

    def __init__(self, config: GuidedCopyConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # === Layers ===
        self.project = keras.layers.Dense(config.width, name="project")
        # === Config ===
        self.config = config

    def call(
        self,
        features: tf.Tensor,
        mask: tf.Tensor,
        sources: list[Source],
        training: bool | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        query = self._unit(features)  # [b, n, c]
        keys = tf.concat([self._unit(s.features) for s in sources], axis=1)  # [b, m, c]
        values = tf.concat(
            [_flatten(extract_windows(s.detail)) for s in sources], axis=1
        )  # [b, m, 768]
        usable = tf.concat([_flatten(_usable(s.mask)) for s in sources], axis=1)[..., 0]  # [b, m]

        similarity = tf.matmul(query, keys, transpose_b=True)  # [b, n, m]
        similarity = similarity + 4.0 * (usable[:, None] - 1.0)
        confidence = tf.nn.relu(tf.reduce_max(similarity, axis=2, keepdims=True))  # [b, n, 1]
        similarity -= self._popularity(similarity, mask)
        some = tf.reduce_max(usable, axis=1)[:, None, None]  # [b, 1, 1]
        shape = tf.shape(features)
        best = tf.argmax(similarity, axis=2, output_type=tf.int32)
        best = coherent_field(similarity, best, shape[1], shape[2])
        windows = some * _pick(best, values)
        if training:
            blend = some * _blend(similarity * self.config.sharpness, values)
            windows = windows + blend - tf.stop_gradient(blend)
        windows = tf.reshape(windows, [shape[0], shape[1], shape[2], 3 * 4 * CELL**2])
        return fold_windows(windows, 3), tf.reshape(confidence, [shape[0], shape[1], shape[2], 1])

    def _popularity(self, similarity: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """What a window loses for the missing positions that share it: [b, n, m], [b, h, w, 1] -> [b, 1, m]."""
        missing = _flatten(tf.nn.max_pool2d(mask, CELL, CELL, "VALID"))  # [b, n, 1]
        shares = tf.nn.softmax(self.config.sharpness * similarity)
        takers = tf.matmul(missing, shares, transpose_a=True)
        return tf.math.log(1.0 + takers) / self.config.sharpness

    def _unit(self, features: tf.Tensor) -> tf.Tensor:
        if not self.project.built:
            self.project.build(features.shape)
        each = tf.math.l2_normalize(pointwise(self.project, features), axis=-1, epsilon=1e-6)
        return tf.math.l2_normalize(_flatten(_neighbourhoods(each)), axis=-1, epsilon=1e-6)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"config": self.config.model_dump()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "GuidedCopy":
        return cls(GuidedCopyConfig(**config.pop("config")), **config)


def _neighbourhoods(x: tf.Tensor) -> tf.Tensor:
    """Each position's features and its neighbours', zero beyond the border: [b, h, w, c] -> [b, h, w, 9 c]."""
    shape = tf.shape(x)
    padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    parts = [
        padded[:, row : row + shape[1], column : column + shape[2]]
        for row in range(3)
        for column in range(3)
    ]
    return tf.concat(parts, axis=-1)


def _flatten(x: tf.Tensor) -> tf.Tensor:
    """[b, h, w, c] -> [b, h w, c]."""
    shape = tf.shape(x)
    return tf.reshape(x, [shape[0], shape[1] * shape[2], x.shape[-1]])


def _blend(scores: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Values weighed by attention: [b, n, m], [b, m, c] -> [b, n, c]."""
    return tf.matmul(tf.nn.softmax(scores), values)


def _pick(chosen: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """The value of each chosen source: int32 [b, n], [b, m, c] -> [b, n, c]."""
    shape = tf.shape(values)
    first = shape[1] * tf.range(shape[0])[:, None]
    return tf.gather(tf.reshape(values, [shape[0] * shape[1], values.shape[-1]]), first + chosen)


def _usable(mask: tf.Tensor) -> tf.Tensor:
    """1 where a whole 16 px window is known: [b, h, w, 1] -> [b, h/8, w/8, 1]. Windows over the border are not."""
    half = CELL // 2
    outside = tf.pad(mask, [[0, 0], [half, half], [half, half], [0, 0]], constant_values=1.0)
    cells = tf.nn.max_pool2d(outside, CELL, CELL, "VALID")  # [b, h/8 + 1, w/8 + 1, 1]
    return 1.0 - tf.nn.max_pool2d(cells, 2, 1, "VALID")
