"""Put the damage finder of one checkpoint into a published model: it is trained by itself, often later."""

import json
from pathlib import Path
from typing import Any

import yaml

from cnnlg_tf.checkpoint import CONFIG, WEIGHTS, find_checkpoint, read_about
from cnnlg_tf.config import dump_config, parse_config
from cnnlg_tf.errors import CheckpointError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.integrity import ABOUT, SUMS, file_sums

FINDER = "damage_finder"
PARTS = (FINDER, "mask_refiner")  # of the model's configuration, that come with the finder


def transplant_finder(
    model: str | Path, finder: str | Path, folder: str | Path, shift: float = 0.0
) -> Path:
    """Write a checkpoint with all weights of `model` but its finder's, which are those of `finder`.

    Nothing is run: weights are copied from file to file, in `model`'s precision, so that the two may differ in all
    other parts, and `model` may hold a finder of another architecture.

    Args:
        model: a checkpoint, published or not; its training state stays behind.
        finder: a checkpoint or a run with a phase of kind `damage`.
        folder: where to write; it may be `model`.
        shift: is taken off the finder's logits, so that 1/2 becomes the threshold chosen on photos kept from training.

    Raises:
        CheckpointError: one of them is no checkpoint, or has no finder.
    """
    import h5py
    import numpy as np

    base, other, folder = find_checkpoint(model), find_checkpoint(finder), Path(folder)
    config = _merged(base, other)
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        with (
            h5py.File(base / WEIGHTS) as kept,
            h5py.File(other / WEIGHTS) as source,
            h5py.File(temporary / WEIGHTS, "w") as target,
        ):
            if FINDER not in source:
                raise CheckpointError(
                    f"{other / WEIGHTS} must hold a {FINDER}. Received: {sorted(source)}"
                )
            halved = any(
                isinstance(x, h5py.Dataset) and x.dtype == np.float16 for x in _items(kept).values()
            )
            for name, item in _items(kept).items():
                if name.partition("/")[0] != FINDER:
                    _copy(name, item, target, halved=False)
            for name, item in _items(source).items():
                if name.partition("/")[0] == FINDER:
                    _copy(name, item, target, halved)
            target[f"{FINDER}/head/vars/1"][...] -= target[f"{FINDER}/head/vars/1"].dtype.type(
                shift
            )
        (temporary / CONFIG).write_text(config, encoding="utf-8")
        about = {**read_about(base), SUMS: file_sums(temporary)}
        (temporary / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    return folder


def _merged(base: Path, finder: Path) -> str:
    """The configuration of `base` with the finder's parts of the other's."""
    try:
        trees = [yaml.safe_load((f / CONFIG).read_text(encoding="utf-8")) for f in (base, finder)]
        own, other = (tree["model"] for tree in trees)
        own |= {part: other[part] for part in PARTS}
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{base / CONFIG} and {finder / CONFIG} must each hold a model's configuration. Received: {error!r}"
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
