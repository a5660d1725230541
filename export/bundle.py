"""One model to one format, or to every format that this machine can make, with a report that proves parity."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlg_tf.errors import CnnlgError, ExportError, MissingExtraError
from cnnlg_tf.export import formats, parity_report
from cnnlg_tf.export.signatures import PIXELS, Sizes
from cnnlg_tf.export.source import Source
from cnnlg_tf.export.tensorrt_engine import PRECISIONS, Builder, ClassicOptions, Profile

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG


@dataclass
class Options:
    """What the exporters can be told; each takes what concerns it.

    photos: a folder of photos, at least 16: the first 8 for the report, the next 8 to calibrate int8.
    pixels: make the signature `pixels` alone.
    shape: (batch, height, width) that it then takes, and no other.
    """

    version: int | None = None
    builder: Builder = "rtx"
    profile: Profile = field(default_factory=Profile)
    capabilities: tuple[str, ...] = ("ampere", "ada", "blackwell")
    classic: ClassicOptions = field(default_factory=ClassicOptions)
    photos: Path | None = None
    allow_loss: bool = False
    threads: int = 2
    pixels: bool = False
    shape: Sizes | None = None


def parse_options(
    *,
    min_shape: str,
    opt_shape: str,
    max_shape: str,
    timing_cache: str | None,
    hardware_compatible: bool,
    version_compatible: bool,
    photos: str | None,
    shape: str | None = None,
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
        shape=None if shape is None else _fixed(shape),
        **options,
    )


def _fixed(text: str) -> Sizes:
    """The one shape that a graph takes. Raises ExportError for another batch than 1, or sides under 16."""
    shape = _parse_shape(text)
    if shape[0] != 1 or min(shape[1:]) < 16:
        raise ExportError(
            f"a shape of one photo must have batch 1 and sides >= 16. Received: {text!r}"
        )
    return shape


def _parse_shape(text: str) -> Sizes:
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise ExportError(
            f"a shape must read BATCHxHEIGHTxWIDTH, like 1x512x512. Received: {text!r}"
        )
    batch, height, width = (int(part) for part in parts)
    return batch, height, width


class Exporter:
    """Exports one model; what several formats start from is made once."""

    def __init__(self, model: "CNNLG", options: Options | None = None) -> None:
        self.model = model
        self.options = options or Options()
        chosen = [PIXELS] if self.options.pixels else None
        self._source = Source(model, self.options.photos, chosen, self.options.shape)

    def export(self, format: str, path: Path, precision: str | None = None) -> Path:
        """Make one export at `path` and return its folder; for a SavedModel that is the version's.

        Raises:
            ExportError: an unknown format or precision, a missed bar, a builder that cannot work here.
            MissingExtraError: the format's packages are not installed.
        """
        chosen = formats.find(format)
        return chosen.export(
            self.model,
            path,
            precision=chosen.choose(precision),
            allow_loss=self.options.allow_loss,
            source=self._source,
            **{name: getattr(self.options, name) for name in chosen.options},
        )

    def everything(self) -> list[tuple[str, str]]:
        """All (format, precision) that can be asked for: TensorRT's depend on the builder."""
        able = {name: made.precisions for name, made in formats.FORMATS.items()}
        able["tensorrt"] = PRECISIONS[self.options.builder]
        return [(name, precision) for name, precisions in able.items() for precision in precisions]

    def export_all(
        self, out: Path, tell: Callable[[str], object] = lambda line: None
    ) -> tuple[list[Path], dict[str, str]]:
        """Make `everything` under `out`, each in a folder of its own, and the parity report.

        Returns:
            (folders made, why others were skipped by name).

        Raises:
            ExportError: an export failed or misses its bar (and `allow_loss` is false); the others and the report are
                written all the same.
        """
        made: list[Path] = []
        skipped: dict[str, str] = {}
        failed: dict[str, str] = {}
        for format, precision in self.everything():
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
