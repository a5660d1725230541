"""`cnnlg-tf serve`: the model server for one export, with settings that suit a desk."""

from pathlib import Path

from cnnlg_tf.errors import ServingError
from cnnlg_tf.extras import require
from cnnlg_tf.serving.server.options import ServerOptions


def serve_export(
    export_dir: str | Path,
    *,
    name: str = "cnnlg",
    port: int = 8500,
    rest_port: int = 8501,
    batching: bool = False,
) -> None:
    """Serve a folder of numbered versions until SIGTERM or Ctrl+C; says on stdout where.

    Raises:
        ServingError: the folder holds no version, a port is taken, or the model cannot be loaded.
        MissingExtraError: the extra `serving` is not installed.
    """
    folder = Path(export_dir)
    if not folder.is_dir() or not any(child.name.isdigit() for child in folder.iterdir()):
        found = "a version itself" if (folder / "saved_model.pb").exists() else "none there"
        raise ServingError(
            f"an export to serve must hold a numbered folder, as {folder / '1'}. Received: {found}",
            "NOT_FOUND",
        )
    for module in ("grpc_health", "grpc_reflection", "tensorflow_serving"):
        require(module, "serving")
    from cnnlg_tf.serving.server.command import serve

    options = ServerOptions(
        model_name=name,
        model_base_path=str(folder.resolve()),
        port=port,
        rest_api_port=rest_port,
        enable_batching=batching,
        max_num_load_retries=2,  # a broken export fails soon; a slow copy gets two seconds
        load_retry_interval_micros=1_000_000,
    )
    rest = f", REST at http://localhost:{rest_port}/v1/models/{name}" if rest_port else ""
    text = f"Serving {name}: gRPC at localhost:{port}{rest}. Stop with Ctrl+C."
    serve(options, on_ready=lambda: print(text, flush=True))
