"""How every exporter ends: a folder that appears whole, with its parity proven and its manifest written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export import formats, manifest, parity
from cnnlg_tf.export.signatures import DEFAULT
from cnnlg_tf.files import atomic_path

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """An empty folder for the block to fill; it becomes `path` if the block ends well.

    Raises:
        ExportError: it cannot be written.
    """
    try:
        with atomic_path(path) as folder:
            folder.mkdir()
            yield folder
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error}") from error


def prove(
    model: "CNNLG",
    folder: Path,
    format: str,
    precision: str,
    *,
    allow_loss: bool,
    packages: tuple[str, ...],
    signatures: tuple[str, ...] = (DEFAULT,),
    **details: Any,
) -> None:
    """Run what stands in `folder` beside the model, and write the manifest with the figures.

    Args:
        allow_loss: write it even if the bar is missed.
        packages: distributions whose versions made the artefact.
        details: what is special to the format, for the manifest.

    Raises:
        ExportError: its output is too far from the model's.
    """
    runner = formats.find(format).load_runner(folder, verify=False)
    figures = parity.check(model, runner, precision, allow_loss=allow_loss)
    manifest.write_manifest(
        folder,
        model,
        format=format,
        precision=precision,
        signatures=signatures,
        packages=packages,
        parity=figures,
        **details,
    )
