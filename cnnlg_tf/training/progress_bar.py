"""A rich progress bar: images a second, time left, and on a second line the losses and the wait for data."""

import time
from collections.abc import Iterable

import keras
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from cnnlg_tf.training.input_wait import InputWait
from cnnlg_tf.training.phase_progress import PhaseProgress

SHOWN = ("loss", "l1", "nll", "kl", "gradient", "perceptual", "adversarial", "missing")


class _TwoLines(Progress):
    """A bar, and a line of text below it that is cut where the terminal ends."""

    text = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.text:
            yield Text(f"  {self.text}", style="dim", no_wrap=True, overflow="ellipsis")


class ProgressBar(keras.callbacks.Callback):
    """One bar a phase, refreshed twice a second. `close` leaves the terminal as it was."""

    def __init__(
        self, progress: PhaseProgress, wait: InputWait, console: Console | None = None
    ) -> None:
        super().__init__()
        self.progress, self.wait = progress, wait
        self.bar = _TwoLines(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[rate]}"),
            console=console or Console(stderr=True),
            refresh_per_second=2,
        )

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        phase = self.progress.phase
        self.task = self.bar.add_task(
            phase.name, total=phase.steps, completed=self.progress.start, rate="compiling"
        )
        self.bar.start()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        now = time.perf_counter()
        if batch == 0:  # the first step compiles, and says nothing about the speed
            self.began = now
            return
        rate = batch * self.progress.phase.batch_size / (now - self.began)
        logs = logs or {}
        parts = [f"{name} {logs[name]:.3g}" for name in SHOWN if name in logs]
        parts.insert(1, f"input wait {self.wait.share:.0%}")
        self.bar.text = "  ".join(parts)
        done = self.progress.start + batch + 1
        self.bar.update(self.task, completed=done, rate=f"{rate:.1f} images/s")

    def close(self) -> None:
        self.bar.stop()
