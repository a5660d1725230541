"""Several devices and several processes take the steps that one would."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cnnlg_tf.checkpoint import list_checkpoints
from cnnlg_tf.config_files import dump_config

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-4  # relative: the order of float32 sums differs, and Adam divides by small numbers
TIMED = ("images_per_second", "input_wait_share", "penalty")


def losses(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [
        {k: pytest.approx(v, rel=TOLERANCE) if isinstance(v, float) else v for k, v in line.items()}
        for line in ({k: v for k, v in line.items() if k not in TIMED} for line in lines)
    ]


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS"))}
    return {**kept, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1", **more}


def train_on_one_and_two(config: Any, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(dump_config(config))
    script = str(Path(__file__).with_name("replicas.py"))
    done = subprocess.run(
        [sys.executable, script, str(path), str(folder)],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_devices_give_the_losses_of_one(make_config: Any, tmp_path: Path) -> None:
    """With gradients that are clipped: by the norm of their sum, not of each device's part."""
    config = make_config({"steps": 3, "optimizer": {"warmup_steps": 0, "clip_norm": 0.05}})
    train_on_one_and_two(config, tmp_path)
    assert losses(tmp_path / "1") == losses(tmp_path / "2")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["exact", "finite_difference"])
def test_the_penalty_on_two_devices_is_that_of_the_whole_gradient(
    make_config: Any, tmp_path: Path, method: str
) -> None:
    optimizer = {"name": "sgd", "learning_rate": 0.02, "warmup_steps": 0, "clip_norm": None}
    penalty = {"kind": "gradient_penalty", "weight": 0.5, "every": 2, "method": method}
    config = make_config({"optimizer": optimizer, "penalty": penalty})
    train_on_one_and_two(config, tmp_path)
    assert losses(tmp_path / "1") == losses(tmp_path / "2")


def start_workers(config: Path, run: Path) -> list[subprocess.Popen[str]]:
    """Two workers of one cluster on this machine, as two machines would be started."""
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            ports.append(probe.getsockname()[1])
    workers = []
    for index in range(2):
        cluster = {"worker": [f"localhost:{port}" for port in ports]}
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        workers.append(
            subprocess.Popen(
                [sys.executable, "-m", "cnnlg_tf.cli", "train"]
                + ["--config", str(config), "-o", str(run)],
                env=environment(TF_CONFIG=json.dumps(task)),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return workers


@pytest.mark.slow
def test_two_workers_lose_one_and_go_on_when_the_job_is_restarted(
    make_config: Any, tmp_path: Path
) -> None:
    config = make_config({"steps": 6}, checkpoint_minutes=1e-9)
    train_on_one_and_two(config, tmp_path / "alone")
    path, run = tmp_path / "config.yaml", tmp_path / "run"
    path.write_text(dump_config(config))

    workers = start_workers(path, run)
    deadline = time.monotonic() + 600
    while not list_checkpoints(run) and time.monotonic() < deadline:
        assert [worker.poll() for worker in workers] == [None, None]
        time.sleep(0.05)
    workers[1].send_signal(signal.SIGKILL)
    workers[1].communicate()
    _, error = workers[0].communicate(timeout=300)
    assert workers[0].returncode == 1
    assert "start the same command on every machine to go on from the last checkpoint" in error

    workers = start_workers(path, run)
    outputs = [worker.communicate(timeout=900) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], outputs
    assert losses(run) == losses(tmp_path / "alone" / "1")
