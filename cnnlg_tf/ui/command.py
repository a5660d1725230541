"""Start the page: find a port, print the address, serve until Ctrl+C."""

import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cnnlg_tf.errors import ServingError
from cnnlg_tf.extras import require
from cnnlg_tf.inference.network import Network

PORTS_TRIED = 20
HOST = "127.0.0.1"


def serve_page(
    open_: Callable[[], Network],
    target: str | Path | None,
    *,
    port: int,
    browser: bool,
    tell: Callable[[str], object],
) -> None:
    """Serve the page until the process is told to stop.

    Args:
        open_: gives the network.
        target: a photo or folder to open.
        port: to listen on; the next free one is taken if it is in use. 0: any.
        browser: whether to open the address in the user's browser.
        tell: shows the address to the user.

    Raises:
        MissingExtraError: the packages of the extra `ui` are not installed.
        ServingError: no port is free.
        ImageError: the target does not exist.
    """
    for module in ("starlette", "uvicorn", "python_multipart"):
        require(module, "ui")
    import uvicorn

    from cnnlg_tf.ui.app import create_app
    from cnnlg_tf.ui.store import default_state_folder

    with listen(port) as listener:
        number = listener.getsockname()[1]
        page = None if target is None else Path(target)
        app, token = create_app(open_, default_state_folder(), page, number)
        config = uvicorn.Config(
            app, log_level="warning", timeout_graceful_shutdown=2, server_header=False
        )
        address = f"http://{HOST}:{number}/?token={token}"
        tell(f"the page: {address}")
        tell("Ctrl+C stops it; unfinished work is kept among the system's temporary files")
        if browser:
            threading.Timer(0.3, webbrowser.open, [address]).start()
        with suppress(KeyboardInterrupt):  # which the server passes on once it has ended well
            uvicorn.Server(config).run(sockets=[listener])


def listen(port: int) -> socket.socket:
    """A socket on the first free of PORTS_TRIED ports; raises ServingError if none is."""
    last = port if port == 0 else min(port + PORTS_TRIED - 1, 65535)
    for candidate in range(port, last + 1):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, candidate))
            listener.listen(128)
            return listener
        except OSError:
            listener.close()
    raise ServingError(
        f"one of the ports {port} to {last} must be free on {HOST}. Received: all in use"
    )
