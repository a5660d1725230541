"""The table of formats: the precisions of each, the module that makes and runs it, and what that wants to be told."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export import manifest
from cnnlg_tf.export.loaded import Loaded
from cnnlg_tf.export.signatures import Sizes


@dataclass(frozen=True)
class Format:
    """One format.

    module: of cnnlg_tf.export, with `export_<name>`; runtime: the module with `load`, the same one when None.
    precisions: what it can be made in; default: what it is made in when nobody says.
    options: the exporter's own arguments, by the names that `bundle.Options` gives them.
    proven_as: the format that stands beside it in its folder, for which a CPU proves parity where it cannot run this.
    takes_empty: whether an argument that may be empty can be; else `loaded.written_out` gives one without effect.
    photos: sizes of the photos that a graph for whole photos takes: `any`, or `one` that it is made for.
    """

    name: str
    module: str
    precisions: tuple[str, ...]
    default: str = "fp32"
    options: tuple[str, ...] = ()
    runtime: str | None = None
    proven_as: str | None = None
    takes_empty: bool = True
    photos: tuple[str, ...] = ("any",)

    @property
    def on_cpu(self) -> bool:
        """Whether a processor can run it."""
        return self.proven_as is None

    def choose(self, precision: str | None) -> str:
        """The precision asked for, or the default. Raises ExportError when the format has no such precision."""
        if precision is None:
            return self.default
        if precision not in self.precisions:
            raise ExportError(
                f"precision must be one of {', '.join(self.precisions)} for {self.name}. Received: {precision!r}"
            )
        return precision

    def check_photos(self, shape: Sizes | None) -> None:
        """Raise ExportError where a graph for whole photos cannot take any size (None), or one alone."""
        if shape is None and "any" not in self.photos:
            raise ExportError(
                f"{self.name} takes photos of one size: a shape must be given. Received: none"
            )
        if shape is not None and "one" not in self.photos:
            raise ExportError(
                f"a shape is for {', '.join(of_one_size())}. Received: {self.name}, {'x'.join(map(str, shape))}"
            )

    def export(self, *arguments: Any, **options: Any) -> Path:
        """Call the format's exporter."""
        path: Path = getattr(_module(self.module), f"export_{self.name}")(*arguments, **options)
        return path

    def load(self, folder: str | Path, *, threads: int = 0, verify: bool = True) -> Loaded:
        """An export folder of this format as functions of numpy arrays, one a signature.

        Args:
            threads: 0 takes all cores.

        Raises:
            ArtefactError: a file is altered or cannot be loaded.
            MissingExtraError: its runtime is not installed.
            ExportError: an engine's driver or GPU is missing.
        """
        if verify:
            manifest.verify(folder, format=self.name)
        loaded: Loaded = _module(self.runtime or self.module).load(Path(folder), threads)
        return loaded


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"cnnlg_tf.export.{name}")


FORMATS = {
    made.name: made
    for made in (
        Format("saved_model", "saved_model", ("fp32",), options=("version",)),
        Format("onnx", "onnx_model", ("fp32", "fp16", "int8"), photos=("any", "one")),
        Format("litert", "litert_model", ("fp32", "fp16", "int8"), photos=("any", "one")),
        Format("openvino", "openvino_model", ("fp32", "fp16"), photos=("one",)),
        Format(
            "tensorrt",
            "tensorrt_engine",
            ("fp32", "fp16", "int8"),
            default="fp16",
            options=("builder", "profile", "capabilities", "classic"),
            runtime="tensorrt_runtime",
            proven_as="onnx",
            takes_empty=False,
        ),
    )
}


def of_one_size() -> list[str]:
    """Names of the formats that whole photos of one size can be exported to."""
    return [name for name, made in FORMATS.items() if "one" in made.photos]


def find(name: str) -> Format:
    """The format of that name, or ExportError."""
    if name not in FORMATS:
        raise ExportError(f"format must be one of {', '.join(FORMATS)}. Received: {name!r}")
    return FORMATS[name]
