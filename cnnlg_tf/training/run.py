"""`train`: a run from its configuration to its last checkpoint, phase by phase, resumable at any moment."""

import os
from pathlib import Path
from typing import Any

from cnnlg_tf.checkpoint import (
    find_checkpoint,
    list_checkpoints,
    load_weights,
    read_about,
    read_model_config,
)
from cnnlg_tf.config import Config, PhaseConfig, dump_config
from cnnlg_tf.errors import CheckpointError

FUSIBLE_FLAGS = "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit=true --tf_xla_ops_to_cluster=FUSIBLE"


def prepare_environment(config: Config) -> None:
    """Set what TensorFlow reads when it is imported; call it before the first import of TensorFlow.

    `train.compile: fusible` lets XLA fuse elementwise operations and leaves convolutions to the ordinary kernels.
    """
    if config.train.compile == "fusible":
        os.environ["TF_XLA_FLAGS"] = f"{os.environ.get('TF_XLA_FLAGS', '')} {FUSIBLE_FLAGS}".strip()


def train(
    config: Config, run: str | Path, *, devices: list[str] | None = None, quiet: bool = False
) -> Path:
    """Train in folder `run`, or go on from its latest checkpoint; returns the last checkpoint.

    Args:
        config: the whole configuration; it is kept in `run/config.yaml`.
        run: folder of checkpoints, metrics.jsonl, TensorBoard logs and pictures.
        devices: such as ["GPU:0", "GPU:1"]; all GPUs when None, or the CPU.
        quiet: no progress bar.

    Raises:
        DataError: nothing to train on. CheckpointError: `run` holds another architecture. TrainingError: the loss is
        not finite, or this machine has no such device.
    """
    prepare_environment(config)
    from cnnlg_tf.data.pipeline import open_source
    from cnnlg_tf.training.distribution import choose_strategy, is_chief

    run = Path(run)
    source = open_source(config.data)
    strategy = choose_strategy(devices)
    run.mkdir(parents=True, exist_ok=True)
    if is_chief(strategy):
        (run / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    checkpoints = list_checkpoints(run)
    resumed = checkpoints[-1] if checkpoints else None
    if resumed is not None:
        _check_architecture(resumed, config)
    start = _start(resumed, config)
    global_step = 0
    with strategy.scope():
        model = _make_model(config, resumed)
    for index, phase in enumerate(config.train.phases):
        if index >= start[0]:
            done = start[1] if index == start[0] else 0
            state = resumed if index == start[0] and done else None
            _train_phase(
                model, config, phase, run, done, state, strategy, source, global_step, quiet
            )
        global_step += phase.steps
    return list_checkpoints(run)[-1]


def _train_phase(
    model: Any,
    config: Config,
    phase: PhaseConfig,
    run: Path,
    done: int,
    state: Path | None,
    strategy: Any,
    source: Any,
    global_step: int,
    quiet: bool,
) -> None:
    """One `fit` over the steps of a phase that are not done yet."""
    from cnnlg_tf.data.pipeline import TrainingData
    from cnnlg_tf.training.callbacks import make_callbacks
    from cnnlg_tf.training.distribution import distribute
    from cnnlg_tf.training.state import restore_state

    with strategy.scope():
        _begin(model, config, phase)
        if state is not None:
            restore_state(model, state)
    data = TrainingData(
        config.data,
        config.masks,
        phase.crop,
        phase.batch_size,
        config.train.seed + global_step,
        source,
    )
    prefetcher = data.iterate(done, phase.steps)
    callbacks = make_callbacks(
        model, config, phase, run, global_step, data, prefetcher, strategy, quiet
    )
    try:
        if done < phase.steps:
            model.fit(
                distribute(strategy, data, prefetcher, phase),
                steps_per_epoch=phase.steps - done,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
    finally:
        prefetcher.close()


def _make_model(config: Config, resumed: Path | None) -> Any:
    import keras

    from cnnlg_tf.training.trainable import TrainableCNNLG

    keras.mixed_precision.set_dtype_policy(config.train.mixed_precision)
    keras.utils.set_random_seed(config.train.seed)
    model = TrainableCNNLG(config.model, config.train.seed, config.train.critic_crop)
    initial = resumed or config.train.initial_weights
    if initial is not None:
        load_weights(model, find_checkpoint(initial))
    return model


def _begin(model: Any, config: Config, phase: PhaseConfig) -> None:
    """Give the model what the phase needs: optimisers, VGG, discriminator."""
    from cnnlg_tf.training.critics import PatchDiscriminator, VGGFeatures
    from cnnlg_tf.training.optimizers import make_discriminator_optimizer, make_optimizer

    needs_vgg = phase.losses.perceptual > 0 or phase.losses.style > 0
    vgg = VGGFeatures(config.train.vgg_weights) if needs_vgg and config.train.vgg_weights else None
    adversarial = phase.losses.adversarial > 0
    model.begin_phase(
        phase,
        make_optimizer(phase.optimizer, phase.steps),
        vgg=vgg,
        discriminator=PatchDiscriminator(phase.discriminator.width) if adversarial else None,
        discriminator_optimizer=make_discriminator_optimizer(phase.discriminator)
        if adversarial
        else None,
        jit_compile=config.train.compile == "xla",
    )


def _start(resumed: Path | None, config: Config) -> tuple[int, int]:
    """(index of the phase, steps of it that are done)."""
    if resumed is None:
        return 0, 0
    about = read_about(resumed)
    names = [phase.name for phase in config.train.phases]
    if about["phase"] not in names:
        raise CheckpointError(
            f"{resumed} stopped in phase {about['phase']!r}, which the configuration must have. "
            f"Received: phases {names}"
        )
    index = names.index(about["phase"])
    if about["phase_step"] >= config.train.phases[index].steps:
        return index + 1, 0
    return index, about["phase_step"]


def _check_architecture(resumed: Path, config: Config) -> None:
    made = read_model_config(resumed)
    if made != config.model:
        keys = [k for k, v in made.model_dump().items() if v != config.model.model_dump()[k]]
        raise CheckpointError(
            f"{resumed} was made by another architecture: model.{', model.'.join(keys)} differ. Train in another "
            "folder, or set the configuration as it was"
        )
