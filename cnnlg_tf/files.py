"""Files appear whole or not at all: write beside the target, then rename."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside the target; rename it to `path` on success, delete it on error.

    The path has the target's name, in a hidden folder of its own, because many writers choose the
    format by the name. Nothing stands there when the block starts: the block may create a file or
    a folder. An existing file at `path` is replaced; an existing folder is replaced by a folder.
    Missing parent folders are created.

    Raises:
        OSError: the folder cannot be made or written, or `path` cannot be replaced.
        FileNotFoundError: the block ended well but wrote nothing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        temporary = folder / path.name
        yield temporary
        if not temporary.exists():
            raise FileNotFoundError(f"nothing was written for {path}: expected {temporary.name}")
        _replace(temporary, path, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replace(source: Path, target: Path, spare: Path) -> None:
    """Rename `source` over `target`; an old folder first moves into `spare`: rename needs that."""
    if not (source.is_dir() and target.is_dir() and not target.is_symlink()):
        os.replace(source, target)
        return
    old = spare / f"{target.name}.old"
    os.replace(target, old)
    try:
        os.replace(source, target)
    except OSError:
        os.replace(old, target)
        raise
