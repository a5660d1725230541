"""SavedModel for TensorFlow Serving: a folder of numbered versions with all signatures and a warm-up file."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export.checks import checked
from cnnlg_tf.export.formats import FORMATS
from cnnlg_tf.export.loaded import Loaded
from cnnlg_tf.export.signatures import DEFAULT, SIGNATURES, available
from cnnlg_tf.export.source import Source
from cnnlg_tf.export.warmup import write_warmup
from cnnlg_tf.export.writing import writing
from cnnlg_tf.startup import use_threads

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMAT = "saved_model"


def export_saved_model(
    model: "CNNLG",
    path: str | Path,
    *,
    precision: str = "fp32",
    allow_loss: bool = False,
    source: Source | None = None,
    version: int | None = None,
) -> Path:
    """Write `path/<version>/`: saved_model.pb, its variables, the warm-up requests and manifest.json.

    The folder appears under its number only when it is complete, so that a running server never takes up half a model.
    The posterior encoder, which only training uses, is left out.

    Args:
        path: the folder of versions, what TensorFlow Serving calls the base path.
        precision: fp32.
        allow_loss: write it even if its parity misses the bar.
        source: what other exports of this model share.
        version: a positive number; None takes the next free one.

    Returns:
        The version's folder.

    Raises:
        ExportError: the version is no positive number, the folder cannot be written, or the SavedModel's output differs
            from the model's.
    """
    FORMATS[FORMAT].choose(precision)
    import tensorflow as tf

    path, source = Path(path), source or Source(model)
    version = next_version(path) if version is None else version
    if version < 1:
        raise ExportError(f"version must be a positive number. Received: {version}")
    folder, names = path / str(version), source.chosen or available(model)
    with writing(folder, FORMAT, precision, source, allow_loss=allow_loss, names=names) as draft:
        module = tf.Module(name="cnnlg")
        functions = {
            name: checked(source.functions, name).get_concrete_function() for name in names
        }
        module.weights = _weights_of(functions)
        tf.saved_model.save(module, str(draft.folder), signatures=functions)
        write_warmup(draft.folder, names)
        size = int(sum(np.prod(w.shape) * w.dtype.size for w in module.weights))
        draft.details = {"weights_bytes": size}
    return folder


def load(folder: Path, threads: int = 0) -> Loaded:
    """The signatures of a version's folder as functions of numpy arrays.

    Args:
        threads: 0 takes all cores; without effect once TensorFlow runs.

    Raises:
        ArtefactError: there is no SavedModel with `serving_default`.
    """
    import tensorflow as tf

    if threads:
        use_threads(threads)
    try:
        loaded = tf.saved_model.load(str(folder))
    except OSError as error:
        raise ArtefactError(
            f"{folder} must hold a SavedModel with {DEFAULT}. Received: {error}"
        ) from error
    if not SIGNATURES.keys() & loaded.signatures.keys():  # merely another SavedModel
        raise ArtefactError(
            f"{folder} must hold a SavedModel with {DEFAULT}. Received: {list(loaded.signatures)}"
        )

    def call(name: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        tensors = {argument: tf.constant(value) for argument, value in inputs.items()}
        # found anew: a signature holds its variables weakly, `loaded` holds them
        return {key: value.numpy() for key, value in loaded.signatures[name](**tensors).items()}

    return {name: partial(call, name) for name in loaded.signatures}


def next_version(path: Path) -> int:
    """One more than the highest numbered folder in `path`."""
    found = (
        [int(child.name) for child in path.iterdir() if child.name.isdigit()]
        if path.is_dir()
        else []
    )
    return max(found, default=0) + 1


def _weights_of(functions: dict[str, Any]) -> list[Any]:
    """The variables that the functions read, each once; no others go into the SavedModel."""
    variables = {id(v): v for function in functions.values() for v in function.graph.variables}
    return list(variables.values())
