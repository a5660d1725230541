"""kill -9 of training at random moments, and the same command again, until the run is done.

Must hold: the losses are those of an unbroken run, no file is lost, at most one checkpoint interval is
done again.

Each try is a process of its own, forked from one that has imported TensorFlow; its steps run operation by
operation. Importing and tracing would take most of a try, and nothing can be lost in them.
"""

import json
import multiprocessing
import os
import random
import time
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.campaigns.harness import Budget, Report, main, promise

_STEPS = 12
_TIMED = ("images_per_second", "input_wait_share")


def campaign(budget: Budget, dice: random.Random, folder: Path) -> Report:
    """Train once unbroken; then again and again with kills."""
    import yaml

    report = Report()
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(_configuration()))
    start = time.monotonic()
    promise(_ended(_train(config, folder / "whole")) == 0, "an unbroken run failed")
    usual = time.monotonic() - start
    whole = _metrics(folder / "whole")
    run = 0
    while budget.done < budget.count and budget.elapsed() < budget.seconds:
        run += 1
        _killed_run(config, folder / f"run{run}", usual, budget, dice, report)
        _compare(whole, _metrics(folder / f"run{run}"))
    report.figures = {"runs": run}
    return report


def _configuration() -> dict[str, Any]:
    """The prior and the latent guide at their smallest: what traces and trains fastest."""
    model = {
        "widths": [8, 8, 8, 8],
        "blocks": [1, 1, 1, 1],
        "latent_channels": 4,
        "mixtures": 1,
        "posterior_width": 8,
        "scan_steps": 2,
        "latent_guide": {"stem_width": 8, "growth": 4, "dilations": [1, 2]},
        "damage_finder": {"widths": [4, 4, 4, 4]},
    }
    for part in ("gradient_guide", "merge"):
        model[part] = {"enabled": False}
    phase = {"name": "p", "kind": "prediction", "steps": _STEPS, "batch_size": 2, "crop": 32}
    train = {
        "compile": "none",
        "log_every": 2,
        "picture_every": 0,
        "checkpoint_minutes": 0.05,
        "phases": [phase],
    }
    data = {"kind": "synthetic", "synthetic": {"length": 8, "size": 48}}
    return {"data": data, "model": model, "train": train}


def _killed_run(
    config: Path, run: Path, usual: float, budget: Budget, dice: random.Random, report: Report
) -> None:
    for _ in range(50):
        before = _newest(run)
        process = _train(config, run)
        process.join(dice.uniform(0.05, 1.0) * usual)
        if process.exitcode is None:
            process.kill()
            process.join()
            budget.done += 1
            after = _newest(run)
            promise(after >= before, f"a kill lost the checkpoint of step {before}: now {after}")
            report.outcomes["killed before a step" if after == before else "killed later"] += 1
            if budget.done >= budget.count or budget.elapsed() > budget.seconds:
                break
        else:
            status = process.exitcode
            promise(status == 0, f"going on from step {before} failed with {status}")
            report.outcomes["finished"] += 1
            return
    promise(_ended(_train(config, run)) == 0, f"the run {run.name} did not come to its end")


def _train(config: Path, run: Path) -> BaseProcess:
    process = _forks().Process(target=_command, args=(str(config), str(run)))
    process.start()
    return process


def _ended(process: BaseProcess) -> int | None:
    process.join()
    return process.exitcode


@cache
def _forks() -> "multiprocessing.context.ForkServerContext":
    # One thread: on several, sums are taken in varying order and losses agree to rounding only.
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", "keras", "cnnlg_tf.training.trainable"])
    return context


def _command(config: str, run: str) -> None:
    """`cnnlg-tf train --config CONFIG -o RUN`."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    import tensorflow as tf

    from cnnlg_tf.cli import main

    tf.config.run_functions_eagerly(True)
    main(["train", "--config", config, "-o", run])


def _newest(run: Path) -> int:
    return max((int(path.name[-8:]) for path in run.glob("checkpoint-*")), default=0)


def _metrics(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in _TIMED} for line in lines]


def _compare(whole: list[dict[str, Any]], ours: list[dict[str, Any]]) -> None:
    promise(len(whole) == len(ours), f"{len(ours)} lines of metrics, where a run has {len(whole)}")
    for line, mine in zip(whole, ours, strict=True):
        for key, value in line.items():
            same = mine.get(key) == value
            promise(same, f"step {line['step']}: {key} is {mine.get(key)}, unbroken {value}")


if __name__ == "__main__":
    main(campaign, count=100, seconds=3 * 3600)
