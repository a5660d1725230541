"""What several exporters start from, made once for a model and only when asked for."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlg_tf.export import cases
from cnnlg_tf.export.frozen import FrozenGraph, freeze

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG


@dataclass
class Source:
    """A model on its way out.

    photos: a folder with 16 photos or more, whose second eight calibrate int8; the package's examples when None.
    """

    model: "CNNLG"
    photos: Path | None = None

    @cached_property
    def frozen(self) -> FrozenGraph:
        """The frozen graph of `serving_default`."""
        return freeze(self.model)

    @cached_property
    def onnx(self) -> Any:
        """The float32 onnx.ModelProto. Raises MissingExtraError when the extra `onnx` is not installed."""
        from cnnlg_tf.export.onnx_model import to_onnx

        return to_onnx(self.frozen)

    @cached_property
    def tensorrt_onnx(self) -> Any:
        """The same for TensorRT, whose sizes depend on no data: the synthesis judges every position."""
        from cnnlg_tf.export.onnx_model import to_onnx

        return to_onnx(freeze(self.model, lists_positions=False))

    @cached_property
    def calibration(self) -> list[np.ndarray]:
        """Photos that look like those to repair, float32 [192, 256, 3] in [0, 1].

        Raises:
            DataError: the folder has no photos, or one cannot be read.
            ExportError: there are too few.
        """
        photos = cases.read_photos(self.photos, skip=cases.PHOTOS)
        return [cases.resize(photo, 192, 256) for photo in photos]
