"""Presets: models with trained weights, by name. A preset is data: where it lies, its sum, its licence, its figures."""

import hashlib
import os
import shutil
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cnnlg_tf.errors import CheckpointError
from cnnlg_tf.files import atomic_path

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Preset:
    """One preset.

    Attributes:
        description: for whom it is.
        source: a checkpoint's folder below `weights/`, or the URL of a zip file with a checkpoint's files.
        sha256: of the folder's model.weights.h5, or of the zip file.
        licence: of the weights, in a line; a folder's is told in full by `<folder>.LICENSE` beside it.
        data: what the figures were measured on, and by which command.
        figures: kind of hole -> metric -> mean.
    """

    description: str
    source: str
    sha256: str
    licence: str
    data: str = ""
    figures: dict[str, dict[str, float]] = field(default_factory=dict)


PRESETS = {
    "photos": Preset(
        description="photos of any kind, from 16 px to 24 megapixels",
        source="photos",
        sha256="d90d1254d642e88b372a03252fda94b42b01f04a9a952088a118fb57e9afde0c",
        licence="research and evaluation; see photos.LICENSE",
        data="BSDS500 validation, 100 photos, 256 px: cnnlg-tf evaluate --photos PHOTOS -o out/report",
        figures={
            "thin": {"psnr": 34.87, "ssim": 0.9751, "lpips": 0.0147},
            "medium": {"psnr": 27.26, "ssim": 0.9033, "lpips": 0.0627},
            "wide": {"psnr": 21.93, "ssim": 0.7848, "lpips": 0.1567},
            "box": {"psnr": 25.39, "ssim": 0.8682, "lpips": 0.1035},
        },
    ),
}


def load_preset(name: str | Path) -> "CNNLG":
    """The model of a preset, or of a folder that `save_preset` wrote; any checkpoint's folder will do.

    Raises:
        CheckpointError: no such preset or folder, damaged, or not to be had from its URL.
    """
    from cnnlg_tf.checkpoint import load

    if str(name) in PRESETS:
        return load(preset_folder(str(name)))
    if not Path(name).is_dir():
        raise CheckpointError(
            f"a preset must be one of {', '.join(PRESETS)}, or a folder. Received: {str(name)!r}"
        )
    return load(name)


def save_preset(model: "CNNLG", folder: str | Path, *, licence: str = "not stated") -> Path:
    """Write the model's weights and architecture to a folder that `load_preset` loads: for people to share.

    Args:
        licence: of the weights; `cnnlg-tf info` tells it.
    """
    from cnnlg_tf.checkpoint import save_checkpoint

    # Not the whole configuration of a run: what trained the model is not known here.
    text = yaml.safe_dump({"model": model.config.model_dump(mode="json")}, sort_keys=False)
    about = {"phase": "preset", "phase_step": 0, "step": 0, **getattr(model, "about", {})}
    return save_checkpoint(Path(folder), model, text, about | {"licence": licence})


def preset_folder(name: str) -> Path:
    """The checkpoint folder of a preset; one with a URL is fetched once, and kept.

    Raises:
        CheckpointError: the zip file cannot be fetched, or is not the one whose sum is known.
    """
    preset = PRESETS[name]
    if "://" not in preset.source:
        return WEIGHTS / preset.source
    folder = _cache() / preset.sha256
    if not folder.is_dir():
        _fetch(name, preset, folder)
    return folder


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "cnnlg-tf" / "presets"


def _fetch(name: str, preset: Preset, folder: Path) -> None:
    try:
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            packed = temporary / "preset.zip"
            with (
                urllib.request.urlopen(preset.source, timeout=60) as answer,
                packed.open("wb") as file,
            ):
                shutil.copyfileobj(answer, file)
            with packed.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != preset.sha256:
                raise CheckpointError(
                    f"preset {name} from {preset.source} must have the sha256 {preset.sha256}. Received: {found}"
                )
            with zipfile.ZipFile(packed) as archive:
                for member in archive.infolist():
                    # Names only: a path in an archive may lead anywhere.
                    if not member.is_dir():
                        with archive.open(member) as inner:
                            with (temporary / Path(member.filename).name).open("wb") as file:
                                shutil.copyfileobj(inner, file)
            packed.unlink()
    except (OSError, urllib.error.URLError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"preset {name} must be a zip file at {preset.source}. Received: {error}"
        ) from error


def model_index(name: str) -> list[dict[str, Any]]:
    """The figures of a preset as the `model-index` of a model card's YAML head."""
    preset = PRESETS[name]
    return [
        {
            "name": f"cnnlg-tf {name}",
            "results": [
                {
                    "task": {"type": "image-to-image", "name": "image inpainting"},
                    "dataset": {
                        "name": f"{preset.data.split(':')[0]}, {kind} holes",
                        "type": "bsds500",
                    },
                    "metrics": [
                        {"type": metric, "value": value, "name": metric.upper()}
                        for metric, value in metrics.items()
                    ],
                }
                for kind, metrics in preset.figures.items()
            ],
        }
    ]


def card_head(name: str) -> str:
    """The YAML head of a preset's model card, its lines of `---` included."""
    head = {
        "library_name": "keras",
        "pipeline_tag": "image-to-image",
        "tags": ["inpainting", "image-restoration", "tensorflow"],
        "license": "other",
        "license_name": "research-and-evaluation",
        "license_link": f"../cnnlg_tf/weights/{PRESETS[name].source}.LICENSE",
        "model-index": model_index(name),
    }
    return f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n"


if (
    __name__ == "__main__"
):  # python -m cnnlg_tf.presets: the head to put on top of docs/model-card.md
    print(card_head("photos"), end="")
