"""Requests a second and latencies of the embedded server, against calling the same SavedModel in this process.

    python benchmarks/serving.py [EXPORT] [--seconds 10] [--rounds 2] [--only tiny|real] [--out FILE.json]

EXPORT is a folder of numbered versions (`cnnlg-tf export`); without it an untrained model of the default size is
exported first: it costs what a trained one does. Each figure is a closed loop of 1, 4 or 16 clients, each a thread
that sends the next request when it has read the answer's arrays. Clients, server and model share this machine. The
ways to serve take turns in each round, so that a busy machine burdens them alike; the figures are over all rounds.
`cpu` is the processor time of a request, client and server together, which a busy machine hardly changes.

    direct     the SavedModel's signature called from threads of this process
    server     gRPC to `cnnlg-tf-model-server` in another process, arrays in tensor_content, answers in typed fields
    batching   the same with --enable_batching
    bytes      the same server, encoded images both ways (`inpaint_bytes`)
"""

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from cnnlg_tf.cli.reporting import Command

CLIENTS = (1, 4, 16)
SIDE = 256
BAR = 0.85
READY_SECONDS = 900

Call = Callable[[], Any]


@click.command(cls=Command)
@click.argument("export", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--seconds", default=10.0, show_default=True, help="Of each figure in each round.")
@click.option("--rounds", default=2, show_default=True)
@click.option("--only", type=click.Choice(["tiny", "real"]))
@click.option("--out", type=click.Path(path_type=Path), help="Write the figures as JSON.")
def main(
    export: Path | None, seconds: float, rounds: int, only: str | None, out: Path | None
) -> None:
    """Measure the ways to serve EXPORT, a folder of numbered versions."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    from cnnlg_tf.startup import start_tensorflow

    start_tensorflow()
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        tiny, real = export_tiny(Path(scratch)), export or export_untrained(Path(scratch))
        results = []
        for title, folder, make_ways in (
            ("tiny", tiny, tiny_ways),
            (f"real, {SIDE} px", real, real_ways),
        ):
            if only and not title.startswith(only):
                continue
            ways = make_ways(folder, stack)
            print(f"\n{title} ({folder})")
            for clients in CLIENTS:
                results += measure(title, ways, clients, seconds, rounds)
            stack.pop_all().close()  # the next model is measured without this one's servers
    if out:
        out.write_text(json.dumps({"cpus": os.cpu_count(), "results": results}, indent=1))


def measure(
    title: str, ways: dict[str, Call], clients: int, seconds: float, rounds: int
) -> list[dict[str, Any]]:
    """Run each way in turn; print and return a row for each."""
    import numpy as np

    latencies: dict[str, list[float]] = {way: [] for way in ways}
    elapsed, cpu = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
    for _ in range(rounds):
        for way, call in ways.items():
            process = getattr(call, "process", None)
            before = cpu_seconds(process)
            taken, times = closed_loop(call, clients, seconds)
            latencies[way] += times
            elapsed[way] += taken
            cpu[way] += cpu_seconds(process) - before
    rows = []
    direct = len(latencies["direct"]) / elapsed["direct"]
    for way, times in latencies.items():
        rate = len(times) / elapsed[way]
        p50, p95, p99 = (float(np.percentile(times, q) * 1000) for q in (50, 95, 99))
        cost = cpu[way] / len(times) * 1000
        print(
            f"{clients:3d} clients  {way:9} {rate:9.2f} requests/s  {rate / direct:5.2f} x direct  "
            f"p50 {p50:8.1f}  p95 {p95:8.1f}  p99 {p99:8.1f}  cpu {cost:7.1f} ms",
            flush=True,
        )
        row = {"model": title, "clients": clients, "way": way, "requests_per_second": rate}
        rows.append(
            {**row, "of_direct": rate / direct, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}
        )
    return rows


def cpu_seconds(server_process: int | None) -> float:
    """Processor time of this process, and of the server's, so far."""
    total = time.process_time()
    if server_process is not None:
        fields = Path(f"/proc/{server_process}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def closed_loop(call: Call, clients: int, seconds: float) -> tuple[float, list[float]]:
    """Returns the seconds until the last answer and each request's seconds."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    def client() -> None:
        while time.perf_counter() < end:
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begin, times


def tiny_ways(folder: Path, stack: contextlib.ExitStack) -> dict[str, Call]:
    import numpy as np

    inputs = {"x": np.ones(8, np.float32)}
    return {
        "direct": direct_call(folder, inputs),
        "server": remote_call(stack.enter_context(server(folder)), inputs),
        "batching": remote_call(stack.enter_context(server(folder, "--enable_batching")), inputs),
    }


def real_ways(folder: Path, stack: contextlib.ExitStack) -> dict[str, Call]:
    import numpy as np
    from PIL import Image

    image = np.random.default_rng(0).random((1, SIDE, SIDE, 3), np.float32)
    mask = np.zeros((1, SIDE, SIDE, 1), np.float32)
    mask[:, 80:160, 80:160] = 1
    inputs = {"image": image, "mask": mask}

    def png(array: Any) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray((array * 255).astype(np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()

    encoded = {"image_bytes": [png(image[0])], "mask_bytes": [png(mask[0, :, :, 0])]}
    plain = stack.enter_context(server(folder))
    batching = stack.enter_context(server(folder, "--enable_batching"))
    return {
        "direct": direct_call(folder, inputs),
        "server": remote_call(plain, inputs),
        "batching": remote_call(batching, inputs),
        "bytes": remote_call(plain, encoded, "inpaint_bytes"),
    }


def direct_call(folder: Path, inputs: dict[str, Any]) -> Call:
    import tensorflow as tf

    versions = [child for child in folder.iterdir() if child.name.isdigit()]
    loaded = tf.saved_model.load(str(max(versions, key=lambda child: int(child.name))))
    function = loaded.signatures["serving_default"]

    def call() -> list[Any]:
        outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
        return [output.numpy() for output in outputs.values()]

    call.keep = loaded  # type: ignore[attr-defined]  # a signature holds its variables weakly
    call()
    return call


def remote_call(running: tuple[str, int], inputs: dict[str, Any], signature: str = "") -> Call:
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    from cnnlg_tf.serving.server.tensors import to_array

    address, process = running
    channel = grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)])
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def call() -> list[Any]:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "model"
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        outputs = stub.Predict(request, 600).outputs
        return [to_array(output, name) for name, output in outputs.items()]

    call.process = process  # type: ignore[attr-defined]
    call()
    return call


@contextlib.contextmanager
def server(folder: Path, *flags: str) -> Iterator[tuple[str, int]]:
    """A running server's address and process id."""
    import grpc

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"localhost:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "cnnlg_tf.serving.server.command", *flags]
    command += [f"--port={address.split(':')[1]}", "--model_name=model"]
    command += [f"--model_base_path={folder}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(READY_SECONDS)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait()


def export_tiny(scratch: Path) -> Path:
    import tensorflow as tf

    module = tf.Module()
    module.f = tf.function(
        lambda x: {"y": x / 2 + 2}, input_signature=[tf.TensorSpec([None], tf.float32, "x")]
    )
    tf.saved_model.save(module, str(scratch / "tiny" / "1"), signatures=module.f)
    return scratch / "tiny"


def export_untrained(scratch: Path) -> Path:
    import numpy as np

    from cnnlg_tf.config import ModelConfig
    from cnnlg_tf.export.saved_model import export_saved_model
    from cnnlg_tf.models.cnnlg import CNNLG

    model = CNNLG(ModelConfig())
    model.repair(np.zeros((1, 32, 32, 3), np.float32), np.zeros((1, 32, 32, 1), np.float32))
    return export_saved_model(model, scratch / "real").parent


if __name__ == "__main__":
    main()
