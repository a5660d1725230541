"""Put a part of one checkpoint into a published model: the damage finder, which is trained by itself, or the merge."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cnnlg_tf.checkpoint import CONFIG, WEIGHTS, find_checkpoint, read_about
from cnnlg_tf.config_files import dump_config, parse_config
from cnnlg_tf.errors import CheckpointError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.integrity import ABOUT, SUMS, file_sums


class Part(NamedTuple):
    """A part of a model: where its weights lie in a file, and which sections of the model's configuration it brings."""

    weights: str
    sections: tuple[str, ...]

    def holds(self, name: str) -> bool:
        """Whether a group or weight of a file is of this part."""
        return name == self.weights or name.startswith(f"{self.weights}/")


FINDER = Part("damage_finder", ("damage_finder", "mask_refiner"))
MERGE = Part("layers/merge", ("merge",))


def transplant(
    model: str | Path, donor: str | Path, folder: str | Path, part: Part, shift: float = 0.0
) -> Path:
    """Write a checkpoint with all weights of `model` but those of a part, which are the donor's.

    Nothing is run: weights are copied from file to file, in `model`'s precision, so that the two may differ in all
    other parts, and in the architecture of this one.

    Args:
        model: a checkpoint, published or not; its training state stays behind.
        donor: a checkpoint or a run.
        folder: where to write; it may be `model`.
        part: FINDER, trained in phases of kind `damage`, or MERGE.
        shift: is taken off the finder's logits, so that 1/2 becomes the threshold chosen on photos kept from training.

    Raises:
        CheckpointError: one of them is no checkpoint, or the donor has no such part.
    """
    import h5py
    import numpy as np

    base, other, folder = find_checkpoint(model), find_checkpoint(donor), Path(folder)
    config = _joined(base, other, part.sections)
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        with (
            h5py.File(base / WEIGHTS) as kept,
            h5py.File(other / WEIGHTS) as source,
            h5py.File(temporary / WEIGHTS, "w") as target,
        ):
            if part.weights not in source:
                raise CheckpointError(
                    f"{other / WEIGHTS} must hold a {part.sections[0]}. Received: {sorted(source)}"
                )
            halved = any(
                isinstance(x, h5py.Dataset) and x.dtype == np.float16 for x in _items(kept).values()
            )
            for name, item in _items(kept).items():
                if not part.holds(name):
                    _copy(name, item, target, halved=False)
            for name, item in _items(source).items():
                if part.holds(name):
                    _copy(name, item, target, halved)
            if part == FINDER:
                bias = target[f"{part.weights}/head/vars/1"]
                bias[...] -= bias.dtype.type(shift)
        (temporary / CONFIG).write_text(config, encoding="utf-8")
        about = {**read_about(base), SUMS: file_sums(temporary)}
        (temporary / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    return folder


def _joined(base: Path, donor: Path, sections: tuple[str, ...]) -> str:
    """The configuration of `base` with these sections of the other's model."""
    try:
        trees = [yaml.safe_load((f / CONFIG).read_text(encoding="utf-8")) for f in (base, donor)]
        own, other = (tree["model"] for tree in trees)
        own |= {section: other[section] for section in sections}
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{base / CONFIG} and {donor / CONFIG} must each hold a model's configuration. Received: {error!r}"
        ) from error
    return dump_config(parse_config(trees[0], str(base / CONFIG)))


def _items(file: Any) -> dict[str, Any]:
    items: dict[str, Any] = {}
    file.visititems(items.__setitem__)
    return items


def _copy(name: str, item: Any, target: Any, halved: bool) -> None:
    import h5py
    import numpy as np

    if isinstance(item, h5py.Dataset):
        value = item[()]
        if halved and np.issubdtype(value.dtype, np.floating):
            value = value.astype(np.float16)
        target.create_dataset(name, data=value, compression="gzip" if value.ndim else None)
    else:
        target.require_group(name)
    target[name].attrs.update(item.attrs)
