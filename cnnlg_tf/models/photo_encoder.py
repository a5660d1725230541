"""EfficientNet-Lite0 up to 1/16 of a photo's size: eyes that have seen a million photos."""

from collections.abc import Collection
from importlib import resources
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnlg_tf.errors import CheckpointError
from cnnlg_tf.models.blocks import conv

BLOCKS = (  # width of the expansion, kernel, stride and width of the result, from block 0 on
    (32, 3, 1, 16),
    (96, 3, 2, 24),
    (144, 3, 1, 24),
    (144, 5, 2, 40),
    (240, 5, 1, 40),
    (240, 3, 2, 80),
    (480, 3, 1, 80),
    (480, 3, 1, 80),
    (480, 5, 1, 112),
    (672, 5, 1, 112),
    (672, 5, 1, 112),
)
STEM = 32  # channels of the first convolution, which nothing expands


@keras.saving.register_keras_serializable("cnnlg")
class InvertedResidual(keras.layers.Layer):
    """Expand, look within each channel, project: [b, h, w, c] -> [b, h', w', width], h' = h / stride rounded up.

    The input is added where it has the result's shape. Source: Sandler et al., 2018 (arXiv 1801.04381).
    """

    def __init__(
        self, expanded: int, size: int, stride: int, width: int, expands: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        # === Layers ===
        self.expand = conv(expanded, 1, name="expand") if expands else None
        self.depthwise = keras.layers.DepthwiseConv2D(
            size, stride, padding="same", depthwise_initializer="he_normal", name="depthwise"
        )
        self.project = conv(width, 1, name="project")
        # === Config ===
        self.expanded = expanded
        self.size = size
        self.stride = stride
        self.width = width
        self.expands = expands

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        batch = input_shape[0]
        if self.expand is not None:
            self.expand.build(input_shape)
        self.depthwise.build((batch, None, None, self.expanded))
        self.project.build((batch, None, None, self.expanded))
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        inner = x if self.expand is None else tf.nn.relu6(self.expand(x))
        result = self.project(tf.nn.relu6(self.depthwise(inner)))
        return result + x if self.stride == 1 and x.shape[-1] == self.width else result

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        shape: tuple[int | None, ...] = self.depthwise.compute_output_shape(
            (*input_shape[:3], self.expanded)
        )
        return (*shape[:3], self.width)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "expanded": self.expanded,
            "size": self.size,
            "stride": self.stride,
            "width": self.width,
            "expands": self.expands,
        }


@keras.saving.register_keras_serializable("cnnlg")
class PhotoEncoder(keras.layers.Layer):
    """image [b, h, w, 3] in [-1, 1] -> the results of the blocks in `taps`, each [b, h / s, w / s, c], rounded up.

    Blocks 0, 2, 4 and 10 end the scales s = 2, 4, 8 and 16 with 16, 24, 40 and 112 channels. Batch normalisation is
    folded into the weights. Source: EfficientNet-Lite0 (Tan and Le, 2019, arXiv 1905.11946, without squeeze and
    excitation).

    Args:
        taps: indices of BLOCKS, in any order; results come in BLOCKS' order.
    """

    def __init__(self, taps: Collection[int] = (0, 2, 4, 10), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # === Layers ===
        self.stem = conv(STEM, stride=2, name="stem")
        self.blocks = [
            InvertedResidual(*shape, expands=i > 0, name=f"block_{i}")
            for i, shape in enumerate(BLOCKS[: max(taps) + 1])
        ]
        # === Config ===
        self.taps = tuple(sorted(taps))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.stem.build(input_shape)
        width = STEM
        for block in self.blocks:
            block.build((None, None, None, width))
            width = block.width
        self.built = True

    def call(self, image: tf.Tensor) -> list[tf.Tensor]:
        x, found = tf.nn.relu6(self.stem(image)), []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.taps:
                found.append(x)
        return found

    def load_photo_weights(self, weights: str | Path | None = None) -> None:
        """Set all weights to those trained on ImageNet.

        Args:
            weights: an .npz with `stem_*` and `block{i}_{expand,depthwise,project}_*`: `kernel` (HWIO; depthwise
                [k, k, c, 1]) and `bias`, block 0 without `expand`. The default ships with the package, in float16.

        Raises:
            CheckpointError: the file cannot be read, or lacks an array.
        """
        path = Path(str(resources.files("cnnlg_tf.weights") / "efficientnet_lite0.npz"))
        path = path if weights is None else Path(weights)
        parts = {"stem": self.stem}
        for i, block in enumerate(self.blocks):
            layers = {p: getattr(block, p) for p in ("expand", "depthwise", "project")}
            parts |= {f"block{i}_{p}": layer for p, layer in layers.items() if layer is not None}
        try:
            with np.load(path) as arrays:
                for name, layer in parts.items():
                    layer.set_weights(
                        [arrays[f"{name}_{each}"].astype("float32") for each in ("kernel", "bias")]
                    )
        except (OSError, ValueError, KeyError) as error:
            raise CheckpointError(
                f"the photo encoder's weights {path} cannot be read: {error}"
            ) from error

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"taps": self.taps}
