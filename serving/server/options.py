"""The flags of the model server: those of `tensorflow_model_server`, and three of its own."""

from dataclasses import dataclass

from cnnlg_tf.serving.server.flags import flag
from cnnlg_tf.startup import usable_cores

_CPUS = usable_cores()
_NO_EFFECT = "Accepted because TF-Serving has it; has no effect here."
_UNSUPPORTED = "TF-Serving has it; the embedded server refuses it."


@dataclass(frozen=True)
class ServerOptions:
    """What a server is started with. Names and defaults are TF-Serving's."""

    host: str = flag("0.0.0.0", "Address that both APIs listen on (not in TF-Serving).")
    port: int = flag(8500, "TCP port of the gRPC API.")
    grpc_socket_path: str = flag("", "Path of a UNIX socket that also serves the gRPC API.")
    grpc_channel_arguments: str = flag("", "gRPC server options, key=value, separated by commas.")
    grpc_max_threads: int = flag(4 * _CPUS, "How many requests may run in the models at once.")
    ssl_config_file: str = flag("", "Text SSLConfig: serve gRPC over TLS.")
    rest_api_ssl_config_file: str = flag(
        "", "Text SSLConfig: serve REST over TLS (not in TF-Serving)."
    )
    rest_api_port: int = flag(0, "TCP port of the REST API; 0 for none. Must differ from --port.")
    rest_api_num_threads: int = flag(4 * _CPUS, "How many REST requests are worked on at once.")
    rest_api_timeout_in_ms: int = flag(30_000, "Time limit of a REST request.")
    rest_api_enable_cors_support: bool = flag(False, "Send CORS headers.")
    model_name: str = flag("default", "Name of the model (ignored with --model_config_file).")
    model_base_path: str = flag(
        "", "Folder of numbered versions (ignored with --model_config_file)."
    )
    model_config_file: str = flag(
        "", "Text ModelServerConfig: several models, version policies, labels."
    )
    model_config_file_poll_wait_seconds: int = flag(
        0, "Read that file again this often; 0 for once."
    )
    allow_version_labels_for_unavailable_models: bool = flag(
        False, "Allow a new label on a version that is not loaded."
    )
    file_system_poll_wait_seconds: int = flag(
        1, "Look for new versions this often; 0 for once, negative for never."
    )
    max_num_load_retries: int = flag(5, "How often a load is tried again after the first failure.")
    load_retry_interval_micros: int = flag(
        60_000_000, "Pause between those tries; negative for none."
    )
    num_load_threads: int = flag(0, "How many versions load at once (0 is 1).")
    num_unload_threads: int = flag(0, _NO_EFFECT)
    flush_filesystem_caches: bool = flag(True, _NO_EFFECT)
    enable_model_warmup: bool = flag(
        True, "Replay assets.extra/tf_serving_warmup_requests after a load."
    )
    num_request_iterations_for_warmup: int = flag(
        0, "How often each of those is replayed; 0 is once."
    )
    enable_batching: bool = flag(False, "Merge concurrent requests.")
    batching_parameters_file: str = flag("", "Text BatchingParameters; needs --enable_batching.")
    enable_per_model_batching_parameters: bool = flag(
        False,
        "Take them from batching_params.pbtxt beside the model; models without it are not batched.",
    )
    monitoring_config_file: str = flag(
        "", "Text MonitoringConfig: serve Prometheus metrics on the REST port."
    )
    saved_model_tags: str = flag(
        "serve", "Comma-separated tags of the graph to load from a SavedModel."
    )
    prefer_tflite_model: bool = flag(False, "Load model.tflite where a version has one.")
    num_tflite_pools: int = flag(_CPUS, "Interpreters for each TFLite model.")
    num_tflite_interpreters_per_pool: int = flag(1, _NO_EFFECT)
    enable_signature_method_name_check: bool = flag(
        False, "Demand that a signature's method_name fits Classify and Regress."
    )
    enable_serialization_as_tensor_content: bool = flag(
        False, "Answer Predict in tensor_content, not in typed fields."
    )
    enable_grpc_healthcheck_service: bool = flag(True, "Serve grpc.health.v1.Health.")
    enable_profiler: bool = flag(True, "Serve TensorFlow's profiler.")
    tensorflow_session_parallelism: int = flag(0, "Threads of a session; 0 for automatic.")
    tensorflow_intra_op_parallelism: int = flag(0, "Threads inside an operation; 0 for automatic.")
    tensorflow_inter_op_parallelism: int = flag(0, "Operations at once; 0 for 8 or more.")
    tensorflow_session_config_file: str = flag("", "Text ConfigProto of the sessions.")
    per_process_gpu_memory_fraction: float = flag(
        0.0, "Share of the GPU's memory to take; 0 for automatic."
    )
    mixed_precision: str = flag(
        "", "bfloat16 or float16: let TensorFlow lower the precision of a graph."
    )
    xla_cpu_compilation_enabled: bool = flag(False, _NO_EFFECT)
    xla_gpu_compilation_enabled: bool = flag(False, _NO_EFFECT)
    remove_unused_fields_from_bundle_metagraph: bool = flag(True, _NO_EFFECT)
    skip_initialize_tpu: bool = flag(False, _NO_EFFECT)
    use_alts_credentials: bool = flag(False, _UNSUPPORTED)
    platform_config_file: str = flag("", _UNSUPPORTED)
    thread_pool_factory_config_file: str = flag("", _UNSUPPORTED)
    version: bool = flag(False, "Print the versions and exit.")
    max_message_bytes: int = flag(
        2**31 - 1, "Largest gRPC message, and tensor in one (not in TF-Serving)."
    )
    max_rest_body_bytes: int = flag(
        256 * 2**20, "Largest REST body, unpacked too (not in TF-Serving)."
    )
    max_image_pixels: int = flag(
        64 * 2**20, "Most pixels of an image, encoded or a tensor (not in TF-Serving)."
    )
    drain_timeout_seconds: int = flag(
        30, "How long SIGTERM lets running requests finish (not in TF-Serving)."
    )
