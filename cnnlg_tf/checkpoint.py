"""Checkpoints: a folder with weights, the config that made them, and the training state.

model.weights.h5      weights to repair with (the averaged ones, where training keeps an average)
config.yaml           every key of the configuration
checkpoint.json       format version, phase, step, versions, sha256 of the other files
training_state.npz    optional: what training needs to go on
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cnnlg_tf.config import Config, ModelConfig, dump_config, parse_config
from cnnlg_tf.errors import CheckpointError, ConfigError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.integrity import ABOUT, SUMS, damage, file_sums

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMAT_VERSION = 1
WEIGHTS, CONFIG, STATE = "model.weights.h5", "config.yaml", "training_state.npz"
SHIPPED = Path(__file__).parent / "weights" / "photos"


def load(path: str | Path | None = None) -> "CNNLG":
    """Load a model from a checkpoint folder or a run's folder (its latest checkpoint); the shipped model when None.

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
    """The checkpoint folder at `path`: itself, or the latest in a run's folder."""
    path = Path(path)
    if (path / ABOUT).is_file():
        return path
    found = list_checkpoints(path)
    if not found:
        raise CheckpointError(
            f"a model must be a checkpoint folder with {ABOUT} and {WEIGHTS}, or a run's folder with checkpoints. "
            f"Received: {path} ({'no such file' if not path.exists() else 'none found there'})"
        )
    return found[-1]


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
    """The architecture that a checkpoint was made with."""
    return read_config(folder).model


def read_config(folder: Path) -> Config:
    """The configuration that a checkpoint was made with."""
    try:
        tree = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        return parse_config(tree, str(folder / CONFIG))
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


def publish(
    source: str | Path,
    folder: str | Path,
    copy_strength: float | None = None,
    average_with: str | Path | None = None,
    share: float = 0.5,
) -> Path:
    """Write a checkpoint to give away: weights as float16 without the training state, at half the size or less.

    Args:
        source: a checkpoint or a run.
        folder: where to write.
        copy_strength: `model.guided_copy.strength` of the published model; as in training when None. It has no weights,
            so it may be chosen on validation photos.
        average_with: another checkpoint of the same training, whose weights are averaged with those of `source`: what
            two stages of a run learnt differently often works better together (arXiv 2203.05482).
        share: of `average_with` in the average, 0 to 1.

    Raises:
        CheckpointError: `source` is no checkpoint or a run without one, or the two have different architectures.
        ConfigError: the strength is below 0, or the share outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"share must lie between 0 and 1. Received: {share}")
    if copy_strength is not None and copy_strength < 0:
        raise ConfigError(f"copy_strength must be 0 or more. Received: {copy_strength}")
    folder, checkpoint = Path(folder), find_checkpoint(source)
    model = load(checkpoint)
    if average_with is not None:
        _average(model, load(average_with), share)
    about = {**read_about(checkpoint), "weights": "float16"}
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        model.save_weights(temporary / "full.weights.h5")
        _halve(temporary / "full.weights.h5", temporary / WEIGHTS)
        (temporary / "full.weights.h5").unlink()
        config = _without_folders(read_config(checkpoint))
        if copy_strength is not None:
            copy = config.model.guided_copy.model_copy(update={"strength": copy_strength})
            changed = config.model.model_copy(update={"guided_copy": copy})
            config = config.model_copy(update={"model": changed})
        (temporary / CONFIG).write_text(dump_config(config), encoding="utf-8")
        about[SUMS] = file_sums(temporary)
        (temporary / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    return folder


def _average(model: "CNNLG", other: "CNNLG", share: float) -> None:
    """Set the model's weights to the average with the other's, whose share is given."""
    shapes, others = ([tuple(v.shape) for v in m.network_weights] for m in (model, other))
    if shapes != others:
        raise CheckpointError(
            "average_with must have the architecture of the published checkpoint. "
            f"Received: {len(others)} weights in other shapes than its {len(shapes)}"
        )
    for variable, value in zip(model.network_weights, other.network_weights, strict=True):
        variable.assign((1.0 - share) * variable + share * value)


def _without_folders(config: Config) -> Config:
    """The configuration with only the last name of each path: where files lay is nobody's business."""

    def last(path: Path | None) -> Path | None:
        return None if path is None else Path(path.name)

    data = config.data.model_copy(update={"root": last(config.data.root)})
    masks = config.masks.model_copy(update={"damage_root": last(config.masks.damage_root)})
    train = config.train.model_copy(
        update={
            "vgg_weights": last(config.train.vgg_weights),
            "initial_weights": last(config.train.initial_weights),
        }
    )
    return config.model_copy(update={"data": data, "masks": masks, "train": train})


def _bare(model: "CNNLG") -> "CNNLG":
    """A CNNLG with the model's weights and nothing else: Keras would save an optimiser and a discriminator too."""
    from cnnlg_tf.models.cnnlg import CNNLG

    if type(model) is CNNLG:
        return model
    bare = CNNLG(model.config)
    for variable, value in zip(bare.network_weights, model.network_weights, strict=True):
        variable.assign(value)
    return bare


def _halve(full: Path, half: Path) -> None:
    """Copy an HDF5 file of weights with its arrays as compressed float16."""
    import h5py
    import numpy as np

    with h5py.File(full) as source, h5py.File(half, "w") as target:

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                value = item[()]
                if np.issubdtype(value.dtype, np.floating):
                    value = value.astype(np.float16)
                target.create_dataset(name, data=value, compression="gzip" if value.ndim else None)
            else:
                target.require_group(name)
            target[name].attrs.update(item.attrs)

        source.visititems(copy)
