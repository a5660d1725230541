"""The executable: how it starts, refuses to start, survives faults, and ends."""

import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from cnnlg_tf.serving.server.command import main
from tests.serving.servers import (
    Server,
    failure,
    free_port,
    predict_request,
    running_server,
    wait_until,
)


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cnnlg_tf.serving.server.command", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=90)


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("TensorFlow ModelServer: ")
    assert f"TensorFlow Library: {tf.__version__}" in text
    assert main(["--help"]) == 0
    assert "--model_base_path" in capsys.readouterr().out


def test_an_unknown_flag_is_reported() -> None:
    result = run("--port=1", "--modle_name=x")
    assert result.returncode == 255
    assert result.stdout.startswith("unknown argument: --modle_name=x\nusage: ")


def test_a_bad_config_file_ends_the_start(tmp_path: Path) -> None:
    config = tmp_path / "bad_model_config.txt"
    config.write_text("improperly formatted file")
    result = run(f"--port={free_port()}", f"--model_config_file={config}")
    assert result.returncode == 255
    assert f"Invalid protobuf file: '{config}'" in result.stderr
    assert "Error parsing text-format tensorflow.serving.ModelServerConfig" in result.stderr
    assert result.stdout.startswith("Failed to start server. Error: INVALID_ARGUMENT: ")


def test_a_taken_port_ends_the_start(models: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("0.0.0.0", 0))
        holder.listen()
        port = holder.getsockname()[1]
        result = run(f"--port={port}", f"--model_base_path={models}/half_plus_three")
    assert result.returncode == 255
    assert (
        f"Failed to start server. Error: UNAVAILABLE: port {port} of 0.0.0.0 cannot be listened on: "
        "Address already in use. Stop the program that holds it, or choose another port"
    ) in result.stdout


@pytest.mark.parametrize("method", ["Predict", "Classify", "MultiInference", "GetModelMetadata"])
def test_garbage_bytes_are_refused(server: Server, method: str) -> None:
    send = server.channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")
    assert failure(send, b"\xff\xffgarbage")[0] == "INTERNAL"
    assert failure(send, b"")[0] == "INVALID_ARGUMENT"


def test_what_is_not_served(server: Server) -> None:
    for service in ("SessionService/SessionRun", "PredictionService/Other"):
        send = server.channel.unary_unary(f"/tensorflow.serving.{service}")
        assert failure(send, b"")[0] == "UNIMPLEMENTED"


def test_a_message_over_the_limit_is_refused_and_the_server_goes_on(server: Server) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "half_plus_two"
    request.inputs["x"].dtype = 1
    request.inputs["x"].tensor_shape.dim.add().size = 25 * 2**20
    request.inputs["x"].tensor_content = bytes(100 * 2**20)
    code, details = failure(server.predictions.Predict, request)
    assert code == "RESOURCE_EXHAUSTED"
    assert "larger than max" in details
    server.predictions.Predict(predict_request("half_plus_two", x=np.float32([1])), 30)


def test_a_client_killed_in_the_middle_leaves_no_trace(server: Server) -> None:
    script = (
        "import grpc, sys, numpy as np\n"
        "from tests.serving.servers import predict_request\n"
        "from tensorflow_serving.apis import prediction_service_pb2_grpc as g\n"
        f"stub = g.PredictionServiceStub(grpc.insecure_channel('localhost:{server.port}'))\n"
        "call = stub.Predict.future(\n"
        "    predict_request('kinds', 'slow', steps=np.int32([30_000])), 60)\n"
        "print('sent', flush=True)\n"
        "call.result()\n"
    )
    client = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert client.stdout is not None
    assert client.stdout.readline() == b"sent\n"
    time.sleep(0.3)
    client.kill()
    client.wait()
    client.stdout.close()
    answer = server.predictions.Predict(predict_request("half_plus_two", x=np.float32([2])), 30)
    assert list(answer.outputs["y"].float_val) == [3.0]
    assert server.process.poll() is None


