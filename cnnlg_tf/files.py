"""Files appear whole or not at all, and stay after a power cut: write beside the target, flush, then rename."""

import errno
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
    Missing parent folders are created. What was written reaches the disk before it gets its name,
    and the name reaches it before the block's end.

    Raises:
        OSError: the folder cannot be made or written, or `path` cannot be replaced.
        FileNotFoundError: the block ended well but wrote nothing.
    """
    path = Path(path)
    touched = _make_parents(path)
    # Not called after the target, whose name may be as long as names can be.
    folder = Path(tempfile.mkdtemp(prefix=".new-", dir=path.parent))
    try:
        temporary = folder / path.name
        yield temporary
        if not temporary.exists():
            raise FileNotFoundError(f"nothing was written for {path}: expected {temporary.name}")
        _flush(temporary)
        _replace(temporary, path, folder)
        for parent in touched:
            _flush_folder(parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_parents(path: Path) -> list[Path]:
    """Create the folders above `path`; those in which a name is new once `path` is there, innermost first."""
    touched = [path.parent]
    while not touched[-1].exists():
        touched.append(touched[-1].parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    return touched


def _replace(source: Path, target: Path, spare: Path) -> None:
    """Rename `source` over `target`; an old folder first moves into `spare`: rename needs that."""
    if not (source.is_dir() and target.is_dir() and not target.is_symlink()):
        os.replace(source, target)
        return
    old = Path(tempfile.mkdtemp(dir=spare)) / target.name
    os.replace(target, old)
    try:
        os.replace(source, target)
    except OSError:
        os.replace(old, target)
        raise


def _flush(path: Path) -> None:
    """Have the disk write a file, or a folder with all that is in it."""
    if path.is_symlink():
        return
    if not path.is_dir():
        _flush_file(path)
        return
    for folder, _, names in os.walk(path, topdown=False):
        for name in names:
            file = Path(folder, name)
            if file.is_file() and not file.is_symlink():
                _flush_file(file)
        _flush_folder(Path(folder))


def _flush_file(path: Path) -> None:
    _sync(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)  # Windows flushes what it may write


def _flush_folder(path: Path) -> None:
    if os.name == "nt":  # it opens no folders, and keeps names by itself
        return
    try:
        _sync(path, os.O_RDONLY)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks cannot
            raise


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
