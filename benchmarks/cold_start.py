"""Seconds from `cnnlg-tf inpaint` to its end for one photo: a cold start with the first repair.

    python benchmarks/cold_start.py --model out/onnx [--model out/onnx-fp16] [--rounds 5]

Each run is a process of its own, on the photo of 512 px and its mask that come with the package. `wall` counts all,
Python's start included; `cpu` is the processor time of all threads, which a busy machine changes less.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

import cnnlg_tf
from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.errors import CnnlgError

EXAMPLES = Path(cnnlg_tf.__file__).parent / "examples"


@click.command(cls=Command)
@click.option("--model", "models", multiple=True, help="What `inpaint --model` takes; repeat.")
@click.option("--photo", default=str(EXAMPLES / "lake.jpg"), type=click.Path())
@click.option("--mask", default=str(EXAMPLES / "lake.mask.png"), type=click.Path())
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
def main(models: tuple[str, ...], photo: str, mask: str, rounds: int) -> None:
    """Print the least and the median seconds of each model; without one, of the shipped model in TensorFlow."""
    with tempfile.TemporaryDirectory() as folder:
        for model in models or (None,):
            words = [photo, "--mask", mask, "-o", str(Path(folder) / "out.png"), "--overwrite"]
            words += [] if model is None else ["--model", model]
            runs = [repair(words) for _ in range(rounds)]
            for name, values in zip(("wall", "cpu"), zip(*runs, strict=True), strict=True):
                least, middle = min(values), sorted(values)[rounds // 2]
                label = model or "the shipped model"
                click.echo(f"{label}: {name} {least:.2f} s at least, {middle:.2f} s in the middle")


def repair(words: list[str]) -> tuple[float, float]:
    """The wall and processor seconds of one `cnnlg-tf inpaint`."""
    before, start = os.times(), time.perf_counter()
    command = [sys.executable, "-m", "cnnlg_tf.cli", "inpaint", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode:
        raise CnnlgError(done.stderr.strip().removeprefix("Error: "))
    user = after.children_user - before.children_user
    return wall, user + after.children_system - before.children_system


if __name__ == "__main__":
    main()
