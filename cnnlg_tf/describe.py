"""What a model is, in words and numbers: what `cnnlg-tf info` prints."""

import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from cnnlg_tf import __version__
from cnnlg_tf.errors import ArtefactError
from cnnlg_tf.presets import PRESETS
from cnnlg_tf.startup import start_tensorflow

MANIFEST = "manifest.json"


def describe(path: str | Path | None = None) -> str:
    """Describe a checkpoint folder, a run's folder, an export folder, or the shipped model (None).

    Raises:
        CheckpointError: the checkpoint is missing, damaged or of another version.
        ArtefactError: the export's manifest cannot be read.
    """
    if path is not None and (Path(path) / MANIFEST).is_file():
        sections = _export(Path(path))
    else:
        sections = _checkpoint(path)
    return yaml.safe_dump(sections | {"versions": _versions()}, sort_keys=False, width=100).rstrip()


def _checkpoint(path: str | Path | None) -> dict[str, Any]:
    start_tensorflow()
    from cnnlg_tf.checkpoint import SHIPPED, find_checkpoint, load, read_about

    folder = SHIPPED if path is None else find_checkpoint(path)
    about = read_about(folder)
    about.setdefault("licence", PRESETS["photos"].licence if folder == SHIPPED else "not stated")
    model = load(path)
    return {
        "model": "shipped model" if path is None else str(folder),
        "architecture": "CNNLG: prior, latent guide, gradient guide, guided synthesis, damage finder",
        "input": "image in [0, 1], mask with 1 = missing; any size from 16 x 16",
        "parameters": _parameters(model),
        "files": {f.name: f"{f.stat().st_size / 1e6:.2f} MB" for f in sorted(folder.iterdir())},
        "checkpoint": about,
        "config": model.config.model_dump(mode="json"),
    }


def _export(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtefactError(
            f"{folder / MANIFEST} must be a JSON file. Received: {error}"
        ) from error
    return {"export": str(folder), "manifest": manifest}


def _parameters(model: Any) -> dict[str, int]:
    decoder = model.prior.decoder
    guides = {
        "latent guide": model.latent_guide,
        "gradient guide": model.gradient_guide,
        "merge": model.merge,
        "damage finder": model.damage_finder,
        "mask refiner": model.mask_refiner,
    }
    parts = {
        "prior, encoder (training only)": model.prior.encoder.count_params(),
        "prior, decoder": decoder.count_params(),
        **{name: part.count_params() if part is not None else 0 for name, part in guides.items()},
    }
    return {"total": sum(parts.values()), **parts}


def _versions() -> dict[str, str]:
    return {
        "cnnlg-tf": __version__,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("tensorflow", "keras", "numpy")},
    }
