"""What several exporters start from, made once for a model and only when asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlg_tf.export import cases
from cnnlg_tf.export.frozen import FrozenGraph, freeze
from cnnlg_tf.export.signatures import DEFAULT, Functions, Sizes, available

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG


@dataclass
class Source:
    """A model on its way out; what it makes is of one signature each.

    photos: a folder with 16 photos or more, whose second eight calibrate int8; the package's examples when None.
    chosen: the signatures to export; None: those of the format.
    shape: (batch, height, width) that is the only one taken; None: any.
    """

    model: "CNNLG"
    photos: Path | None = None
    chosen: list[str] | None = None
    shape: Sizes | None = None
    _made: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    @cached_property
    def names(self) -> list[str]:
        """The signatures to export, in formats but the SavedModel."""
        return self.chosen or available(self.model, everywhere=True)

    @cached_property
    def functions(self) -> Functions:
        """The model's signatures in TensorFlow, each traced once."""
        return Functions(self.model, compact=self.shape is None, shape=self.shape)

    def frozen(self, name: str = DEFAULT) -> FrozenGraph:
        """The frozen graph."""
        frozen: FrozenGraph = self._once("frozen", name, lambda: freeze(self.functions, name))
        return frozen

    def onnx(self, name: str = DEFAULT) -> Any:
        """The float32 onnx.ModelProto. Raises MissingExtraError when the extra `onnx` is not installed."""
        from cnnlg_tf.export.onnx_model import to_onnx

        return self._once("onnx", name, lambda: to_onnx(self.frozen(name), name))

    def tensorrt_onnx(self, name: str = DEFAULT) -> Any:
        """The same for runtimes whose sizes depend on no data: TensorRT."""
        from cnnlg_tf.export.onnx_model import to_onnx
        from cnnlg_tf.models.morphology import windowed

        def convert() -> Any:
            with windowed():
                frozen = freeze(Functions(self.model, compact=False), name)
            return to_onnx(frozen, name)

        return self._once("tensorrt", name, convert)

    def cases(self, name: str = DEFAULT) -> list[cases.Case]:
        """Drawn photos of two sizes and two batch sizes, and what the model makes of them."""
        made: list[cases.Case] = self._once(
            "cases", name, lambda: cases.drawn_cases(self.functions, name)
        )
        return made

    @cached_property
    def calibration(self) -> list[np.ndarray]:
        """Photos that look like those to repair, float32 [192, 256, 3] in [0, 1].

        Raises:
            DataError: the folder has no photos, or one cannot be read.
            ExportError: there are too few.
        """
        photos = cases.read_photos(self.photos, skip=cases.PHOTOS)
        return [cases.resize(photo, 192, 256) for photo in photos]

    def _once(self, kind: str, name: str, make: Callable[[], Any]) -> Any:
        if (kind, name) not in self._made:
            self._made[kind, name] = make()
        return self._made[kind, name]
