"""One door to anything that repairs: the shipped model, a checkpoint, an export, an engine, a server."""

import os
import re
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlg_tf.errors import CheckpointError, MissingExtraError

if TYPE_CHECKING:
    from cnnlg_tf.inference.network import Network
    from cnnlg_tf.models.cnnlg import CNNLG
    from cnnlg_tf.serving.client.tls import TLS

_ADDRESS = re.compile(r"https?://|unix:|dns://|[^/\\\s]+:\d+$")


def open_network(
    source: "Network | CNNLG | str | Path | None" = None,
    *,
    threads: int = 0,
    model_name: str = "cnnlg",
    timeout: float = 60.0,
    tls: "TLS | None" = None,
) -> "Network":
    """Open what repairs.

    Args:
        source: None for the model that ships; a preset's name; the path of a checkpoint, of a run's folder, of an
            export (its folder, a folder of numbered versions, or its artefact) or of a TensorRT
            engine; a server's address, `host:8500` for gRPC, `http://host:8501` for REST; a CNNLG.
            A Network comes back as it is. What exists as a path is one.
        threads: that an export runs on; 0 takes all cores.
        model_name: the model's name on a server.
        timeout: seconds for one request to a server, retries included.
        tls: certificates for a server.

    Raises:
        CheckpointError: the checkpoint cannot be loaded, or `source` is nothing of the above.
        ArtefactError: an export's file is missing, altered or cannot be loaded.
        MissingExtraError: a package that it needs is not installed.
        ExportError: an engine's driver or GPU is missing.
        ServingError: the server does not answer, or not with a model.
    """
    if hasattr(source, "fill"):
        return source  # type: ignore[return-value]  # a protocol: what has it, is one
    if source is None or isinstance(source, str | Path):
        return _open_named(source, threads, model_name, timeout, tls)
    if hasattr(source, "repair"):
        from cnnlg_tf.inference.cnnlg_network import CnnlgNetwork

        return CnnlgNetwork(source)
    raise CheckpointError(
        "a network must be a Network, a CNNLG, a path, a server's address or None. "
        f"Received: {type(source).__name__} {source!r}"
    )


def _open_named(
    name: str | Path | None, threads: int, model_name: str, timeout: float, tls: "TLS | None"
) -> "Network":
    if name is not None and os.path.exists(name):
        from cnnlg_tf.export.networks import ExportNetwork, find_export

        folder = find_export(Path(name))
        if folder is not None:
            return ExportNetwork(folder, threads)
    elif isinstance(name, str) and _ADDRESS.match(name):
        return _open_server(name, model_name, timeout, tls)
    elif name is not None:
        _check_preset(str(name))
    return _open_model(name)


def _check_preset(name: str) -> None:
    """Raise CheckpointError for what is no path, no address and no preset either."""
    from cnnlg_tf.presets import PRESETS

    if name not in PRESETS:
        raise CheckpointError(
            f"a model must be a preset ({', '.join(PRESETS)}), the folder of a checkpoint, a run or "
            f"an export, or a server's address, host:port. Received: {name}, which does not exist"
        )


def _open_server(address: str, model_name: str, timeout: float, tls: "TLS | None") -> "Network":
    from cnnlg_tf.serving.client import Client
    from cnnlg_tf.serving.client.network import ServerNetwork

    client = Client(address, model=model_name, timeout=timeout, tls=tls)
    network = ServerNetwork(client)
    weakref.finalize(network, client.close)
    return network


def _open_model(path: str | Path | None) -> "Network":
    try:
        from cnnlg_tf.startup import start_tensorflow

        start_tensorflow(optimised=False)
    except ImportError as error:
        raise MissingExtraError(
            f"a checkpoint needs TensorFlow, which cannot be imported ({error}). Install it with: "
            "pip install tensorflow; or name an ONNX, LiteRT or OpenVINO export as the model"
        ) from error
    from cnnlg_tf.checkpoint import load
    from cnnlg_tf.inference.cnnlg_network import CnnlgNetwork

    return CnnlgNetwork(load(path))