def test_sigterm_under_load_loses_no_accepted_request(models: Path, tmp_path: Path) -> None:
    """Requests that are running at SIGTERM are answered; later ones are refused as UNAVAILABLE."""
    flags = ("--model_name=kinds", f"--model_base_path={models}/kinds")
    with running_server(tmp_path, *flags, "--drain_timeout_seconds=120") as it:
        answered, refused, started = [], [], threading.Semaphore(0)

        def slow(_: int) -> None:
            request = predict_request("kinds", "slow", steps=np.int32([200_000]))
            started.release()
            answered.append(it.predictions.Predict(request, 60))

        def rest() -> None:
            body = {"signature_name": "slow", "instances": [200_000]}
            started.release()
            answered.append(it.rest("/v1/models/kinds:predict", body))

        it.predictions.Predict(predict_request("kinds", "slow", steps=np.int32([1])), 60)
        with ThreadPoolExecutor(6) as pool:
            jobs = [pool.submit(slow, index) for index in range(4)] + [pool.submit(rest)]
            for _ in jobs:
                started.acquire()
            time.sleep(0.3)
            assert not any(job.done() for job in jobs)
            it.process.send_signal(signal.SIGTERM)
            with grpc.insecure_channel(f"localhost:{it.port}") as channel:
                method = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
                wait_until(lambda: _is_refused(method))
                refused.append(failure(method, b"", timeout=5)[0])
            for job in jobs:
                job.result(60)
        assert len(answered) == 5
        assert answered[-1] is not None
        assert refused == ["UNAVAILABLE"]
        assert it.process.wait(60) == 0
    statuses = [answer[0] for answer in answered if isinstance(answer, tuple)]
    assert statuses == [200]


def _is_refused(method: Any) -> bool:
    return failure(method, b"", timeout=5)[0] == "UNAVAILABLE"


@pytest.mark.slow
def test_ten_minutes_of_mixed_load_with_memory_flat(models: Path, tmp_path: Path) -> None:
    """gRPC, REST, wrong requests and clients that give up; the resident size stays where it was."""
    images = [tf.io.encode_png(np.zeros((64, 64, 1), np.uint8)).numpy()] * 4
    requests = [
        predict_request("kinds", "image", image_bytes=images),
        predict_request("kinds", "two", a=np.ones((16, 4096), np.float32), b=np.ones(16, "f4")),
        predict_request("kinds", "two", a=np.ones((2, 3), np.float32), b=np.ones(3, "f4")),
        predict_request("kinds", "slow", steps=np.int32([2_000])),
        predict_request("nobody", x=np.float32([1])),
    ]
    body = {"signature_name": "two", "instances": [{"a": [1.0] * 256, "b": 1.0}] * 8}
    stop = threading.Event()
    counts: dict[str, int] = {}

    def call(server: Server) -> None:
        generator = np.random.default_rng()
        while not stop.is_set():
            try:
                if generator.random() < 0.2:
                    result = str(server.rest("/v1/models/kinds:predict", body)[0])
                else:
                    timeout = 0.002 if generator.random() < 0.1 else 30
                    server.predictions.Predict(requests[generator.integers(5)], timeout)
                    result = "OK"
            except grpc.RpcError as error:
                result = error.code().name
            counts[result] = counts.get(result, 0) + 1

    with running_server(
        tmp_path,
        "--model_name=kinds",
        f"--model_base_path={models}/kinds",
        "--enable_batching",
    ) as server:
        threads = [threading.Thread(target=call, args=(server,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        sizes = []
        for _ in range(60):
            time.sleep(10)
            pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
            sizes.append(int(pages) * 4096 / 2**20)
        stop.set()
        for thread in threads:
            thread.join()
        assert server.process.poll() is None
    print(counts, sizes)
    assert set(counts) <= {"OK", "200", "INVALID_ARGUMENT", "NOT_FOUND", "DEADLINE_EXCEEDED"}
    assert min(counts.values()) > 0
    warm, last = sizes[11], float(np.mean(sizes[-6:]))  # caches have filled after two minutes
    assert last - warm < 50, sizes
