"""SIGTERM under load: what was accepted is answered, what comes later is refused so that clients retry.

Must hold: every request ends with its answer or as UNAVAILABLE; one that the model was running is
answered; the process ends with 0.

Each server is a process of its own, forked from one that has imported TensorFlow and loaded nothing.
"""

import multiprocessing
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from tests.campaigns.harness import Budget, Report, main, promise
from tests.serving.servers import Server, predict_request, running_server

_CLIENTS = 6
_STEPS = 20_000  # of one request: about a second alone, several beside five others
_ARRIVED = (
    0.5  # seconds in which a request over an open connection reaches a thread of a busy server
)


def campaign(budget: Budget, dice: random.Random, folder: Path) -> Report:
    """Start a server, load it, stop it at a random moment; again and again."""
    from tests.serving import model_factory

    model_factory.save_kinds(folder / "kinds/1")
    report = Report()
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["tensorflow", "cnnlg_tf.serving.server.model_server"])
    flags = ("--model_name=kinds", f"--model_base_path={folder}/kinds")
    for index in budget.attacks():
        with running_server(
            folder / f"log{index}",
            *flags,
            "--drain_timeout_seconds=120",
            start=lambda flags, log: _Forked(forks, flags, log),
        ) as server:
            _stop_under_load(server, dice.uniform(0.2, 4.0), report)
            status = server.process.wait(180)
        promise(status == 0, f"server {index} ended with {status}")
    return report


class _Forked:
    """What a test asks of a subprocess.Popen, of a forked server."""

    def __init__(self, forks: Any, flags: list[str], log: Path) -> None:
        log.touch()
        self._process = forks.Process(target=_serve, args=(flags, str(log)))
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, seconds: float) -> int:
        self._process.join(seconds)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a server", seconds)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


def _serve(flags: list[str], log: str) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    from cnnlg_tf.serving.server.command import main

    raise SystemExit(main(flags))


def _stop_under_load(server: Server, moment: float, report: Report) -> None:
    faults: list[str] = []
    lock = threading.Lock()
    stopped_at: list[float] = []

    def client(rest: bool) -> None:
        request = predict_request("kinds", "slow", steps=np.int32([_STEPS]))
        body = {"signature_name": "slow", "instances": [_STEPS]}
        while True:
            start = time.monotonic()
            try:
                if rest:
                    status, answer = server.rest("/v1/models/kinds:predict", body)
                    told = {200: "answered", 503: "UNAVAILABLE"}
                    outcome = told.get(status, f"REST {status}: {answer}")
                else:
                    server.predictions.Predict(request, 120)
                    outcome = "answered"
            except grpc.RpcError as error:
                outcome = error.code().name
            except OSError:  # refused, or reset before it was read: clients send it again
                outcome = "UNAVAILABLE"
            early = not stopped_at or start < stopped_at[0] - _ARRIVED
            with lock:
                report.outcomes[outcome] += 1
                if outcome not in ("answered", "UNAVAILABLE"):
                    faults.append(outcome)
                if outcome == "UNAVAILABLE" and early:
                    faults.append("a request that had arrived before the signal was refused")
            if outcome != "answered":
                return

    server.predictions.Predict(predict_request("kinds", "slow", steps=np.int32([1])), 120)
    threads = [threading.Thread(target=client, args=(i % 2 == 0,)) for i in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(moment)
    stopped_at.append(time.monotonic())
    server.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(180)
    promise(not any(thread.is_alive() for thread in threads), "a client waits without end")
    promise(not faults, "; ".join(faults))


if __name__ == "__main__":
    main(campaign, count=50, seconds=3600)
