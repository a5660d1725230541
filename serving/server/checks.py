"""What can be found wrong with a server's options in a moment, before TensorFlow is imported."""

import contextlib
import socket

from cnnlg_tf.errors import ServingError
from cnnlg_tf.extras import require
from cnnlg_tf.serving.server.options import ServerOptions


def check_options(options: ServerOptions) -> None:
    """Find options that contradict each other or that this server does not support.

    Raises:
        ServingError: INVALID_ARGUMENT or UNIMPLEMENTED.
        MissingExtraError: the extra for TFLite is needed and not installed.
    """
    for name in ("use_alts_credentials", "platform_config_file", "thread_pool_factory_config_file"):
        if getattr(options, name):
            raise ServingError(f"--{name} is not supported by the embedded server", "UNIMPLEMENTED")
    if options.prefer_tflite_model:
        require("ai_edge_litert.interpreter", "litert")
    if not options.model_base_path and not options.model_config_file:
        raise ServingError(
            "Both server_options.model_base_path and server_options.model_config_file are empty!",
            "INVALID_ARGUMENT",
        )
    if not options.port and not options.grpc_socket_path and not options.rest_api_port:
        raise ServingError(
            "a server needs --port, --grpc_socket_path or --rest_api_port", "INVALID_ARGUMENT"
        )
    if options.port == options.rest_api_port != 0:
        raise ServingError(
            f"--rest_api_port must differ from --port. Received: {options.port} for both",
            "INVALID_ARGUMENT",
        )
    if options.batching_parameters_file and not options.enable_batching:
        raise ServingError(
            "server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true.",
            "INVALID_ARGUMENT",
        )


def check_ports(options: ServerOptions) -> None:
    """Find a taken port before spending time on models. Raises ServingError: UNAVAILABLE."""
    for port in filter(None, (options.port, options.rest_api_port)):
        _check_port(options.host, port)


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ServingError(
                f"port {port} of {host} cannot be listened on: {error.strerror}. "
                "Stop the program that holds it, or choose another port",
                "UNAVAILABLE",
            ) from error
