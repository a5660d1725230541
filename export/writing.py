"""How every exporter ends: a folder that appears whole, with its parity proven and its manifest written."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export import formats, manifest, parity
from cnnlg_tf.export.loaded import written_out
from cnnlg_tf.export.signatures import SIGNATURES
from cnnlg_tf.export.source import Source
from cnnlg_tf.files import atomic_path


@dataclass
class Draft:
    """An export on its way.

    folder: to be filled; names: of the signatures that it is to have; packages: distributions whose versions make the
    artefact; details: what is special to the format, for the manifest.
    """

    folder: Path
    names: list[str]
    packages: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@contextmanager
def writing(
    path: str | Path,
    format: str,
    precision: str,
    source: Source,
    *,
    allow_loss: bool = False,
    names: list[str] | None = None,
) -> Iterator[Draft]:
    """An empty folder for the block to fill; it becomes `path` if the block ends well and what it wrote is proven.

    Each signature that gives pixels is run beside the model, and the manifest written with the figures.

    Args:
        allow_loss: write it even if a bar is missed.
        names: signatures, the source's when None.

    Raises:
        ExportError: the format has no such precision, the folder cannot be written, or the export's output is too far
            from the model's.
    """
    made = formats.find(format)
    made.choose(precision)
    try:
        with atomic_path(path) as folder:
            folder.mkdir()
            draft = Draft(folder, source.names if names is None else names)
            if any(SIGNATURES[name].alone for name in draft.names):
                made.check_photos(source.shape)
            yield draft
            runs_as = formats.find(made.proven_as or format)
            loaded = runs_as.load(folder, verify=False)
            tried = [
                case
                for name in draft.names
                if SIGNATURES[name].outputs[SIGNATURES[name].result].dtype != "string"
                for case in source.cases(name)
            ]
            if not made.takes_empty:
                tried = [replace(c, inputs=written_out(c.signature, c.inputs)) for c in tried]
            figures = parity.check(tried, loaded, precision, allow_loss=allow_loss)
            manifest.write_manifest(
                folder,
                source.model,
                format=format,
                precision=precision,
                signatures=draft.names,
                packages=draft.packages,
                **{f"parity_of_{made.proven_as}" if made.proven_as else "parity": figures},
                **({} if source.shape is None else {"shape": list(source.shape)}),
                **draft.details,
            )
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error}") from error
