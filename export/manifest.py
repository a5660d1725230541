"""manifest.json: what an export folder holds, and the sums that prove it arrived whole."""

import hashlib
import json
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlg_tf import __version__
from cnnlg_tf.errors import ArtefactError
from cnnlg_tf.export.signatures import SIGNATURES

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

NAME = "manifest.json"
MANIFEST_VERSION = 1


def write_manifest(
    folder: Path,
    model: "CNNLG",
    *,
    format: str,
    precision: str,
    signatures: list[str],
    packages: tuple[str, ...],
    **details: Any,
) -> None:
    """Describe every file of `folder` and write manifest.json beside them, as the last file.

    Args:
        packages: distributions whose versions made the artefact.
        details: what is special to the format (`opset`, `parity`, `profile`, ...).
    """
    manifest = {
        "manifest_version": MANIFEST_VERSION,
        "format": format,
        "precision": precision,
        "signatures": {name: SIGNATURES[name].describe() for name in signatures},
        "minimum_size": [16, 16],
        **details,
        "model": getattr(model, "about", {}),
        "config": model.config.model_dump(mode="json"),
        "versions": {
            "cnnlg-tf": __version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("tensorflow", "keras", *packages)},
        },
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "files": {
            path.relative_to(folder).as_posix(): {
                "bytes": path.stat().st_size,
                "sha256": sha256(path),
            }
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != NAME
        },
    }
    (folder / NAME).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def verify(folder: str | Path, *, format: str | None = None) -> dict[str, Any]:
    """Read an export's manifest and check every file's size and sha256 against it.

    Args:
        format: the format that the caller can run; None takes any.

    Raises:
        ArtefactError: no manifest, another format, or a file is missing, truncated or altered.
    """
    folder = Path(folder)
    manifest = _read(folder)
    if format is not None and manifest["format"] != format:
        raise ArtefactError(
            f"{folder} must hold an export of format {format!r}. Received: {manifest['format']!r}"
        )
    for name, expected in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise ArtefactError(
                f"{folder} must hold {name}, as its manifest says. Received: no such file"
            )
        size = path.stat().st_size
        if size != expected["bytes"]:
            raise ArtefactError(
                f"{path} must have {expected['bytes']} bytes, as its manifest says. Received: {size} bytes; "
                "copy or export it again"
            )
        found = sha256(path)
        if found != expected["sha256"]:
            raise ArtefactError(
                f"{path} must have the sha256 {expected['sha256']}, as its manifest says. Received: {found}; "
                "it was altered after the export"
            )
    return manifest


def sha256(path: Path) -> str:
    """The file's sha256 as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(folder: Path) -> dict[str, Any]:
    path = folder / NAME
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["manifest_version"]
        complete = isinstance(manifest["files"], dict) and "format" in manifest
    except FileNotFoundError as error:
        raise ArtefactError(
            f"an export folder must hold {NAME}. Received: {folder} without one"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"{path} is damaged: {error!r}") from error
    if version != MANIFEST_VERSION or not complete:
        raise ArtefactError(
            f"{path} must have manifest version {MANIFEST_VERSION} with format and files. "
            f"Received: version {version}"
        )
    return manifest
