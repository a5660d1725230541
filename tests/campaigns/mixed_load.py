"""Mixed load: good and bad requests, clients that leave, deadlines, a slow reader, version swaps, a full disk.

Must hold: no good request fails, memory stays within 5 %. The report says how many times the median the
99th percentile of good requests over gRPC is: under 3 is wanted, on a machine that does nothing else.

Requests come at random moments, at a rate of each kind that two cores can bear, as those of users do; a client that
always waits for the one before would slow down with the server, and hide what others wait for. What a good request
takes is measured in a process of its own: the load's threads share one interpreter.
"""

import contextlib
import http.client
import json
import multiprocessing
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tests.campaigns.harness import BrokenPromiseError, Budget, Report, main, own_mebibytes, promise
from tests.serving.servers import Server, predict_request, running_server

_SWAPS = 20
_STABLE = 64  # MiB that caches and pools may come to take
_DISK = "24m"
_FULL_EVERY = 5  # swaps
_TIMED_RATE = 20.0  # a second, of good requests whose time is taken


def campaign(budget: Budget, dice: random.Random, folder: Path) -> Report:
    """Load a server for `budget.seconds` while `_SWAPS` new versions come in."""
    from tests.serving import model_factory

    model_factory.save_kinds(folder / "kinds/1")
    model_factory.save_half_plus_three(folder / "made", addend=3.0)
    entries = "".join(
        f'config {{ name: "{name}" base_path: "{folder}/{name}" model_platform: "tensorflow" }}'
        for name in ("half", "kinds")
    )
    (folder / "models.config").write_text(f"model_config_list {{ {entries} }}")
    flags = (f"--model_config_file={folder}/models.config",)
    with (
        _small_disk(folder / "half"),
        running_server(folder / "log", *flags, "--rest_api_timeout_in_ms=60000") as server,
    ):
        return load(server, folder, budget, dice, _SWAPS)


@contextlib.contextmanager
def _small_disk(path: Path) -> Iterator[None]:
    """`path` with version 1, on a disk of its own that a copy can fill, where mounting is permitted."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(path)]
    mounted = subprocess.run(mount, capture_output=True).returncode == 0
    try:
        shutil.copytree(path.with_name("made"), path / "1")
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(path)], check=True)


def load(server: Server, folder: Path, budget: Budget, dice: random.Random, swaps: int) -> Report:
    """Load a server whose model `half` lies in folder/half, with folder/made to copy versions of."""
    seconds = min(budget.seconds, 24 * 3600)
    report, stop, lock = Report(), threading.Event(), threading.Lock()
    faults: list[str] = []

    def repeat(act: Callable[[random.Random], str], rate: float, seed: int) -> None:
        own = random.Random(seed)
        while not stop.wait(own.expovariate(rate)):
            try:
                outcome = act(own)
            except Exception as error:  # told below; a thread must not end in silence
                with lock:
                    faults.append(f"{act.__name__}: {type(error).__name__}: {str(error)[:300]}")
                return
            with lock:
                report.outcomes[outcome] += 1
                budget.done += 1

    def good_grpc(_: random.Random) -> str:
        _ask_half(server.predictions)
        return "good gRPC"

    def good_rest(_: random.Random) -> str:
        status, answer = server.rest("/v1/models/half:predict", {"instances": [2.0]})
        promise((status, answer) == (200, {"predictions": [4.0]}), f"REST: {status} {answer}")
        return "good REST"

    def bad(own: random.Random) -> str:
        request = own.choice(
            (
                predict_request("half", x=np.float32([[2]])),
                predict_request("half", x=np.int32([2])),
                predict_request("nobody", x=np.float32([2])),
                predict_request("kinds", "two", a=np.ones((2, 3), "f4"), b=np.ones(3, "f4")),
            )
        )
        code = _code(server, request, 60)
        promise(code in ("INVALID_ARGUMENT", "NOT_FOUND"), f"a bad request got {code}")
        return "bad, refused"

    def hurried(own: random.Random) -> str:
        request = predict_request("kinds", "slow", steps=np.int32([3000]))
        code = _code(server, request, own.uniform(0.001, 0.05))
        promise(code in ("OK", "DEADLINE_EXCEEDED"), f"a hurried request got {code}")
        return "with a short deadline"

    def leaving(own: random.Random) -> str:
        connection = http.client.HTTPConnection("localhost", server.rest_port, timeout=60)
        body = json.dumps({"signature_name": "slow", "instances": [2000]})
        connection.request("POST", "/v1/models/kinds:predict", body)
        time.sleep(own.uniform(0, 0.02))
        connection.close()
        time.sleep(0.05)
        return "client left"

    def slow_reader(_: random.Random) -> str:
        body = json.dumps({"instances": [0.123] * 200_000}).encode()
        head = f"POST /v1/models/half:predict HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("localhost", server.rest_port), timeout=60) as link:
            link.sendall(head.encode() + body)
            time.sleep(1.0)
            with contextlib.suppress(ConnectionError):
                for _ in range(20):
                    link.recv(1000)
                    time.sleep(0.01)
        return "slow reader"

    rates = {good_grpc: 10, good_rest: 10, bad: 10, hurried: 5, leaving: 5, slow_reader: 0.5}
    threads = [
        threading.Thread(target=repeat, args=(act, rate, dice.randrange(2**32)), daemon=True)
        for act, rate in rates.items()
    ]
    for thread in threads:
        thread.start()
    with _timed(server, dice.randrange(2**32)) as taken:
        sizes = _swap_versions(server, folder, seconds, swaps, lambda: bool(faults), report)
    stop.set()
    for thread in threads:
        thread.join(90)
    promise(not faults, "; ".join(faults))
    promise(server.process.poll() is None, "the server ended")
    promise(taken[-1] == "stopped", f"a timed request failed: {taken[-1]}")
    latencies = taken[:-1]
    report.outcomes["good gRPC"] += len(latencies)
    budget.done += len(latencies)
    spread = np.percentile(latencies, [50, 99]) * 1000
    grown = sizes[-1] - sizes[len(sizes) // 2]
    report.figures = {
        "swaps": swaps,
        "median_ms": round(float(spread[0]), 2),
        "p99_ms": round(float(spread[1]), 2),
        "p99_of_median": round(float(spread[1] / spread[0]), 1),
        "mebibytes": [round(size) for size in (sizes[0], sizes[len(sizes) // 2], sizes[-1])],
    }
    promise(grown < max(_STABLE, 0.05 * sizes[-1]), f"memory grew by {grown:.0f} MiB: {sizes}")
    return report


@contextlib.contextmanager
def _timed(server: Server, seed: int) -> Iterator[list[Any]]:
    """Good requests from a process of their own; the list has their seconds at the end, and then how they ended."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_time_requests, args=(theirs, server.port, seed))
    process.start()
    theirs.close()
    taken: list[Any] = []
    try:
        yield taken
    finally:
        ours.send("stop")
        with contextlib.suppress(EOFError):
            taken += ours.recv()
        process.join(90)


