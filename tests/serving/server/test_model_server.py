"""Flags that change how a server answers, and what it does while its models and configs change."""

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import (
    classification_pb2,
    model_management_pb2,
    prediction_log_pb2,
)

from cnnlg_tf.errors import MissingExtraError, ServingError
from cnnlg_tf.serving.server.config_files import SSLConfig
from cnnlg_tf.serving.server.limits import RunGate
from cnnlg_tf.serving.server.model_server import ModelServer, session_config
from cnnlg_tf.serving.server.options import ServerOptions
from cnnlg_tf.serving.server.servable import SavedModelServable
from tests.serving import model_factory
from tests.serving.servers import (
    Server,
    failure,
    free_port,
    predict_request,
    running_server,
    wait_until,
)


def ask(server: Server, value: float = 2.0, name: str = "m", version: int | None = None) -> Any:
    request = predict_request(name, x=np.float32([value]))
    if version is not None:
        request.model_spec.version.value = version
    return server.predictions.Predict(request, 30)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """(key, certificate) of localhost, in PEM."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-keyout key.pem -out cert.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost",
        shell=True,
        check=True,
        cwd=folder,
        capture_output=True,
    )
    return (folder / "key.pem").read_text(), (folder / "cert.pem").read_text()


@pytest.fixture(scope="module")
def secure(
    models: Path, certificate: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """TLS with client certificates, batching, tensor_content, method check, own metrics path."""
    folder = tmp_path_factory.mktemp("secure")
    key, cert = certificate
    ssl = text_format.MessageToString(
        SSLConfig(server_key=key, server_cert=cert, custom_ca=cert, client_verify=True)
    )
    files = {
        "ssl": ssl,
        "batching": "max_batch_size { value: 4 } batch_timeout_micros { value: 100000 } "
        "max_enqueued_batches { value: 50 } num_batch_threads { value: 2 } "
        "allowed_batch_sizes: 2 allowed_batch_sizes: 4",
        "monitoring": 'prometheus_config { enable: true path: "/metrics" }',
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    credentials = grpc.ssl_channel_credentials(cert.encode(), key.encode(), cert.encode())
    with running_server(
        folder,
        "--model_name=two",
        f"--model_base_path={models}/half_plus_two",
        f"--ssl_config_file={folder}/ssl",
        "--enable_batching",
        f"--batching_parameters_file={folder}/batching",
        f"--monitoring_config_file={folder}/monitoring",
        "--enable_serialization_as_tensor_content",
        "--enable_signature_method_name_check",
        "--tensorflow_session_parallelism=1",
        credentials=credentials,
    ) as running:
        yield running


def test_answers_over_tls_in_tensor_content(secure: Server) -> None:
    output = ask(secure, name="two").outputs["y"]
    assert output.tensor_content == np.float32([3.0]).tobytes()
    assert not output.float_val
    with grpc.insecure_channel(f"localhost:{secure.port}") as channel:
        method = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        assert failure(method, b"", timeout=5)[0] == "UNAVAILABLE"


def test_concurrent_requests_share_runs(secure: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda value: ask(secure, value, "two"), range(8)))
    values = [tf.make_ndarray(answer.outputs["y"])[0] for answer in answers]
    np.testing.assert_array_equal(values, np.arange(8) / 2 + 2)
    _, text = secure.rest("/metrics")
    name = ":tensorflow:serving:batching_session:wrapped_run_count{}"
    (runs,) = (int(line.split()[1]) for line in text.splitlines() if line.startswith(name))
    assert runs < 8
    request = predict_request("two", x=np.zeros(5, np.float32))
    assert failure(secure.predictions.Predict, request) == (
        "INVALID_ARGUMENT",
        "Task size 5 is larger than maximum input batch size 4",
    )
    request = predict_request("two", x=np.float32(1))
    assert failure(secure.predictions.Predict, request) == (
        "INVALID_ARGUMENT",
        "Batching Run() input tensors must have at least one dimension",
    )


def test_the_method_name_is_checked(secure: Server) -> None:
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "two"
    request.model_spec.signature_name = "regress_x_to_y"
    assert failure(secure.predictions.Classify, request) == (
        "INVALID_ARGUMENT",
        "Expected classification signature method_name to be tensorflow/serving/classify. "
        "Was: tensorflow/serving/regress",
    )


@pytest.fixture(scope="module")
def rolling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server whose config file and versions change: quick polls, quick retries, TFLite."""
    folder = tmp_path_factory.mktemp("rolling")
    model_factory.save_half_plus_three(folder / "m" / "1", addend=1.0)
    _write_warmup(folder / "m" / "1")
    model_factory.save_tflite(folder / "lite" / "1")
    config = folder / "models.config"
    config.write_text(_config(folder, "m", "lite"))
    with running_server(
        folder,
        f"--model_config_file={config}",
        "--model_config_file_poll_wait_seconds=1",
        "--max_num_load_retries=1",
        "--load_retry_interval_micros=100000",
        "--prefer_tflite_model=true",
        "--num_request_iterations_for_warmup=2",
    ) as running:
        yield running, folder


