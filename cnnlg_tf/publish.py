"""Publishing: a checkpoint to give away, with half the weights' size and nobody's folder names."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlg_tf.checkpoint import CONFIG, WEIGHTS, find_checkpoint, load, read_about, read_config
from cnnlg_tf.config import Config
from cnnlg_tf.config_files import dump_config
from cnnlg_tf.errors import CheckpointError, ConfigError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.integrity import ABOUT, SUMS, file_sums

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG


def publish(
    source: str | Path,
    folder: str | Path,
    average_with: str | Path | None = None,
    share: float = 0.5,
) -> Path:
    """Write a checkpoint to give away: weights as float16 without the training state, at half the size or less.

    Args:
        source: a checkpoint or a run.
        folder: where to write.
        average_with: another checkpoint of the same training, whose weights are averaged with those of `source`: what
            two stages of a run learnt differently often works better together (arXiv 2203.05482).
        share: of `average_with` in the average, 0 to 1.

    Raises:
        CheckpointError: `source` is no checkpoint or a run without one, or the two have different architectures.
        ConfigError: the share lies outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"share must lie between 0 and 1. Received: {share}")
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
