"""Whether the files of a checkpoint are those that were written, by the sums that it keeps."""

import hashlib
import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import yaml

ABOUT = "checkpoint.json"
SUMS = "sha256"


def file_sums(folder: Path) -> dict[str, str]:
    """Name -> sha256 of the files in a folder, but for checkpoint.json, which keeps them."""
    return {p.name: _sum(p) for p in sorted(folder.iterdir()) if p.is_file() and p.name != ABOUT}


def damage(folder: Path, names: tuple[str, ...]) -> str | None:
    """What is wrong with a checkpoint folder, or None.

    Checkpoints of before the sums are only looked through: a file cut short is found, a flipped bit
    in the weights is not.

    Args:
        names: files that must be there; those that have a sum must be there anyway.
    """
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        sums: dict[str, Any] = dict(about.get(SUMS, {}))
    except OSError as error:
        return f"{ABOUT} cannot be read: {error.strerror}"
    except (ValueError, AttributeError, TypeError) as error:
        return f"{ABOUT} is damaged: {error}"
    for name in sorted({*names, *sums}):
        if not (folder / name).is_file():
            return f"{name} is missing"
    try:
        for name in sorted({*names, *sums}):
            fault = _altered(folder / name, sums[name]) if name in sums else _broken(folder / name)
            if fault is not None:
                return fault
    except OSError as error:
        return f"a file cannot be read: {error}"
    return None


def _altered(path: Path, expected: Any) -> str | None:
    found = _sum(path)
    if found == expected:
        return None
    return f"{path.name} must have the sha256 {expected}. Received: {found}; it is not as written"


def _broken(path: Path) -> str | None:
    """What reading the file through says, or None."""
    try:
        if path.suffix == ".npz":
            with ZipFile(path) as archive:
                name = archive.testzip()
            return None if name is None else f"{path.name} is damaged at {name}"
        if path.suffix == ".h5":
            import h5py

            with h5py.File(path) as file:
                file.visititems(lambda _, item: item[()] if hasattr(item, "shape") else None)
        elif path.suffix == ".yaml" and not isinstance(yaml.safe_load(path.read_bytes()), dict):
            return f"{path.name} is damaged: it holds no keys"
    except (OSError, ValueError, KeyError, RuntimeError, BadZipFile, yaml.YAMLError) as error:
        return f"{path.name} is damaged: {error}"
    return None


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
