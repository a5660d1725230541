"""The executable `cnnlg-tf-model-server`: the command line of `tensorflow_model_server`."""

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

from cnnlg_tf import __version__
from cnnlg_tf.errors import CnnlgError, ConfigError
from cnnlg_tf.serving.server.checks import check_options, check_ports
from cnnlg_tf.serving.server.flags import parse_flags, usage
from cnnlg_tf.serving.server.options import ServerOptions
from cnnlg_tf.startup import start_tensorflow

_FAILED = 255  # what main's `return -1` gives
_SWITCH_SECONDS = 0.0005  # a thread at work on a large body lets others go on, ten times Python's
TLSFiles = tuple[str | None, str | None, str | None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    help_text = usage("cnnlg-tf-model-server", ServerOptions)
    if "--help" in arguments:
        print(help_text)
        return 0
    try:
        options = parse_flags(ServerOptions, arguments)
    except ConfigError as error:
        print(f"{error}\n{help_text}")
        return _FAILED
    if options.version:
        _print_versions()
        return 0
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname).1s %(name)s] %(message)s",
    )
    try:
        serve(options)
    except CnnlgError as error:
        text = f"Failed to start server. Error: {getattr(error, 'code', '') or 'UNKNOWN'}: {error}"
        print(text, flush=True)
        logging.getLogger(__name__).error(text)
        return _FAILED
    return 0


def serve(
    options: ServerOptions,
    on_ready: Callable[[], None] = lambda: None,
    tls_files: TLSFiles = (None, None, None),
) -> None:
    """Run a server in this process until a signal; then drain it.

    Args:
        tls_files: PEM files of the server's certificate, its key, and the CA of its clients.
        on_ready: called when the models are loaded and the ports are open.

    Raises:
        ServingError: it cannot start.
    """
    check_options(options)
    check_ports(options)
    # A thread takes the signals: a Python handler would run inside whatever lock the main thread
    # holds. They are blocked before TensorFlow starts threads, which inherit the mask.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    start_tensorflow()
    sys.setswitchinterval(_SWITCH_SECONDS)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # v1's loader calls itself deprecated
    from cnnlg_tf.serving.server.model_server import ModelServer
    from cnnlg_tf.serving.server.tls import ServerTLS

    server = ModelServer(options, ServerTLS.from_files(*tls_files))

    def stop_on_signal() -> None:
        signal.sigwait(signals)
        server.request_stop()
        signal.sigwait(signals)
        os._exit(1)  # asked twice: whoever asks does not want to wait for the drain

    threading.Thread(target=stop_on_signal, name="signals", daemon=True).start()
    with server:
        # What start-up made stays. Left among the rest, its million objects would put off the full
        # collections that free what failed requests leave in cycles with their tracebacks.
        gc.collect()
        gc.freeze()
        on_ready()
        server.wait()


def _print_versions() -> None:
    from importlib.metadata import version

    print(f"TensorFlow ModelServer: {version('tensorflow-serving-api')}, cnnlg-tf {__version__}")
    print(f"TensorFlow Library: {version('tensorflow')}")


if __name__ == "__main__":
    sys.exit(main())
