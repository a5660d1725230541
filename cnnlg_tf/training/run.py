"""`train`: a run from its configuration to its last checkpoint, phase by phase, resumable at any moment."""

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from cnnlg_tf.checkpoint import (
    CONFIG,
    STATE,
    WEIGHTS,
    find_checkpoint,
    list_checkpoints,
    load,
    load_weights,
    read_about,
    read_config,
)
from cnnlg_tf.config import Config
from cnnlg_tf.config_files import changed_keys, dump_config
from cnnlg_tf.data.pipeline import TrainingData, open_source
from cnnlg_tf.errors import CheckpointError, TrainingError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.integrity import damage
from cnnlg_tf.startup import start_tensorflow
from cnnlg_tf.training.phase_progress import PhaseProgress

METRICS = "metrics.jsonl"
FUSIBLE_FLAGS = "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit=true --tf_xla_ops_to_cluster=FUSIBLE"

_log = logging.getLogger(__name__)


def prepare_environment(*configs: Config) -> None:
    """Set what TensorFlow reads when it is imported; call it before the first import of TensorFlow.

    `train.compile: fusible` lets XLA fuse elementwise operations and leaves convolutions to the ordinary kernels. It
    does nothing for a process that trains with a gradient penalty: TensorFlow 2.21's clustering refuses the default
    model's step with one ("nodes in a cycle").
    """
    flags = os.environ.get("TF_XLA_FLAGS", "")
    penalised = any(
        phase.penalty.kind == "gradient_penalty"
        for config in configs
        for phase in config.train.phases
    )
    fusible = any(config.train.compile == "fusible" for config in configs)
    if fusible and penalised:
        _log.warning("train.compile fusible does not work with a gradient penalty: as none")
    elif fusible and FUSIBLE_FLAGS not in flags:
        os.environ["TF_XLA_FLAGS"] = f"{flags} {FUSIBLE_FLAGS}".strip()


def train(
    config: Config, run: str | Path, *, devices: list[str] | None = None, quiet: bool = False
) -> Path:
    """Train in folder `run`, or go on from its latest checkpoint; returns the last checkpoint.

    Args:
        config: the whole configuration; it is kept in `run/config.yaml`.
        run: folder of checkpoints, metrics.jsonl, TensorBoard logs and pictures. The workers of a cluster
            (`TF_CONFIG`) share it.
        devices: such as ["GPU:0", "GPU:1"]; all GPUs when None, or the CPU.
        quiet: no progress bar.

    Raises:
        DataError: nothing to train on. CheckpointError: `run` holds another architecture. TrainingError: the loss is
        not finite, this machine has no such device, `run` cannot be written, the workers of a cluster see different
        checkpoints in it, or one of them is lost.
    """
    prepare_environment(config)
    source = open_source(
        config.data
    )  # an empty folder is told at once, not after TensorFlow's start
    start_tensorflow()
    from cnnlg_tf.training.distribution import agree, choose_strategy, is_chief

    run = Path(run)
    strategy = choose_strategy(devices)
    resumed, damaged = newest_whole(run)
    about = {} if resumed is None else read_about(resumed)
    remaining = _remaining_phases(config, resumed, about)
    agree(strategy, about.get("step", 0), run)
    if resumed is not None:
        _compare(resumed, config)
    if is_chief(strategy):
        _tidy(run, about.get("step", 0))
        _set_aside(damaged)
        with atomic_path(run / CONFIG) as path:
            path.write_text(dump_config(config), encoding="utf-8")
    with strategy.scope():
        model = make_model(config, resumed)
    for progress in remaining:
        _train_phase(model, config, progress, run, resumed, strategy, source, quiet)
    agree(strategy, sum(phase.steps for phase in config.train.phases), run)  # the chief has written
    if source.skipped:
        names = ", ".join(source.skipped[:5]) + (", ..." if len(source.skipped) > 5 else "")
        _log.warning("%d of %d images cannot be read: %s", len(source.skipped), len(source), names)
    return list_checkpoints(run)[-1]


def newest_whole(run: Path) -> tuple[Path | None, list[Path]]:
    """The newest checkpoint of a run whose files are as written, and newer ones that are not.

    (None, []) for a run that has no checkpoint yet.

    Raises:
        CheckpointError: there are checkpoints, and not one is whole.
    """
    folders = sorted(path for path in run.glob("checkpoint-*") if path.is_dir())
    faults: dict[Path, str] = {}
    for folder in reversed(folders):
        fault = damage(folder, (WEIGHTS, CONFIG, STATE))
        if fault is None:
            for other, reason in faults.items():
                _log.warning(
                    "the checkpoint %s is damaged: %s; training goes on from %s",
                    other,
                    reason,
                    folder.name,
                )
            return folder, list(faults)
        faults[folder] = fault
    if faults:
        reasons = "; ".join(f"{folder.name}: {reason}" for folder, reason in faults.items())
        raise CheckpointError(
            f"{run} must have a whole checkpoint to go on from. Received: {reasons}. "
            "Train in another folder, or delete these to start anew"
        )
    return None, []


def summarise(checkpoint: Path) -> str:
    """One line on where a run stands, from its folder's metrics."""
    about = read_about(checkpoint)
    metrics = checkpoint.parent / METRICS
    lines = metrics.read_text(encoding="utf-8").splitlines() if metrics.is_file() else []
    last = json.loads(lines[-1]) if lines and _step_of(lines[-1]) >= 0 else {}
    parts = [f"{name} {last[name]:.4g}" for name in ("loss", "l1", "nll") if name in last]
    return f"{checkpoint}: step {about['step']}" + (f", {', '.join(parts)}" if parts else "")


