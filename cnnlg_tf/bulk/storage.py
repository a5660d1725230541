"""Where photos lie and results go: paths of this machine, and URLs of whatever fsspec reaches."""

import os
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from cnnlg_tf.errors import CnnlgError, ConfigError
from cnnlg_tf.extras import require
from cnnlg_tf.files import atomic_path

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(://|::)")
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "memory"})
"""Protocols whose objects appear whole: one PUT; others get a temporary name first."""
_PATIENCE = (1.0, 4.0)  # seconds between tries of a URL
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotImplementedError)

T = TypeVar("T")


def is_url(place: str) -> bool:
    """Whether a place is a URL; `file:` and `local:` are, until `resolved` makes them paths."""
    return _URL.match(place) is not None


def resolved(place: str, base: str) -> str:
    """A place as every worker can find it: a URL, or an absolute path of this machine.

    Args:
        place: a URL or a path.
        base: the folder that a relative path is seen from: an absolute path or a URL.
    """
    if place.startswith(("file://", "local://")):
        return (
            unquote(urlsplit(place).path) if place.startswith("file") else place[len("local://") :]
        )
    if is_url(place):
        return place
    if is_url(base) and not place.startswith("/"):
        return f"{base.rstrip('/')}/{place}"
    return os.path.normpath(os.path.join(base, place))


def folder_of(place: str) -> str:
    """The folder that a file lies in."""
    return place.rsplit("/", 1)[0] if is_url(place) else os.path.dirname(place)


def opened(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL and the path in it.

    Raises:
        ConfigError: its protocol is unknown, or needs a package that is not installed.
    """
    try:
        system, path = require("fsspec.core", "bulk").url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"{url} cannot be opened: {' '.join(str(error).split())}") from error
    return system, path


def read_bytes(place: str, noun: str, error_type: type[CnnlgError]) -> bytes:
    """The bytes of a file; a URL is tried three times.

    Args:
        noun: what messages call it.
        error_type: what is raised where it cannot be read.
    """

    def read() -> bytes:
        if not is_url(place):
            return Path(place).read_bytes()
        system, path = opened(place)
        return bytes(system.cat_file(path))

    try:
        return _patiently(read) if is_url(place) else read()
    except FileNotFoundError as error:
        raise error_type(f"{noun} {place} does not exist") from error
    except CnnlgError:
        raise
    except Exception as error:  # each protocol has errors of its own
        raise error_type(f"{noun} {place} cannot be read: {_reason(error)}") from error


class Folder:
    """A folder here or behind a URL: what is written in it appears whole or not at all.

    Args:
        place: a URL, or a path.
    """

    def __init__(self, place: str) -> None:
        self.place = place.rstrip("/") if is_url(place) else place
        self.local = None if is_url(place) else Path(place)
        self.system, self.root = opened(place)
        self.root = self.root.rstrip("/")

    def path(self, name: str) -> str:
        """A name's path in the file system."""
        return f"{self.root}/{name}" if name else self.root

    def arrow(self) -> Any:
        """The same file system for pyarrow."""
        from pyarrow import fs

        if self.local is not None:
            return fs.LocalFileSystem()
        return fs.PyFileSystem(fs.FSSpecHandler(self.system))

    def names(self, inside: str, suffix: str) -> list[str]:
        """The sorted names of the files right in the folder `inside` that end in `suffix`."""
        if not self.system.exists(self.path(inside)):
            return []
        found = self.system.ls(self.path(inside), detail=False)
        return sorted(
            f"{inside}/{os.path.basename(each)}" for each in found if each.endswith(suffix)
        )

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none."""
        try:
            return bytes(self.system.cat_file(self.path(name)))
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> None:
        """Delete a file."""
        self.system.rm_file(self.path(name))

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all; a URL is tried three times.

        Raises:
            OSError: it cannot be written; other errors of the protocol.
        """
        if self.local is not None:
            with atomic_path(self.local / name) as temporary:
                temporary.write_bytes(data)
            return
        _patiently(lambda: self._put(self.path(name), data))

    def _put(self, path: str, data: bytes) -> None:
        protocols = self.system.protocol
        if _WHOLE & ({protocols} if isinstance(protocols, str) else set(protocols)):
            self.system.pipe_file(path, data)
            return
        parent, _, last = path.rpartition("/")
        self.system.makedirs(parent, exist_ok=True)
        temporary = f"{parent}/.new-{uuid.uuid4().hex}-{last}"
        try:
            self.system.pipe_file(temporary, data)
            self.system.mv(temporary, path)
        except Exception:
            if self.system.exists(temporary):
                self.system.rm_file(temporary)
            raise


def _patiently(attempt: Callable[[], T]) -> T:
    """Try up to three times what a network may refuse once."""
    for seconds in _PATIENCE:
        try:
            return attempt()
        except (CnnlgError, *_FINAL):
            raise
        except Exception:
            time.sleep(seconds)
    return attempt()


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
