"""Puts a server together from its options, opens its ports, and drains it."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import grpc
import tensorflow as tf
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server.batching import BatchingOptions
from cnnlg_tf.serving.server.checks import check_options, check_ports
from cnnlg_tf.serving.server.config_files import (
    BatchingParameters,
    ModelServerConfig,
    MonitoringConfig,
    read_text_proto,
    single_model_config,
)
from cnnlg_tf.serving.server.core import ServerCore
from cnnlg_tf.serving.server.grpc_services import MODEL_SERVICE, PREDICTION_SERVICE, add_services
from cnnlg_tf.serving.server.limits import Limits, RunGate
from cnnlg_tf.serving.server.loader import Loader, LoadOptions
from cnnlg_tf.serving.server.manager import ManagerOptions, ModelManager
from cnnlg_tf.serving.server.metrics import PROMETHEUS_PATH, ServerMetrics
from cnnlg_tf.serving.server.options import ServerOptions
from cnnlg_tf.serving.server.prediction import Inference
from cnnlg_tf.serving.server.rest import RestServer
from cnnlg_tf.serving.server.servable import release_memory
from cnnlg_tf.serving.server.tls import ServerTLS
from cnnlg_tf.serving.server.unreadable import RefuseUnreadable
from cnnlg_tf.startup import usable_cores

_log = logging.getLogger(__name__)
# Threads that wait for a batch or for their turn are cheap; health checks must find a free one.
_GRPC_THREADS = 256
_TIDY_SECONDS = 30.0
_FAREWELL_SECONDS = 0.3
_OPERATIONS_AT_ONCE = 8  # at least: on fewer threads a quick request waits for slow ones to end


class ModelServer:
    """A server that speaks TF-Serving's gRPC and REST interfaces.

    with ModelServer(ServerOptions(model_base_path="export", model_name="cnnlg")) as server:
        server.wait()
    """

    def __init__(self, options: ServerOptions, tls: ServerTLS | None = None) -> None:
        """Read the config files; no model is loaded and no port is open yet.

        Args:
            tls: encrypts both ports, where the options name no SSLConfig of their own.

        Raises:
            ServingError: options that contradict each other, or a config file that is wrong.
        """
        check_options(options)
        self._options = options
        self._stopped = threading.Event()
        self._config = _model_config(options)
        self._grpc_tls = ServerTLS.from_config(options.ssl_config_file) or tls
        rest_tls = ServerTLS.from_config(options.rest_api_ssl_config_file) or tls
        self._rest_tls = rest_tls.ssl_context() if rest_tls else None
        self._prometheus_path = _prometheus_path(options)
        metrics = ServerMetrics()
        self._limits = Limits(
            options.max_message_bytes, options.max_rest_body_bytes, options.max_image_pixels
        )
        inference = Inference(
            self._limits,
            metrics,
            as_content=options.enable_serialization_as_tensor_content,
            check_method=options.enable_signature_method_name_check,
        )
        self._loader = Loader(
            _load_options(options), inference, metrics, RunGate(options.grpc_max_threads)
        )
        self._manager = ModelManager(
            self._loader.load,
            ManagerOptions(
                file_system_poll_wait_seconds=options.file_system_poll_wait_seconds,
                max_num_load_retries=options.max_num_load_retries,
                load_retry_interval_micros=options.load_retry_interval_micros,
                num_load_threads=options.num_load_threads,
                allow_version_labels_for_unavailable_models=options.allow_version_labels_for_unavailable_models,
            ),
        )
        self._core = ServerCore(self._manager, inference, metrics)
        self._health = health.HealthServicer()
        self._grpc: grpc.Server | None = None
        self._grpc_pool = ThreadPoolExecutor(max(_GRPC_THREADS, options.grpc_max_threads), "grpc")
        self._rest: RestServer | None = None

    def start(self) -> None:
        """Load the models, then open the ports.

        Raises:
            ServingError: a model failed to load, or a port is taken (UNAVAILABLE).
        """
        options = self._options
        check_ports(options)
        self._manager.start(self._config)
        if self._stopped.is_set():
            return
        host = f"[{options.host}]" if ":" in options.host else options.host
        addresses = [f"{host}:{options.port}"] if options.port else []
        if options.grpc_socket_path:
            addresses.append(f"unix:{options.grpc_socket_path}")
        if addresses:
            self._grpc = self._open_grpc(addresses)
            _log.info("Running gRPC ModelServer at %s ...", ", ".join(addresses))
        if options.rest_api_port:
            self._rest = RestServer(
                self._core,
                options.rest_api_port,
                host=options.host,
                tls=self._rest_tls,
                threads=options.rest_api_num_threads,
                timeout=options.rest_api_timeout_in_ms / 1000,
                cors=options.rest_api_enable_cors_support,
                prometheus_path=self._prometheus_path,
                limits=self._limits,
            )
            self._rest.start()
            _log.info("Exporting HTTP/REST API at:localhost:%d ...", options.rest_api_port)
        threading.Thread(target=self._tidy_memory, name="memory", daemon=True).start()
        if options.model_config_file and options.model_config_file_poll_wait_seconds > 0:
            threading.Thread(target=self._poll_config, name="config-poll", daemon=True).start()

    def wait(self) -> None:
        """Block until `stop` is called."""
        self._stopped.wait()

    def request_stop(self) -> None:
        """Make `wait`, or a `start` that still loads models, return."""
        self._stopped.set()
        self._manager.interrupt()

    def stop(self) -> None:
        """Refuse new requests, let accepted ones finish (within drain_timeout_seconds), unload."""
        self._stopped.set()
        grace = float(self._options.drain_timeout_seconds)
        self._core.refuse()
        self._health.enter_graceful_shutdown()
        finished = None
        if self._grpc is not None:
            # gRPC cancels what reached it and no thread took yet: let threads refuse that first.
            time.sleep(_FAREWELL_SECONDS)
            finished = self._grpc.stop(grace)
        if self._rest is not None:
            self._rest.stop(grace)
        if finished is not None:
            finished.wait()
        self._grpc_pool.shutdown(wait=False)  # gRPC leaves its threads to the garbage collector
        self._loader.stop()
        self._manager.stop()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _open_grpc(self, addresses: list[str]) -> grpc.Server:
        options = self._options
        server = grpc.server(
            self._grpc_pool,
            options=[
                (
                    "grpc.so_reuseport",
                    0,
                ),  # else a second server on the port would silently take half the requests
                ("grpc.max_receive_message_length", options.max_message_bytes),
                ("grpc.max_send_message_length", -1),
                *_channel_arguments(options.grpc_channel_arguments),
            ],
            interceptors=[RefuseUnreadable()],
        )
        add_services(server, self._core)
        names = [PREDICTION_SERVICE, MODEL_SERVICE, reflection.SERVICE_NAME]
        if options.enable_grpc_healthcheck_service:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
            names.append(health.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        if options.enable_profiler:
            from cnnlg_tf.serving.server.profiler import add_profiler_service

            add_profiler_service(server)
        credentials = self._grpc_tls.grpc_credentials() if self._grpc_tls else None
        for address in addresses:
            try:
                if credentials is None:
                    server.add_insecure_port(address)
                else:
                    server.add_secure_port(address, credentials)
            except RuntimeError as error:
                raise ServingError(
                    f"gRPC cannot listen at {address}: {error}", "UNAVAILABLE"
                ) from error
        server.start()
        for name in ("", PREDICTION_SERVICE, MODEL_SERVICE):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return server

    def _tidy_memory(self) -> None:
        """Give back now and then what the C library keeps of freed tensors."""
        while not self._stopped.wait(_TIDY_SECONDS):
            release_memory()

    def _poll_config(self) -> None:
        while not self._stopped.wait(self._options.model_config_file_poll_wait_seconds):
            try:
                self._manager.reload(
                    read_text_proto(self._options.model_config_file, ModelServerConfig)
                )
            except ServingError as error:
                _log.error("PollFilesystemAndReloadConfig failed to ReloadConfig: %s", error)


def _model_config(options: ServerOptions) -> Any:
    if options.model_config_file:
        return read_text_proto(options.model_config_file, ModelServerConfig)
    return single_model_config(options.model_name, options.model_base_path)


def _prometheus_path(options: ServerOptions) -> str | None:
    if not options.monitoring_config_file:
        return None
    config = read_text_proto(options.monitoring_config_file, MonitoringConfig).prometheus_config
    return (config.path or PROMETHEUS_PATH) if config.enable else None


def _load_options(options: ServerOptions) -> LoadOptions:
    batching = None
    if options.enable_batching:
        batching = BatchingOptions()
        if options.batching_parameters_file:
            parameters = read_text_proto(options.batching_parameters_file, BatchingParameters)
            batching = BatchingOptions.from_proto(parameters)
    return LoadOptions(
        saved_model_tags=options.saved_model_tags.split(","),
        session_config=session_config(options),
        prefer_tflite_model=options.prefer_tflite_model,
        num_tflite_pools=options.num_tflite_pools,
        enable_model_warmup=options.enable_model_warmup,
        num_request_iterations_for_warmup=options.num_request_iterations_for_warmup,
        batching=batching,
        enable_per_model_batching_parameters=options.enable_per_model_batching_parameters,
    )


def session_config(options: ServerOptions) -> Any:
    """ConfigProto of the models' sessions. Raises ServingError where options contradict each other."""
    config = tf.compat.v1.ConfigProto()
    if options.tensorflow_session_config_file:
        config = read_text_proto(options.tensorflow_session_config_file, tf.compat.v1.ConfigProto)
    intra, inter = options.tensorflow_intra_op_parallelism, options.tensorflow_inter_op_parallelism
    if options.tensorflow_session_parallelism and (intra or inter):
        raise ServingError(
            "Either configure tensorflow_session_parallelism or (tensorflow_intra_op_parallelism, "
            "tensorflow_inter_op_parallelism) separately. You cannot configure all.",
            "INVALID_ARGUMENT",
        )
    config.intra_op_parallelism_threads = intra or options.tensorflow_session_parallelism
    config.inter_op_parallelism_threads = (
        inter or options.tensorflow_session_parallelism or max(_OPERATIONS_AT_ONCE, usable_cores())
    )
    config.allow_soft_placement = True
    config.gpu_options.allow_growth = options.per_process_gpu_memory_fraction == 0
    config.gpu_options.per_process_gpu_memory_fraction = options.per_process_gpu_memory_fraction
    rewrite = config.graph_options.rewrite_options
    if options.mixed_precision == "bfloat16":
        rewrite.auto_mixed_precision_onednn_bfloat16 = rewrite.ON
    elif options.mixed_precision == "float16":
        rewrite.auto_mixed_precision = rewrite.ON
    elif options.mixed_precision:
        raise ServingError(
            f"--mixed_precision must be bfloat16 or float16. Received: {options.mixed_precision}",
            "INVALID_ARGUMENT",
        )
    return config


def _channel_arguments(text: str) -> list[tuple[str, int | str]]:
    arguments: list[tuple[str, int | str]] = []
    for argument in filter(None, text.split(",")):
        key, equals, value = argument.partition("=")
        if not equals:
            raise ServingError(
                f"grpc_channel_arguments must read key=value,... Received: {argument!r}",
                "INVALID_ARGUMENT",
            )
        number = value.removeprefix("-").isdigit()
        arguments.append((key, int(value) if number else value))
    return arguments
