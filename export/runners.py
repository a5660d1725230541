"""Load any export that a CPU can run, and measure it: load time, latency, peak memory."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export import cases, manifest
from cnnlg_tf.export.formats import FORMATS
from cnnlg_tf.export.loaded import Function, Loaded
from cnnlg_tf.export.signatures import DEFAULT


def load(folder: str | Path, threads: int = 0) -> Loaded:
    """The export in `folder` as functions of numpy arrays, one a signature; its files are verified.

    TensorFlow is imported for a SavedModel only.

    Args:
        threads: 0 takes all cores.

    Raises:
        ArtefactError: the folder is no export, altered, or of a format that needs a GPU.
        MissingExtraError: the format's runtime is not installed.
    """
    name = manifest.verify(folder)["format"]
    if name not in FORMATS or not FORMATS[name].on_cpu:
        able = ", ".join(made.name for made in FORMATS.values() if made.on_cpu)
        raise ArtefactError(
            f"{folder} must be an export that runs on a CPU: {able}. Received: {name!r}"
        )
    return FORMATS[name].load(folder, threads=threads, verify=False)


def latency(repair: Function, side: int, runs: int = 3) -> float:
    """Median milliseconds of a repair of one photo of `side` x `side`, after one to warm up."""
    image, mask = cases.drawn_case(1, side, side)
    repair(image=image, mask=mask)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        repair(image=image, mask=mask)
        times.append(1000.0 * (time.perf_counter() - start))
    return float(np.median(times))


def measure(folder: str | Path, side: int, threads: int) -> dict[str, float]:
    """Load time, latency and peak memory of an export, in a process of its own.

    Returns:
        load_seconds (the runtime's import included), latency_ms, peak_megabytes (the whole process).
    """
    command = [
        sys.executable,
        "-m",
        "cnnlg_tf.export.runners",
        str(folder),
        str(side),
        str(threads),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise ExportError(f"{folder} must run on its own. Received: {reason[0]}")
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def _measure_here(folder: str, side: int, threads: int) -> dict[str, Any]:
    start = time.perf_counter()
    repair = load(folder, threads)[DEFAULT]
    load_seconds = time.perf_counter() - start
    milliseconds = latency(repair, side)
    return {
        "load_seconds": round(load_seconds, 2),
        "latency_ms": round(milliseconds, 1),
        "peak_megabytes": round(_peak_megabytes()),
    }


def _peak_megabytes() -> float:
    """The most memory that this process held; 0 where the system does not tell."""
    status = Path("/proc/self/status")  # getrusage would count the process that started this one
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    return sum(float(line.split()[1]) / 1024.0 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    print(json.dumps(_measure_here(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