def _time_requests(pipe: Any, port: int, seed: int) -> None:
    dice, taken, end = random.Random(seed), [], "stopped"
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        while not pipe.poll(dice.expovariate(_TIMED_RATE)):
            start = time.perf_counter()
            try:
                _ask_half(predictions)
            except (grpc.RpcError, BrokenPromiseError) as error:
                end = str(error)
                break
            taken.append(time.perf_counter() - start)
    pipe.send([*taken, end])


def _ask_half(predictions: Any) -> None:
    answer = predictions.Predict(predict_request("half", x=np.float32([2])), 60)
    promise(list(answer.outputs["y"].float_val) == [4.0], f"half answered {answer}")


def _swap_versions(
    server: Server,
    folder: Path,
    seconds: float,
    swaps: int,
    ended: Callable[[], bool],
    report: Report,
) -> list[float]:
    """Put a new version in, and the old one out, `swaps` times; the memory after each."""
    sizes = []
    for number in range(2, swaps + 2):
        if number % _FULL_EVERY == 0 and os.path.ismount(folder / "half"):
            _fill_disk(server, folder, 1000 + number)
            report.outcomes["version on a full disk, refused"] += 1
        copy = folder / "half" / f"copy-{number}"
        shutil.copytree(folder / "made", copy)
        copy.rename(folder / "half" / str(number))
        time.sleep(max(1.5, seconds / swaps))
        shutil.rmtree(folder / "half" / str(number - 1))
        sizes.append(own_mebibytes(server.process.pid))
        if ended():
            break
    return sizes


def _fill_disk(server: Server, folder: Path, number: int) -> None:
    """A version whose copy fails halfway, in its place all the same; the server must not take it."""
    half, version = folder / "half", folder / "half" / str(number)
    filler = half / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**16))
    os.truncate(filler, filler.stat().st_size - 2**13)  # room for the start of a copy
    try:
        shutil.copytree(folder / "made", version)
    except shutil.Error:
        pass
    else:
        promise(False, "the disk was not full")
    time.sleep(3.0)  # the server looks for versions every second
    path = f"/v1/models/half/versions/{number}"
    status, answer = server.rest(path)
    states = [item["state"] for item in answer.get("model_version_status", [])]
    promise("AVAILABLE" not in states, f"half a version serves: {status} {answer}")
    shutil.rmtree(version)
    filler.unlink()


def _code(server: Server, request: Any, timeout: float) -> str:
    try:
        server.predictions.Predict(request, timeout)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


if __name__ == "__main__":
    main(campaign, count=10**9, seconds=1800)
