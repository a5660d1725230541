"""One door to anything that repairs: the shipped model, a checkpoint, an export, an engine, a server."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnnlg_tf.errors import CheckpointError

if TYPE_CHECKING:
    from cnnlg_tf.inference.network import Network
    from cnnlg_tf.models.cnnlg import CNNLG


def open_network(source: "Network | CNNLG | str | Path | None" = None) -> "Network":
    """Open what repairs.

    Args:
        source: None for the model that ships; a CNNLG; the path of a checkpoint or of a run's
            folder. A Network comes back as it is.

    Raises:
        CheckpointError: the checkpoint cannot be loaded, or `source` is nothing of the above.
    """
    if hasattr(source, "fill"):
        return source  # type: ignore[return-value]  # a protocol: what has it, is one
    if source is None or isinstance(source, str | Path):
        return _open_model(source)
    if hasattr(source, "repair"):
        from cnnlg_tf.inference.cnnlg_network import CnnlgNetwork

        return CnnlgNetwork(source)
    raise CheckpointError(
        "a network must be a Network, a CNNLG, a path or None. "
        f"Received: {type(source).__name__} {source!r}"
    )


def _open_model(path: str | Path | None) -> "Network":
    from cnnlg_tf.startup import start_tensorflow

    start_tensorflow()
    from cnnlg_tf.checkpoint import load
    from cnnlg_tf.inference.cnnlg_network import CnnlgNetwork

    return CnnlgNetwork(load(path))
