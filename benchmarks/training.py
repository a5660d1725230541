"""How fast training runs: images/s, its share of this machine's convolution rate, and what its input costs.

    python benchmarks/training.py [--config FILE] [--set data.root=PHOTOS] [--phase prediction] [--steps 60]

The reference is one large 3 x 3 convolution, timed before and after the steps in the same run. A step's operations are
those of its graph's convolutions and matrix products, both ways, as TensorFlow's profiler counts them.
"""

import dataclasses
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.config import Config, PhaseConfig
from cnnlg_tf.config_files import load_config
from cnnlg_tf.training.run import METRICS, prepare_environment, train

SIDE, CHANNELS, BATCH = 64, 256, 4
"""Of the reference convolution: 19 GFLOP, far more than starting it costs."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """Medians over the log lines of a short run."""

    images_per_second: float
    input_wait_share: float


@click.command(cls=Command)
@click.option("--config", "path", default="photos", show_default=True)
@click.option("--set", "overrides", multiple=True, help="key=value, as of `cnnlg-tf train`.")
@click.option("--phase", "name", default="prediction", show_default=True, help="Phase to time.")
@click.option("--steps", default=60, show_default=True)
def main(path: str, overrides: tuple[str, ...], name: str, steps: int) -> None:
    """Time a phase's steps, the reference convolution and the making of a batch."""
    config = load_config(path, list(overrides))
    phase = next((p for p in config.train.phases if p.name == name), None)
    if phase is None:
        known = [p.name for p in config.train.phases]
        raise click.UsageError(f"--phase must be one of {known}. Received: {name!r}")
    prepare_environment(config)
    phase = phase.model_copy(update={"steps": steps})
    before = convolution_rate()
    measured = timed_run(config, phase)
    peak = max(before, convolution_rate())
    operations = step_operations(config, phase) / phase.batch_size
    batch = batch_seconds(config, phase)
    achieved = operations * measured.images_per_second
    click.echo(f"phase {phase.name}: batches of {phase.batch_size} at {phase.crop} px")
    click.echo(f"images/s                   {measured.images_per_second:8.2f}")
    click.echo(f"operations an image        {operations / 1e9:8.2f} GFLOP")
    click.echo(f"achieved                   {achieved / 1e9:8.1f} GFLOP/s")
    click.echo(f"one large convolution      {peak / 1e9:8.1f} GFLOP/s")
    click.echo(f"share of it                {achieved / peak:8.1%}")
    click.echo(f"a step waits for its batch {measured.input_wait_share:8.1%} of the time")
    step = phase.batch_size / measured.images_per_second
    click.echo(f"making a batch             {batch / step:8.1%} of a step's time, on one thread")


def convolution_rate(rounds: int = 7) -> float:
    """Floating-point operations a second of the reference convolution: the best of `rounds`."""
    import tensorflow as tf

    image = tf.random.stateless_normal([BATCH, SIDE, SIDE, CHANNELS], [0, 0])
    kernel = tf.random.stateless_normal([3, 3, CHANNELS, CHANNELS], [0, 1])
    convolve = tf.function(lambda: tf.reduce_sum(tf.nn.conv2d(image, kernel, 1, "SAME")))
    convolve()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        convolve().numpy()
        seconds.append(time.perf_counter() - began)
    return 2.0 * BATCH * SIDE**2 * 9 * CHANNELS**2 / min(seconds)


def timed_run(config: Config, phase: PhaseConfig) -> Measured:
    """Train the phase alone in a temporary folder."""
    settings = config.train.model_copy(
        update={"phases": [phase], "log_every": 10, "picture_every": 0}
    )
    with tempfile.TemporaryDirectory() as folder:
        train(config.model_copy(update={"train": settings}), folder, quiet=True)
        text = (Path(folder) / METRICS).read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()][1:]  # the first compiles
    if not lines:
        raise click.UsageError("--steps must be at least 20")
    return Measured(
        *(
            statistics.median(line[key] for line in lines)
            for key in ("images_per_second", "input_wait_share")
        )
    )


def step_operations(config: Config, phase: PhaseConfig) -> float:
    """Floating-point operations of one train step's convolutions and matrix products."""
    import tensorflow as tf
    from tensorflow.python.profiler import model_analyzer, option_builder

    from cnnlg_tf.training.phase_progress import PhaseProgress
    from cnnlg_tf.training.run import begin_phase, make_model

    model: Any = make_model(config, None)
    begin_phase(model, config, PhaseProgress(phase, 0, 0))
    images = [phase.batch_size, phase.crop, phase.crop]
    batch = {
        "image": tf.zeros([*images, 3], tf.uint8),
        "mask": tf.ones([*images, 1], tf.uint8),
    }
    graph = tf.function(model.train_step).get_concrete_function(batch).graph
    options = option_builder.ProfileOptionBuilder
    builder = options(options.float_operation()).with_empty_output()
    profile = model_analyzer.profile(graph, options=builder.build())
    return float(profile.total_float_ops)


def batch_seconds(config: Config, phase: PhaseConfig, count: int = 12) -> float:
    """Median seconds that one thread takes to make a batch, decoding photos included."""
    from cnnlg_tf.data.pipeline import TrainingData, open_source

    source = open_source(config.data)
    data = TrainingData(config.data, config.masks, phase.crop, phase.batch_size, 0, source)
    seconds = []
    for index in range(count):
        began = time.perf_counter()
        data.batch(index)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


if __name__ == "__main__":
    main()
