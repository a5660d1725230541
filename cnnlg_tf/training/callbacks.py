"""What happens between steps: checkpoints, logs, pictures, progress, and the stop at a loss that is not finite."""

import json
import math
import shutil
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnlg_tf.checkpoint import list_checkpoints, save_checkpoint
from cnnlg_tf.config import Config
from cnnlg_tf.config_files import dump_config
from cnnlg_tf.data.pipeline import Prefetcher, TrainingData
from cnnlg_tf.errors import TrainingError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.training.distribution import is_chief
from cnnlg_tf.training.events import EventWriter
from cnnlg_tf.training.input_wait import InputWait
from cnnlg_tf.training.phase_progress import PhaseProgress
from cnnlg_tf.training.state import averaged_weights, collect_state

KEPT_CHECKPOINTS = 2


def make_callbacks(
    config: Config,
    progress: PhaseProgress,
    run: Path,
    data: TrainingData,
    prefetcher: Prefetcher,
    strategy: Any,
    quiet: bool,
) -> list[keras.callbacks.Callback]:
    """The callbacks of one phase, in the order in which they act; only the chief writes."""
    callbacks: list[keras.callbacks.Callback] = [FiniteLoss(progress, run)]
    if not is_chief(strategy):
        return callbacks
    wait, events = InputWait(prefetcher), EventWriter(run / "tensorboard")
    log = Log(progress, run, config.train.log_every, wait, events)
    callbacks += [wait, log]
    if config.train.picture_every:
        callbacks.append(Pictures(progress, run, config.train.picture_every, data, events))
    callbacks.append(Checkpoints(progress, run, config, log))
    if not quiet:
        from cnnlg_tf.training.progress_bar import ProgressBar

        callbacks.append(ProgressBar(progress, wait))
    return callbacks


def close_callbacks(callbacks: list[keras.callbacks.Callback]) -> None:
    """Let go of files and the terminal, however training ended."""
    for callback in callbacks:
        if hasattr(callback, "close"):
            callback.close()


class FiniteLoss(keras.callbacks.Callback):
    """Stops training at the first loss that is not finite, and says which term it was."""

    def __init__(self, progress: PhaseProgress, run: Path) -> None:
        super().__init__()
        self.progress, self.run = progress, run

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        bad = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        if bad:
            kept = list_checkpoints(self.run)
            raise TrainingError(
                f"the loss must be finite. Received: {', '.join(bad)} not finite at step "
                f"{self.progress.start + batch + 1} of phase {self.progress.phase.name!r}; "
                + (
                    f"the last good checkpoint is {kept[-1]}"
                    if kept
                    else "no checkpoint was written yet"
                )
            )


class Log(keras.callbacks.Callback):
    """Means of the losses every `every` steps to metrics.jsonl and TensorBoard."""

    def __init__(
        self, progress: PhaseProgress, run: Path, every: int, wait: InputWait, events: EventWriter
    ) -> None:
        super().__init__()
        self.progress, self.run, self.every, self.wait = progress, run, every, wait
        self.events = events
        before = progress.unlogged or {"count": 0, "sums": {}}
        self.count: int = before["count"]
        self.sums: dict[str, float] = dict(before["sums"])
        self.timed = 0  # steps of this process since `began`
        self.began = time.perf_counter()

    @property
    def unlogged(self) -> dict[str, Any]:
        """What a checkpoint must keep, so that the next line is that of an unbroken run."""
        return {"count": self.count, "sums": self.sums}

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in (logs or {}).items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)
        self.count += 1
        self.timed += 1
        done = self.progress.start + batch + 1
        if done % self.every == 0 or done == self.progress.phase.steps:
            self._write(done)

    def _write(self, done: int) -> None:
        now = time.perf_counter()
        values = {name: total / self.count for name, total in self.sums.items()}
        values["images_per_second"] = (
            self.timed * self.progress.phase.batch_size / (now - self.began)
        )
        values["input_wait_share"] = self.wait.share
        step = self.progress.offset + done
        self.events.scalars(values, step)
        line = {"step": step, "phase": self.progress.phase.name, "phase_step": done, **values}
        with (self.run / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.sums, self.count, self.timed, self.began = {}, 0, 0, now

    def close(self) -> None:
        self.events.close()


class Checkpoints(keras.callbacks.Callback):
    """A checkpoint every so many minutes and at the end; the newest two are kept."""

    def __init__(self, progress: PhaseProgress, run: Path, config: Config, log: Log) -> None:
        super().__init__()
        self.progress, self.run, self.log = progress, run, log
        self.seconds = 60.0 * config.train.checkpoint_minutes
        self.text = dump_config(config)
        self.saved = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        done = self.progress.start + batch + 1
        if time.monotonic() - self.saved >= self.seconds or done == self.progress.phase.steps:
            self._save(done)
            self.saved = time.monotonic()

    def _save(self, done: int) -> None:
        step = self.progress.offset + done
        state = collect_state(self.model)
        about = {"phase": self.progress.phase.name, "phase_step": done, "step": step}
        about["unlogged"] = self.log.unlogged
        with averaged_weights(self.model):
            save_checkpoint(
                self.run / f"checkpoint-{step:08d}", self.model, self.text, about, state
            )
        for old in list_checkpoints(self.run)[:-KEPT_CHECKPOINTS]:
            shutil.rmtree(old)


class Pictures(keras.callbacks.Callback):
    """Before / repaired / after strips of a fixed batch, as PNG and in TensorBoard."""

    COUNT = 4

    def __init__(
        self,
        progress: PhaseProgress,
        run: Path,
        every: int,
        data: TrainingData,
        events: EventWriter,
    ) -> None:
        super().__init__()
        self.progress, self.run, self.every, self.data = progress, run, every, data
        self.events = events

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        done = self.progress.start + batch + 1
        if done % self.every == 0:
            with averaged_weights(self.model):
                self._draw(self.progress.offset + done)

    def _draw(self, step: int) -> None:
        batch = self.data.batch(0)
        image = batch["image"][: self.COUNT].astype(np.float32) / 255.0
        mask = batch["mask"][: self.COUNT].astype(np.float32)
        repaired = np.asarray(self.model.repair(tf.constant(image), tf.constant(mask))[0])
        before = image * (1.0 - mask) + 0.5 * mask
        rows = [np.concatenate(row, axis=1) for row in zip(before, repaired, image, strict=True)]
        strip = np.round(255.0 * np.concatenate(rows, axis=0)).astype(np.uint8)
        self.events.picture("before, repaired, original", strip, step)
        with atomic_path(self.run / "pictures" / f"step-{step:08d}.png") as path:
            path.write_bytes(tf.io.encode_png(strip).numpy())
