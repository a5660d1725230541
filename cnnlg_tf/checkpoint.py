"""Checkpoints: a folder with weights, the config that made them, and the training state.

model.weights.h5      weights to repair with (the averaged ones, where training keeps an average)
config.yaml           every key of the configuration
checkpoint.json       format version, phase, step, versions, sha256 of the other files
training_state.npz    optional: what training needs to go on
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from cnnlg_tf.config import Config, ModelConfig
from cnnlg_tf.config_files import parse_config, parse_model_config
from cnnlg_tf.errors import CheckpointError, ConfigError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.integrity import ABOUT, SUMS, damage, file_sums
from cnnlg_tf.presets import PRESETS, preset_folder

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

T = TypeVar("T")

FORMAT_VERSION = 1
WEIGHTS, CONFIG, STATE = "model.weights.h5", "config.yaml", "training_state.npz"
SHIPPED = preset_folder("photos")


def load(path: str | Path | None = None) -> "CNNLG":
    """Load a model from a checkpoint folder, a run's folder (its latest checkpoint), or a preset by its name.

    None is the shipped model, the preset `photos`.

    Raises:
        CheckpointError: nothing there, damaged, or of another format version or architecture.
    """
    from cnnlg_tf.models.cnnlg import CNNLG

    folder = SHIPPED if path is None else find_checkpoint(path)
    about = read_about(folder)
    if SUMS in about and (fault := damage(folder, (WEIGHTS, CONFIG))) is not None:
        raise CheckpointError(f"the checkpoint {folder} is damaged: {fault}")
    model = CNNLG(read_model_config(folder))
    load_weights(model, folder)
    model.about = about
    return model


def find_checkpoint(path: str | Path) -> Path:
    """The checkpoint folder at `path`: itself, the latest in a run's folder, or a preset's."""
    folder = Path(path)
    if (folder / ABOUT).is_file():
        return folder
    found = list_checkpoints(folder)
    if found:
        return found[-1]
    if str(path) in PRESETS:  # even if a folder has that name: "photos" is a likely one
        return preset_folder(str(path))
    raise CheckpointError(
        f"a model must be a checkpoint folder with {ABOUT} and {WEIGHTS}, a run's folder with checkpoints, or the "
        f"name of a preset ({', '.join(PRESETS)}). "
        f"Received: {path} ({'none found there' if folder.exists() else 'no such file'})"
    )


def list_checkpoints(run: Path) -> list[Path]:
    """Complete checkpoints of a run's folder, oldest first."""
    return sorted(p.parent for p in run.glob(f"checkpoint-*/{ABOUT}"))


def read_about(folder: Path) -> dict[str, Any]:
    """checkpoint.json, with its version checked."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        version = about["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / ABOUT} is missing or damaged: {error!r}") from error
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"checkpoint {folder} must have format version {FORMAT_VERSION}. Received: version {version}; "
            "load it with the cnnlg-tf that wrote it"
        )
    result: dict[str, Any] = about
    return result


def read_model_config(folder: Path) -> ModelConfig:
    """The architecture that a checkpoint was made with: the one part that a preset's folder has."""
    return _read_config(folder, parse_model_config)


def read_config(folder: Path) -> Config:
    """The configuration that a checkpoint was made with."""
    return _read_config(folder, parse_config)


def _read_config(folder: Path, parse: Callable[[Any, str], T]) -> T:
    try:
        tree = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        return parse(tree, str(folder / CONFIG))
    except (OSError, yaml.YAMLError, ConfigError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{folder / CONFIG} is missing, damaged or of another version: {error}"
        ) from error


def load_weights(model: "CNNLG", folder: Path) -> None:
    """Fill a model with a checkpoint's weights."""
    try:
        model.load_weights(folder / WEIGHTS)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise CheckpointError(
            f"{folder / WEIGHTS} is missing, damaged or of another architecture: {reason}"
        ) from error


def save_checkpoint(
    folder: Path,
    model: "CNNLG",
    config_yaml: str,
    about: dict[str, Any],
    state: dict[str, Any] | None = None,
) -> Path:
    """Write a checkpoint folder whole or not at all."""
    import keras
    import numpy as np
    import tensorflow as tf

    from cnnlg_tf import __version__

    versions = {"cnnlg_tf": __version__, "tensorflow": tf.__version__, "keras": keras.__version__}
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        _bare(model).save_weights(temporary / WEIGHTS)
        (temporary / CONFIG).write_text(config_yaml, encoding="utf-8")
        if state is not None:
            np.savez(temporary / STATE, **state)
        text = json.dumps(
            {
                "format_version": FORMAT_VERSION,
                **about,
                "versions": versions,
                SUMS: file_sums(temporary),
            },
            indent=1,
        )
        (temporary / ABOUT).write_text(text, encoding="utf-8")
    return folder


def _bare(model: "CNNLG") -> "CNNLG":
    """A CNNLG with the model's weights and nothing else: Keras would save an optimiser and a discriminator too."""
    from cnnlg_tf.models.cnnlg import CNNLG

    if type(model) is CNNLG:
        return model
    bare = CNNLG(model.config)
    for variable, value in zip(bare.network_weights, model.network_weights, strict=True):
        variable.assign(value)
    return bare
