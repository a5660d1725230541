"""manifest.json: what an export folder holds, and the sums that prove it arrived whole."""

import hashlib
import json
import math
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlg_tf import __version__
from cnnlg_tf.errors import ArtefactError
from cnnlg_tf.export.signatures import SIGNATURES, Range

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
        "ranges": {name: SIGNATURES[name].ranges() for name in signatures},
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
        try:
            _check_file(folder / name, name, expected)
        except (
            OSError,
            ValueError,
        ) as error:  # no name that a file could have, or it cannot be read
            raise ArtefactError(
                f"{folder} must hold {name!r}, as its manifest says. Received: {error}"
            ) from error
    return manifest


def _check_file(path: Path, name: str, expected: dict[str, Any]) -> None:
    if not path.is_file():
        raise ArtefactError(
            f"{path.parent} must hold {name}, as its manifest says. Received: no such file"
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


def sha256(path: Path) -> str:
    """The file's sha256 as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(folder: Path) -> dict[str, Any]:
    path = folder / NAME
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["manifest_version"]
    except FileNotFoundError as error:
        raise ArtefactError(
            f"an export folder must hold {NAME}. Received: {folder} without one"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtefactError(f"{path} is damaged: {error!r}") from error
    if version != MANIFEST_VERSION or not {"format", "files"} <= manifest.keys():
        raise ArtefactError(
            f"{path} must have manifest version {MANIFEST_VERSION} with format and files. "
            f"Received: version {version}"
        )
    if fault := _fault(manifest):
        raise ArtefactError(f"{path} is damaged: {fault}")
    return manifest


def _fault(manifest: dict[str, Any]) -> str | None:
    """What in the parts that are read by name is not as `write_manifest` writes it."""
    files, signatures = manifest["files"], manifest.get("signatures", {})
    ranges = manifest.get("ranges", {})
    if not (
        _is_table(files)
        and all(isinstance(sums.get("bytes"), int) and "sha256" in sums for sums in files.values())
    ):
        return "files must give each name its bytes and its sha256"
    if not (
        _is_table(signatures)
        and all(
            _is_table(described)
            and all(isinstance(text, str) for side in described.values() for text in side.values())
            for described in signatures.values()
        )
    ):
        return "signatures must give each name its inputs and outputs"
    try:
        for name, given in ranges.items():
            for argument, values in given.items():
                made = Range(**values)
                if not all(map(math.isfinite, made.limits)):
                    return f"ranges must be of numbers. Received: {values}"
                if not {argument, made.known_by or argument} <= signatures[name]["inputs"].keys():
                    return f"ranges must be of inputs. Received: {argument} of {name}"
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return f"ranges must give each signature those of its inputs. Received: {error!r}"
    return None


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(row, dict) for row in value.values())
