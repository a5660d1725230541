"""`cnnlg-tf serve`: the model server for one export, with settings that suit a desk."""

import os
from pathlib import Path

from cnnlg_tf.errors import ServingError
from cnnlg_tf.extras import require
from cnnlg_tf.serving.server.command import TLSFiles, serve
from cnnlg_tf.serving.server.options import ServerOptions

# A run of the default model takes 1.1 KB a pixel (256 and 512 px, in float32 on a processor).
_BYTES_A_PIXEL = 1200


def most_pixels() -> int:
    """As many pixels in a request as half of this machine's memory is enough for, 64 Mi at most."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(64 * 2**20, memory // 2 // _BYTES_A_PIXEL)


def serve_export(
    export_dir: str | Path,
    *,
    model_name: str = "cnnlg",
    host: str = "127.0.0.1",
    port: int = 8500,
    rest_port: int = 8501,
    batching: bool = False,
    tls_files: TLSFiles = (None, None, None),
) -> None:
    """Serve a folder of numbered versions until SIGTERM or Ctrl+C; says on stdout where.

    Args:
        host: the address to listen on; the default answers this machine only.
        tls_files: PEM files of the server's certificate, its key, and the CA of its clients.

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
    for module in ("grpc_health", "grpc_reflection", "tensorflow_serving", "uvicorn", "httptools"):
        require(module, "serving")
    options = ServerOptions(
        model_name=model_name,
        model_base_path=str(folder.resolve()),
        host=host,
        port=port,
        rest_api_port=rest_port,
        enable_batching=batching,
        max_image_pixels=most_pixels(),
        max_num_load_retries=2,  # a broken export fails soon; a slow copy gets two seconds
        load_retry_interval_micros=1_000_000,
    )
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::1", "::") else host
    scheme = "http" if tls_files[0] is None else "https"
    rest = f", REST at {scheme}://{shown}:{rest_port}/v1/models/{model_name}" if rest_port else ""
    text = f"Serving {model_name}: gRPC at {shown}:{port}{rest}. Stop with Ctrl+C."
    serve(options, on_ready=lambda: print(text, flush=True), tls_files=tls_files)