def _config(folder: Path, *names: str) -> str:
    configs = (
        f'config {{ name: "{name}" base_path: "{folder}/{name}" model_platform: "tensorflow" }}'
        for name in names
    )
    return f"model_config_list {{ {' '.join(configs)} }}"


def _write_warmup(version: Path) -> None:
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(predict_request("m", x=np.float32([1, 2])))
    (version / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(version / "assets.extra/tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())


def test_a_new_version_takes_over_with_no_failed_request(rolling: tuple[Server, Path]) -> None:
    server, folder = rolling
    assert b"Warmed up" in server.log.read_bytes()
    assert ask(server).outputs["y"].float_val[0] == 2.0
    stop, versions, errors = threading.Event(), [], []

    def load() -> None:
        while not stop.is_set():
            try:
                versions.append(ask(server).model_spec.version.value)
            except grpc.RpcError as error:
                errors.append(error)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    model_factory.save_half_plus_three(folder / "tmp", addend=2.0)
    (folder / "tmp").rename(folder / "m" / "2")
    wait_until(lambda: versions and versions[-1] == 2)
    (folder / "tmp").mkdir()
    (folder / "tmp" / "saved_model.pb").write_bytes(b"no model")
    (folder / "tmp").rename(folder / "m" / "3")
    wait_until(lambda: 3 in _ended(server))
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert set(versions) == {1, 2}
    status, answer = server.rest("/v1/models/m/versions/3")
    assert status == 200
    (version,) = answer["model_version_status"]
    assert version["state"] == "END"
    assert version["status"]["error_code"] != "OK"
    assert ask(server).model_spec.version.value == 2  # the corrupt version changed nothing
    wait_until(lambda: 1 in _ended(server))  # and the old one was released


def _states(server: Server) -> dict[int, str]:
    _, answer = server.rest("/v1/models/m")
    return {int(s["version"]): s["state"] for s in answer["model_version_status"]}


def _ended(server: Server) -> set[int]:
    return {version for version, state in _states(server).items() if state == "END"}


def test_a_tflite_model_answers(rolling: tuple[Server, Path]) -> None:
    server, _ = rolling
    assert ask(server, name="lite").outputs["y"].float_val[0] == 3.0
    assert server.rest("/v1/models/lite:predict", {"instances": [1.0, 2.0]}) == (
        200,
        {"predictions": [2.5, 3.0]},
    )


def test_config_by_rpc_and_by_file(rolling: tuple[Server, Path]) -> None:
    server, folder = rolling
    model_factory.save_half_plus_three(folder / "added" / "5")
    text = _config(folder, "m", "lite", "added")
    request = model_management_pb2.ReloadConfigRequest()
    text_format.Parse(text, request.config)
    (folder / "models.config").write_text(text)
    response = server.models.HandleReloadConfigRequest(request, 60)
    assert response.status.error_code == 0
    assert ask(server, name="added").model_spec.version.value == 5
    (folder / "models.config").write_text("no config")  # is told in the log and changes nothing
    wait_until(lambda: b"Invalid protobuf file" in server.log.read_bytes())
    assert ask(server, name="added").model_spec.version.value == 5
    (folder / "models.config").write_text(_config(folder, "m", "lite"))
    request = predict_request("added", x=np.float32([1]))

    def gone() -> bool:
        try:
            server.predictions.Predict(request, 10)
        except grpc.RpcError as error:
            return error.code() == grpc.StatusCode.NOT_FOUND
        return False

    wait_until(gone)


def test_the_profiler_answers_on_the_grpc_port(
    rolling: tuple[Server, Path], tmp_path: Path
) -> None:
    server, _ = rolling
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            ask(server)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        tf.profiler.experimental.client.trace(
            f"grpc://localhost:{server.port}", str(tmp_path), 300, num_tracing_attempts=5
        )
    finally:
        stop.set()
        thread.join()
    assert list(tmp_path.rglob("*.xplane.pb"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Both server_options.model_base_path and server_options.model_config_file are empty!"),
        ({"rest_api_port": 8500}, "--rest_api_port must differ from --port. Received: 8500"),
        ({"batching_parameters_file": "f"}, "batching_parameters_file is set without setting"),
        ({"port": 0}, "a server needs --port, --grpc_socket_path or --rest_api_port"),
        ({"use_alts_credentials": True}, "--use_alts_credentials is not supported"),
        ({"platform_config_file": "f"}, "--platform_config_file is not supported"),
        (
            {"mixed_precision": "int8"},
            "--mixed_precision must be bfloat16 or float16. Received: int8",
        ),
        (
            {"tensorflow_session_parallelism": 1, "tensorflow_intra_op_parallelism": 1},
            "You cannot configure all.",
        ),
        ({"model_config_file": "/nowhere"}, "'/nowhere' cannot be read"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], message: str) -> None:
    base = {} if not options else {"model_base_path": "/m"}
    with pytest.raises(ServingError, match=message):
        ModelServer(ServerOptions(**{**base, **options}))


@pytest.mark.parametrize(
    ("options", "threads"),
    [
        ({}, 8),
        ({"tensorflow_session_parallelism": 1}, 1),
        ({"tensorflow_inter_op_parallelism": 2}, 2),
    ],
)
def test_quick_requests_find_a_thread_beside_slow_ones(
    options: dict[str, Any], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlg_tf.serving.server.model_server.usable_cores", lambda: 2)
    config = session_config(ServerOptions(**options))
    assert config.inter_op_parallelism_threads == threads


def test_a_tflite_model_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cnnlg-tf\[litert\]'"):
        ModelServer(ServerOptions(model_base_path="/m", prefer_tflite_model=True))


def test_a_server_in_this_process(models: Path, request: pytest.FixtureRequest) -> None:
    options = ServerOptions(
        model_base_path=f"{models}/half_plus_three",
        model_name="m",
        port=free_port(),
        rest_api_port=free_port(),
        grpc_channel_arguments="grpc.max_connection_age_ms=2000",
    )
    before = set(threading.enumerate())
    gc.disable()  # no thread may wait for it to end
    request.addfinalizer(gc.enable)
    with ModelServer(options) as server:
        with pytest.raises(
            ServingError, match=f"port {options.port} of 0.0.0.0 cannot be listened on"
        ):
            with ModelServer(options):
                pass
        with grpc.insecure_channel(f"localhost:{options.port}") as channel:
            method = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            assert failure(method, b"")[1] == "Missing ModelSpec"
            server._core.refuse()  # what a stop does first
            refused = failure(method, predict_request("m", x=np.float32([2])).SerializeToString())
            assert refused == ("UNAVAILABLE", "the server is stopping")
        threading.Timer(0.1, server.request_stop).start()
        server.wait()
    wait_until(lambda: set(threading.enumerate()) <= before, 10)


def test_wrong_channel_arguments(models: Path) -> None:
    options = ServerOptions(
        model_base_path=f"{models}/half_plus_three",
        port=free_port(),
        grpc_channel_arguments="grpc.x",
    )
    with pytest.raises(ServingError, match="grpc_channel_arguments must read key=value,..."):
        with ModelServer(options):
            pass


def test_memory_returns_after_a_swap(tmp_path: Path) -> None:
    """A model of 40 MB, swapped five times, leaves no more behind than one of them weighs."""
    model_factory.save_heavy(tmp_path / "1")

    def load_and_close() -> None:
        SavedModelServable(tmp_path / "1", ["serve"], None, RunGate(1)).close()

    load_and_close()
    before = _resident_megabytes()
    for _ in range(5):
        load_and_close()
    assert _resident_megabytes() - before < 40


def _resident_megabytes() -> float:
    time.sleep(0.2)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20
