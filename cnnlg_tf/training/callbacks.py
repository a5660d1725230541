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
from cnnlg_tf.config import Config, PhaseConfig, dump_config
from cnnlg_tf.data.pipeline import Prefetcher, TrainingData
from cnnlg_tf.errors import TrainingError
from cnnlg_tf.training.distribution import is_chief
from cnnlg_tf.training.state import averaged_weights, collect_state
from cnnlg_tf.training.trainable import TrainableCNNLG

KEPT_CHECKPOINTS = 2


def make_callbacks(
    model: TrainableCNNLG,
    config: Config,
    phase: PhaseConfig,
    run: Path,
    global_step: int,
    data: TrainingData,
    prefetcher: Prefetcher,
    strategy: Any,
    quiet: bool,
) -> list[keras.callbacks.Callback]:
    """The callbacks of one phase; only the chief writes. `global_step` is the number of steps of earlier phases."""
    callbacks: list[keras.callbacks.Callback] = [FiniteLoss(run)]
    if is_chief(strategy):
        callbacks.append(Log(phase, run, global_step, config.train.log_every, prefetcher))
        if config.train.picture_every:
            callbacks.append(Pictures(data, run, global_step, config.train.picture_every))
        callbacks.append(Checkpoints(config, phase, run, global_step))
        if not quiet:
            from cnnlg_tf.training.progress import ProgressBar

            callbacks.append(ProgressBar(phase, prefetcher))
    return callbacks


class FiniteLoss(keras.callbacks.Callback):
    """Stops training at the first loss that is not finite, and says which term it was."""

    def __init__(self, run: Path) -> None:
        super().__init__()
        self.run = run

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        bad = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        if bad:
            kept = list_checkpoints(self.run)
            raise TrainingError(
                f"the loss must be finite. Received: {', '.join(bad)} not finite at step "
                f"{int(self.model.optimizer.iterations)} of phase {self.model.phase.name!r}; "
                + (
                    f"the last good checkpoint is {kept[-1]}"
                    if kept
                    else "no checkpoint was written yet"
                )
            )


class Log(keras.callbacks.Callback):
    """Means of the losses every `every` steps to metrics.jsonl and TensorBoard."""

    def __init__(
        self, phase: PhaseConfig, run: Path, global_step: int, every: int, prefetcher: Prefetcher
    ) -> None:
        super().__init__()
        self.phase, self.run, self.global_step, self.every = phase, run, global_step, every
        self.prefetcher = prefetcher
        self.sums: dict[str, float] = {}
        self.count = 0
        self.began = time.perf_counter()
        self.writer = tf.summary.create_file_writer(str(run / "tensorboard"))

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in (logs or {}).items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        done = int(self.model.optimizer.iterations)
        if done % self.every == 0 or done == self.phase.steps:
            self._write(done)

    def _write(self, done: int) -> None:
        now = time.perf_counter()
        values = {name: total / self.count for name, total in self.sums.items()}
        values["images_per_second"] = self.count * self.phase.batch_size / (now - self.began)
        values["input_wait_share"] = self.prefetcher.wait_share
        step = self.global_step + done
        with self.writer.as_default():
            for name, value in values.items():
                tf.summary.scalar(name, value, step=step)
        self.writer.flush()
        line = {"step": step, "phase": self.phase.name, "phase_step": done, **values}
        with (self.run / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.sums, self.count, self.began = {}, 0, now


class Checkpoints(keras.callbacks.Callback):
    """A checkpoint every so many minutes and at the end; the newest two are kept."""

    def __init__(self, config: Config, phase: PhaseConfig, run: Path, global_step: int) -> None:
        super().__init__()
        self.phase, self.run, self.global_step = phase, run, global_step
        self.seconds = 60.0 * config.train.checkpoint_minutes
        self.text = dump_config(config)
        self.saved = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        done = int(self.model.optimizer.iterations)
        if time.monotonic() - self.saved >= self.seconds or done == self.phase.steps:
            self._save(done)
            self.saved = time.monotonic()

    def _save(self, done: int) -> None:
        step = self.global_step + done
        state = collect_state(self.model)
        about = {"phase": self.phase.name, "phase_step": done, "step": step}
        with averaged_weights(self.model):
            save_checkpoint(
                self.run / f"checkpoint-{step:08d}", self.model, self.text, about, state
            )
        for old in list_checkpoints(self.run)[:-KEPT_CHECKPOINTS]:
            shutil.rmtree(old)


class Pictures(keras.callbacks.Callback):
    """Before / repaired / after strips of a fixed batch, as PNG and in TensorBoard."""

    COUNT = 4

    def __init__(self, data: TrainingData, run: Path, global_step: int, every: int) -> None:
        super().__init__()
        self.data, self.run, self.global_step, self.every = data, run, global_step, every
        self.writer = tf.summary.create_file_writer(str(run / "tensorboard"))

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        done = int(self.model.optimizer.iterations)
        if done % self.every == 0:
            with averaged_weights(self.model):
                self._draw(self.global_step + done)

    def _draw(self, step: int) -> None:
        batch = self.data.batch(0)
        image = batch["image"][: self.COUNT].astype(np.float32) / 255.0
        mask = batch["mask"][: self.COUNT].astype(np.float32)
        repaired = np.asarray(self.model.repair(tf.constant(image), tf.constant(mask))[0])
        before = image * (1.0 - mask) + 0.5 * mask
        rows = [np.concatenate(row, axis=1) for row in zip(before, repaired, image, strict=True)]
        strip = np.concatenate(rows, axis=0)
        with self.writer.as_default():
            tf.summary.image("before, repaired, original", strip[None], step=step)
        self.writer.flush()
        folder = self.run / "pictures"
        folder.mkdir(exist_ok=True)
        png = tf.io.encode_png(tf.cast(tf.round(255.0 * strip), tf.uint8))
        tf.io.write_file(str(folder / f"step-{step:08d}.png"), png)