def _train_phase(
    model: Any,
    config: Config,
    progress: PhaseProgress,
    run: Path,
    resumed: Path | None,
    strategy: Any,
    source: Any,
    quiet: bool,
) -> None:
    """One `fit` over the steps of a phase that are not done yet."""
    from cnnlg_tf.training.callbacks import close_callbacks, make_callbacks
    from cnnlg_tf.training.distribution import distribute, lost_worker
    from cnnlg_tf.training.state import restore_state

    phase = progress.phase
    with strategy.scope():
        begin_phase(model, config, progress)
        if resumed is not None and progress.start:
            restore_state(model, resumed)
    seed = config.train.seed + progress.offset
    damage = phase.kind == "damage"
    data = TrainingData(
        config.data,
        config.masks,
        phase.crop,
        phase.batch_size,
        seed,
        source,
        damage,
        phase.sketch_share,
    )
    prefetcher = data.iterate(progress.start, phase.steps)
    callbacks = make_callbacks(config, progress, run, data, prefetcher, strategy, quiet)
    try:
        with lost_worker(strategy):
            model.fit(
                distribute(strategy, prefetcher, phase),
                steps_per_epoch=phase.steps - progress.start,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
    finally:
        close_callbacks(callbacks)
        prefetcher.close()


def make_model(config: Config, resumed: Path | None) -> Any:
    """A `TrainableCNNLG` with the weights of a checkpoint, `train.initial_weights`, or a seeded start."""
    import keras

    from cnnlg_tf.training.trainable import TrainableCNNLG

    keras.mixed_precision.set_dtype_policy(config.train.mixed_precision)
    keras.utils.set_random_seed(config.train.seed)
    model = TrainableCNNLG(config.model, config.train.seed)
    initial = resumed or config.train.initial_weights
    if (
        initial is not None
    ):  # a phase starts from the average of the one before: Keras ends `fit` so
        load_weights(model, find_checkpoint(initial))
    elif model.damage_finder is not None and any(p.kind == "damage" for p in config.train.phases):
        model.damage_finder.encoder.load_photo_weights()
    return model


def begin_phase(model: Any, config: Config, progress: PhaseProgress) -> None:
    """Give the model what the phase needs: optimisers, VGG, discriminator."""
    import keras

    from cnnlg_tf.training.critics import PatchDiscriminator, VGGFeatures
    from cnnlg_tf.training.optimizers import make_discriminator_optimizer, make_optimizer

    phase = progress.phase
    path = config.train.vgg_weights
    vgg = VGGFeatures(path) if path and phase.needs_vgg else None
    adversarial = phase.needs_discriminator
    # whatever ran before the phase
    keras.utils.set_random_seed(config.train.seed + progress.offset)
    model.begin_phase(
        phase,
        make_optimizer(phase.optimizer, phase.steps),
        vgg=vgg,
        discriminator=PatchDiscriminator(phase.discriminator) if adversarial else None,
        start=load(config.train.initial_weights) if phase.kind == "reward" else None,
        discriminator_optimizer=make_discriminator_optimizer(phase.discriminator)
        if adversarial
        else None,
        jit_compile=config.train.compile == "xla",
    )


def _remaining_phases(
    config: Config, resumed: Path | None, about: dict[str, Any]
) -> list[PhaseProgress]:
    """The phases that are not done yet."""
    names = [phase.name for phase in config.train.phases]
    if resumed is not None and about["phase"] not in names:
        raise CheckpointError(
            f"{resumed} stopped in phase {about['phase']!r}, which the configuration must have. "
            f"Received: phases {names}"
        )
    current = 0 if resumed is None else names.index(about["phase"])
    remaining, offset = [], 0
    for index, phase in enumerate(config.train.phases):
        start = about["phase_step"] if resumed is not None and index == current else 0
        if index >= current and start < phase.steps:
            partial = about.get("unlogged") if start else None
            remaining.append(PhaseProgress(phase, start, offset, partial))
        offset += phase.steps
    return remaining


def _compare(resumed: Path, config: Config) -> None:
    """Refuse another architecture; say what else differs from the run so far."""
    changed = changed_keys(read_config(resumed), config)
    architecture = [key for key in changed if key.startswith("model.")]
    if architecture:
        raise CheckpointError(
            f"{resumed} was made by another architecture: {', '.join(architecture)} differ. Train in another "
            "folder, or set the configuration as it was"
        )
    if changed:
        _log.warning("goes on from %s with changed settings: %s", resumed, ", ".join(changed))


def _set_aside(damaged: list[Path]) -> None:
    """Rename damaged checkpoints, so that nothing takes them for the newest, and nothing is lost."""
    for folder in damaged:
        target = folder.with_name(f"damaged-{folder.name}")
        shutil.rmtree(target, ignore_errors=True)  # an earlier one of the same step
        folder.rename(target)


def _step_of(line: str) -> int:
    """The step of a line of metrics; -1 for one that is damaged."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return -1


def _tidy(run: Path, step: int) -> None:
    """Make the folder; drop what a killed run left: half-written checkpoints, metrics of steps to be done again."""
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"the run's folder {run} cannot be made: {error}") from error
    for pattern in (".new-*", ".checkpoint-*"):  # the second: of versions before this one
        for unfinished in run.glob(pattern):
            shutil.rmtree(unfinished, ignore_errors=True)
    metrics = run / METRICS
    if metrics.is_file():
        lines = metrics.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and 0 <= _step_of(line) <= step]
        if kept != lines:
            with atomic_path(metrics) as path:
                path.write_text("".join(kept), encoding="utf-8")
