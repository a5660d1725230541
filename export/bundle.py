"""One model to one format, or to every format that this machine can make, with a report that proves parity."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlg_tf.errors import CnnlgError, ExportError, MissingExtraError
from cnnlg_tf.export import parity_report
from cnnlg_tf.export.tensorrt_engine import Builder, ClassicOptions, Profile

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMATS = ("saved_model", "onnx", "tensorrt", "litert", "openvino")
EVERYTHING = (
    ("saved_model", "fp32"),
    ("onnx", "fp32"),
    ("onnx", "fp16"),
    ("onnx", "int8"),
    ("litert", "fp32"),
    ("litert", "fp16"),
    ("litert", "int8"),
    ("openvino", "fp32"),
    ("openvino", "fp16"),
    ("tensorrt", "fp32"),
    ("tensorrt", "fp16"),
)


@dataclass
class Options:
    """What the exporters can be told; each takes what concerns it.

    photos: a folder of photos, at least 16: the first 8 for the report, the next 8 to calibrate int8.
    """

    version: int | None = None
    builder: Builder = "rtx"
    profile: Profile = field(default_factory=Profile)
    capabilities: tuple[str, ...] = ("ampere", "ada", "blackwell")
    classic: ClassicOptions = field(default_factory=ClassicOptions)
    photos: Path | None = None
    allow_loss: bool = False
    threads: int = 2


def parse_options(
    *,
    min_shape: str,
    opt_shape: str,
    max_shape: str,
    timing_cache: str | None,
    hardware_compatible: bool,
    version_compatible: bool,
    photos: str | None,
    **options: Any,
) -> Options:
    """Options from a command line's words; shapes read BATCHxHEIGHTxWIDTH.

    Raises:
        ExportError: a shape is not of that form, or the profile is not in order.
    """
    cache = None if timing_cache is None else Path(timing_cache)
    return Options(
        profile=Profile(*(_parse_shape(text) for text in (min_shape, opt_shape, max_shape))),
        classic=ClassicOptions(cache, hardware_compatible, version_compatible),
        photos=None if photos is None else Path(photos),
        **options,
    )


def _parse_shape(text: str) -> tuple[int, int, int]:
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise ExportError(
            f"a shape must read BATCHxHEIGHTxWIDTH, like 1x512x512. Received: {text!r}"
        )
    batch, height, width = (int(part) for part in parts)
    return batch, height, width


class Exporter:
    """Exports one model, doing once what several formats share: freezing, conversion, calibration photos."""

    def __init__(self, model: "CNNLG", options: Options | None = None) -> None:
        self.model = model
        self.options = options or Options()
        self._cache: dict[str, Any] = {}

    def export(self, format: str, path: Path, precision: str | None = None) -> Path:
        """Make one export at `path` and return its folder; for a SavedModel that is the version's.

        Raises:
            ExportError: an unknown format or precision, a missed bar, a builder that cannot work here.
            MissingExtraError: the format's packages are not installed.
        """
        if format not in FORMATS:
            raise ExportError(f"format must be one of {', '.join(FORMATS)}. Received: {format!r}")
        precision = precision or ("fp16" if format == "tensorrt" else "fp32")
        options = self.options
        if format == "saved_model":
            from cnnlg_tf.export.saved_model import export_saved_model

            if precision != "fp32":
                raise ExportError(f"a SavedModel's precision must be fp32. Received: {precision!r}")
            return export_saved_model(self.model, path, version=options.version)
        common: dict[str, Any] = {"precision": precision, "allow_loss": options.allow_loss}
        if format == "litert":
            from cnnlg_tf.export.litert_model import export_litert

            return export_litert(self.model, path, frozen=self._frozen(), **common)
        if format == "openvino":
            from cnnlg_tf.export.openvino_model import export_openvino

            return export_openvino(self.model, path, proto=self._onnx(), **common)
        common |= {"calibration": self._calibration() if precision == "int8" else None}
        if format == "onnx":
            from cnnlg_tf.export.onnx_model import export_onnx

            return export_onnx(self.model, path, proto=self._onnx(), **common)
        from cnnlg_tf.export.tensorrt_engine import check_builder, export_tensorrt

        check_builder(options.builder)
        return export_tensorrt(
            self.model,
            path,
            builder=options.builder,
            profile=options.profile,
            capabilities=options.capabilities,
            classic=options.classic,
            proto=self._onnx(),
            **common,
        )

    def export_all(
        self, out: Path, tell: Callable[[str], object] = lambda line: None
    ) -> tuple[list[Path], dict[str, str]]:
        """Make everything in EVERYTHING under `out`, each in a folder of its own, and the parity report.

        Returns:
            (folders made, why others were skipped by name).

        Raises:
            ExportError: an export failed or misses its bar (and `allow_loss` is false); the others and the report are
                written all the same.
        """
        made: list[Path] = []
        skipped: dict[str, str] = {}
        failed: dict[str, str] = {}
        for format, precision in EVERYTHING:
            name = format if format == "saved_model" else f"{format}-{precision}"
            try:
                made.append(self.export(format, out / name, precision))
                tell(f"wrote {made[-1]}")
            except MissingExtraError as error:
                skipped[name] = str(error)
                tell(f"skipped {name}: {error}")
            except CnnlgError as error:
                failed[name] = str(error)
                tell(f"failed {name}: {error}")
        rows = parity_report.write_report(
            self.model,
            made,
            out,
            photos=self.options.photos,
            threads=self.options.threads,
            tell=tell,
        )
        failed |= {row.name: row.loss for row in rows if row.loss and not self.options.allow_loss}
        if failed:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
            raise ExportError(f"not every export is as it should be: {reasons}")
        return made, skipped

    def _frozen(self) -> Any:
        from cnnlg_tf.export.frozen import freeze

        return self._once("frozen", lambda: freeze(self.model))

    def _onnx(self) -> Any:
        from cnnlg_tf.export.onnx_model import to_onnx

        return self._once("onnx", lambda: to_onnx(self.model, self._frozen()))

    def _calibration(self) -> list[np.ndarray]:
        def read() -> list[np.ndarray]:
            count = parity_report.PHOTOS
            photos = parity_report.read_photos(self.options.photos, count, skip=count)
            return [parity_report.resize(photo, 192, 256) for photo in photos]

        photos: list[np.ndarray] = self._once("calibration", read)
        return photos

    def _once(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]
