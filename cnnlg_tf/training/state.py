"""The training state: everything beside the model's averaged weights that a run needs to go on as if unbroken."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from cnnlg_tf.checkpoint import STATE
from cnnlg_tf.errors import CheckpointError, TrainingError
from cnnlg_tf.integrity import ABOUT
from cnnlg_tf.training.trainable import TrainableCNNLG


def training_variables(model: TrainableCNNLG) -> list[Any]:
    """All variables that a step changes, in a fixed order."""
    variables = [*model.network_weights, *model.optimizer.variables]
    if model.critics.discriminator is not None and model.discriminator_optimizer is not None:
        variables += [
            *model.critics.discriminator.variables,
            *model.discriminator_optimizer.variables,
        ]
    return variables


def collect_state(model: TrainableCNNLG) -> dict[str, np.ndarray[Any, Any]]:
    """Variables as arrays, named by their place.

    Raises:
        TrainingError: a weight is not finite: such a state is not worth keeping.
    """
    state = {}
    for index, variable in enumerate(training_variables(model)):
        value = np.asarray(variable)
        if np.issubdtype(value.dtype, np.floating) and not np.all(np.isfinite(value)):
            raise TrainingError(f"weight {variable.path} is not finite: no checkpoint was written")
        state[f"v{index:05d}"] = value
    return state


def restore_state(model: TrainableCNNLG, folder: Path) -> None:
    """Put a checkpoint's training state back."""
    _assign(training_variables(model), _read(folder), folder)


def _read(folder: Path) -> list[np.ndarray[Any, Any]]:
    try:
        with (folder / STATE).open("rb") as raw, np.load(raw) as file:
            return [file[name] for name in sorted(file.files)]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise CheckpointError(f"{folder / STATE} is missing or damaged: {error}") from error


def _assign(variables: list[Any], values: list[np.ndarray[Any, Any]], folder: Path) -> None:
    shapes = [tuple(v.shape) for v in variables]
    if [v.shape for v in values] != shapes:
        raise CheckpointError(
            f"{folder / STATE} must hold {len(shapes)} arrays in the shapes of this configuration's model, optimiser "
            f"and discriminator. Received: {len(values)} arrays, or other shapes; see {folder / ABOUT}"
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


@contextmanager
def averaged_weights(model: TrainableCNNLG) -> Iterator[None]:
    """Inside the block the model has its moving-average weights, where the optimiser keeps them."""
    optimizer = model.optimizer
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or not optimizer.use_ema:
        yield
        return
    variables = model.generator_variables
    kept = [np.asarray(v) for v in variables]
    averages = optimizer._model_variables_moving_average
    for variable, average in zip(variables, averages, strict=True):
        variable.assign(average)
    try:
        yield
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)
