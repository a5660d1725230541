"""The table of formats: the precisions of each, the module that makes and runs it, and what that wants to be told."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export import manifest
from cnnlg_tf.export.parity import Runner


@dataclass(frozen=True)
class Format:
    """One format.

    module: of cnnlg_tf.export, with `export_<name>`, and `load_runner` where a CPU can run it.
    precisions: what it can be made in; default: what it is made in when nobody says.
    options: the exporter's own arguments, by the names that `bundle.Options` gives them.
    """

    name: str
    module: str
    precisions: tuple[str, ...]
    default: str = "fp32"
    options: tuple[str, ...] = ()
    on_cpu: bool = True

    def choose(self, precision: str | None) -> str:
        """The precision asked for, or the default. Raises ExportError when the format has no such precision."""
        if precision is None:
            return self.default
        if precision not in self.precisions:
            raise ExportError(
                f"precision must be one of {', '.join(self.precisions)} for {self.name}. Received: {precision!r}"
            )
        return precision

    def export(self, *arguments: Any, **options: Any) -> Path:
        """Call the format's exporter."""
        path: Path = getattr(self._load(), f"export_{self.name}")(*arguments, **options)
        return path

    def load_runner(self, folder: str | Path, *, threads: int = 0, verify: bool = True) -> Runner:
        """An export folder of this format as a function (image, mask) -> (repaired, uncertainty).

        Args:
            threads: 0 takes all cores.

        Raises:
            ArtefactError: a file is altered or cannot be loaded.
        """
        if verify:
            manifest.verify(folder, format=self.name)
        runner: Runner = self._load().load_runner(Path(folder), threads)
        return runner

    def _load(self) -> ModuleType:
        return importlib.import_module(f"cnnlg_tf.export.{self.module}")


FORMATS = {
    made.name: made
    for made in (
        Format("saved_model", "saved_model", ("fp32",), options=("version",)),
        Format("onnx", "onnx_model", ("fp32", "fp16", "int8")),
        Format("litert", "litert_model", ("fp32", "fp16", "int8")),
        Format("openvino", "openvino_model", ("fp32", "fp16")),
        Format(
            "tensorrt",
            "tensorrt_engine",
            ("fp32", "fp16", "int8"),
            default="fp16",
            options=("builder", "profile", "capabilities", "classic"),
            on_cpu=False,
        ),
    )
}


def find(name: str) -> Format:
    """The format of that name, or ExportError."""
    if name not in FORMATS:
        raise ExportError(f"format must be one of {', '.join(FORMATS)}. Received: {name!r}")
    return FORMATS[name]
