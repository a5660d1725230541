"""Run an experiment: each variant with each seed in a process of its own, as many at once as chosen.

A run has a folder, VARIANT/seed-N, and is skipped once it is measured, so that the same command goes on
after any stop.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from cnnlg_tf.errors import ConfigError
from cnnlg_tf.experiments.definition import ExperimentConfig, Variant, expand, load_experiment
from cnnlg_tf.experiments.one_run import RECORD, SETTINGS, settings_text
from cnnlg_tf.experiments.outcome import Outcome, as_outcome
from cnnlg_tf.experiments.report import write_pictures, write_results
from cnnlg_tf.experiments.sweep import Sweep
from cnnlg_tf.files import atomic_path
from cnnlg_tf.startup import usable_cores

LOG = "log.txt"

Runner = Callable[[Path, dict[str, str]], str | None]
"""Runs a folder with an environment, and says why it ended badly, or None."""


@dataclass(frozen=True)
class _Run:
    variant: Variant
    seed: int
    folder: Path
    settings: str

    @property
    def title(self) -> str:
        return f"{self.variant.name}, seed {self.seed}"


def run_experiment(
    path: str | Path,
    out: str | Path,
    overrides: Sequence[str] = (),
    *,
    processes: int = 1,
    tell: Callable[[str], None] = lambda line: None,
    on_run: Callable[[int, int, float | None], None] = lambda done, total, left: None,
    runner: Runner | None = None,
) -> Sweep:
    """Train and measure each variant with each seed, then compare them.

    A run that fails is reported as failed, and the others go on. `out` gets sweep.json with every
    score, the versions and the seeds, results.md, pictures.png, plot.png (with the extra `bench`),
    and for each run a folder with its training and what it printed.

    Args:
        path: the experiment's file.
        out: the experiment's folder; what was measured in it before is not measured again.
        overrides: key=value for all variants, after the file's own.
        processes: runs at once; they share the processor's cores.
        tell: called with one line whenever a run ends.
        on_run: called with the runs done, the runs in all, and the seconds left, or None while
            nothing has ended yet.
        runner: runs a folder; by default in a process of its own.

    Raises:
        ConfigError: the file or a variant is wrong, or `out` holds results of other settings.
    """
    experiment, out = load_experiment(path, overrides), Path(out)
    runs = list(_runs(experiment, out))
    for run in runs:
        _claim(run)
    definition = {**experiment.model_dump(mode="json"), "base": experiment.base.name}
    sweep = Sweep(Path(path).stem, definition, [])
    stored = {run.title: found for run in runs if (found := _stored(run)) is not None}
    waiting = [run for run in runs if run.title not in stored]
    sweep = replace(sweep, runs=list(stored.values()))
    on_run(len(stored), len(runs), None)
    cores = max(1, usable_cores() // processes)
    environment = {"TF_NUM_INTRAOP_THREADS": str(cores), "OMP_NUM_THREADS": str(cores)}
    start = time.perf_counter()
    for run, error in _finished(waiting, processes, environment, runner or _Processes()):
        outcome = _stored(run) or Outcome(
            run.variant.labels, run.seed, _place(run), error=error or f"left no {RECORD}"
        )
        stored[run.title] = outcome
        done = [stored[each.title] for each in runs if each.title in stored]
        sweep = replace(sweep, runs=done)
        here = len(done) - (len(runs) - len(waiting))
        left = (time.perf_counter() - start) / here * (len(runs) - len(done))
        tell(
            f"[{len(done)}/{len(runs)}] {run.title}: {outcome.brief()}; "
            f"about {timedelta(seconds=round(left))} left"
        )
        on_run(len(done), len(runs), left)
        write_results(sweep, out)
    write_results(sweep, out)
    write_pictures(sweep, out)
    return sweep


def _runs(experiment: ExperimentConfig, out: Path) -> Iterator[_Run]:
    """Seed by seed, so that a sweep that is stopped early has every variant."""
    variants = expand(experiment)
    for number, seed in enumerate(experiment.seeds):
        for variant in variants:
            settings = settings_text(
                variant.labels, variant.configs[seed], experiment.evaluations, number == 0
            )
            yield _Run(variant, seed, out / variant.folder / f"seed-{seed}", settings)


def _claim(run: _Run) -> None:
    """Write a run's settings into its folder, or check that they are the same."""
    marker = run.folder / SETTINGS
    if marker.is_file() and marker.read_text(encoding="utf-8") != run.settings:
        raise ConfigError(
            f"{run.folder} must hold a run of this experiment's settings, or nothing. "
            "Received: a run of other settings; give another folder or remove it"
        )
    if not marker.is_file():
        with atomic_path(marker) as path:
            path.write_text(run.settings, encoding="utf-8")


def _stored(run: _Run) -> Outcome | None:
    record = run.folder / RECORD
    if not record.is_file():
        return None
    return as_outcome(json.loads(record.read_text(encoding="utf-8")))


def _place(run: _Run) -> str:
    return f"{run.folder.parent.name}/{run.folder.name}"


def _finished(
    runs: Sequence[_Run], processes: int, environment: dict[str, str], runner: Runner
) -> Iterator[tuple[_Run, str | None]]:
    """Runs as they end, with what the runner says."""
    with ThreadPoolExecutor(processes) as pool:
        pending: dict[Future[str | None], _Run] = {
            pool.submit(runner, run.folder, environment): run for run in runs
        }
        try:
            while pending:
                ended, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in ended:
                    yield pending.pop(future), future.result()
        finally:  # whoever stops the experiment stops its processes
            for future in pending:
                future.cancel()
            if isinstance(runner, _Processes):
                runner.stop()


class _Processes:
    """Runs folders in processes of their own, which end with this one."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()

    def __call__(self, folder: Path, environment: dict[str, str]) -> str | None:
        command = [sys.executable, "-m", "cnnlg_tf.experiments.one_run", str(folder)]
        with (folder / LOG).open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # open as long as this process lives
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
            )
            self._running.add(process)
            with process:
                code = process.wait()
            self._running.discard(process)
        if code == 0:
            return None
        last = (folder / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"its process ended with {code}: {last[-1] if last else 'it printed nothing'}"

    def stop(self) -> None:
        for process in list(self._running):
            process.terminate()
