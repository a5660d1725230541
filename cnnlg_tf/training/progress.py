"""A rich progress bar: images a second, the loss and its parts, the share of time spent waiting for data."""

import time

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cnnlg_tf.config import PhaseConfig
from cnnlg_tf.data.pipeline import Prefetcher


class ProgressBar(keras.callbacks.Callback):
    """One bar a phase, refreshed at most twice a second."""

    def __init__(self, phase: PhaseConfig, prefetcher: Prefetcher) -> None:
        super().__init__()
        self.phase, self.prefetcher = phase, prefetcher
        self.progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[rate]:.1f} images/s  {task.fields[losses]}"),
            console=Console(stderr=True),
            refresh_per_second=2,
        )

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        done = int(self.model.optimizer.iterations)
        self.task = self.progress.add_task(
            self.phase.name, total=self.phase.steps, completed=done, rate=0.0, losses="compiling"
        )
        self.began, self.first = time.perf_counter(), done
        self.progress.start()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        done = int(self.model.optimizer.iterations)
        rate = (done - self.first) * self.phase.batch_size / (time.perf_counter() - self.began)
        parts = [f"{name} {value:.4g}" for name, value in (logs or {}).items() if name != "penalty"]
        parts.append(f"input wait {self.prefetcher.wait_share:.0%}")
        self.progress.update(self.task, completed=done, rate=rate, losses="  ".join(parts))

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.progress.stop()
