"""All photos that are open on the page: a private folder of sessions, and the token that guards them.

The folder lies among the system's temporary files and outlives the server, so that a page goes on after a restart. Only
its owner can read it.
"""

import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import threading
from pathlib import Path

from cnnlg_tf.errors import CnnlgError, ConfigError
from cnnlg_tf.ui.limits import MAX_DECODED_PIXELS, MAX_SESSIONS, RequestError
from cnnlg_tf.ui.sessions import Session

KEY = re.compile(r"[0-9a-f]{16}")


def default_state_folder() -> Path:
    """The folder of this user's sessions."""
    return (
        Path(tempfile.gettempdir())
        / f"cnnlg-tf-page-{os.getuid() if hasattr(os, 'getuid') else 'me'}"
    )


class Store:
    """The sessions in one folder.

    Args:
        folder: created if it is missing.

    Raises:
        ConfigError: the folder belongs to someone else, is a link, or others may look into it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _make_private(folder)
        self.token = self._keep_token()
        self._lock = threading.RLock()
        self._open: dict[str, Session] = {}  # the least recently used first
        for path in sorted((folder / "sessions").glob("*/session.json")):
            try:
                session = Session(path.parent)
            except (ValueError, TypeError, OSError):  # another version's, or a disk's fault
                continue
            self._open[session.record.id] = session

    def sessions(self) -> list[Session]:
        """Those that hold work, the latest first."""
        with self._lock:
            held = [session for session in self._open.values() if not session.is_untouched]
        return sorted(held, key=lambda session: -session.record.touched)

    def get(self, key: str) -> Session:
        """A session by its key; raises RequestError (404) if there is none."""
        with self._lock:
            session = self._open.pop(key, None)
            if session is None:
                raise RequestError(
                    "there is no such open photo: it was closed, or its folder removed", 404
                )
            self._open[key] = session
            self._forget_old_pixels(session)
            return session

    def of_source(self, source: Path) -> Session | None:
        """The session of a file on this machine as it is now, if there is one."""
        with self._lock:
            return self._open.get(_source_key(source))

    def open_bytes(self, name: str, data: bytes) -> Session:
        """A new session of an uploaded file."""
        return self._add(secrets.token_hex(8), name, data, None)

    def open_source(self, source: Path) -> Session:
        """The session of a file on this machine: the one that was open, if the file is unchanged."""
        with self._lock:
            known = self.of_source(source)
            if known is not None:
                return self.get(known.record.id)
        return self._add(_source_key(source), source.name, source.read_bytes(), source)

    def remove(self, key: str) -> None:
        """Close a photo and delete what was kept of it."""
        session = self.get(key)
        with self._lock, session.lock:
            self._open.pop(key, None)
            shutil.rmtree(session.folder, ignore_errors=True)

    def _add(self, key: str, name: str, data: bytes, source: Path | None) -> Session:
        with self._lock:
            for old in [s for s in self._open.values() if s.is_untouched]:
                if len(self._open) >= MAX_SESSIONS:
                    self.remove(old.record.id)
            if len(self._open) >= MAX_SESSIONS:
                raise RequestError(
                    f"at most {MAX_SESSIONS} photos can hold unfinished work: close some on the start screen",
                    429,
                )
        session = Session.create(self.folder / "sessions" / key, name, data, source)
        with self._lock:
            self._open[key] = session
            self._forget_old_pixels(session)
        return session

    def _forget_old_pixels(self, used: Session) -> None:
        held = sum(session.decoded_pixels for session in self._open.values())
        for session in self._open.values():
            if held <= MAX_DECODED_PIXELS:
                break
            if session is not used:
                held -= session.decoded_pixels
                session.forget_pixels()

    def _keep_token(self) -> str:
        """The token of an earlier start, so that an open page goes on after a restart, or a new one."""
        path = self.folder / "token"
        try:
            token = path.read_text(encoding="ascii")
            if re.fullmatch(r"[0-9a-f]{32}", token):
                return token
        except (OSError, ValueError):
            pass
        token = secrets.token_hex(16)
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token)
        return token


def _make_private(folder: Path) -> None:
    """Create the folder for its owner only, or make sure that it is so: /tmp is everyone's."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        mine = not hasattr(os, "getuid") or status.st_uid == os.getuid()
        if stat.S_ISLNK(status.st_mode) or not mine:
            raise ConfigError(f"the page's folder {folder} must be yours, and no link: set TMPDIR")
        folder.chmod(0o700)
        (folder / "sessions").mkdir(exist_ok=True)
    except OSError as error:
        raise CnnlgError(
            f"the page's folder {folder} cannot be made: {error.strerror or error}"
        ) from error


def _source_key(source: Path) -> str:
    """The same for the same file with the same content, as far as its time and size tell."""
    status = source.stat()
    text = f"{source.resolve()}\0{status.st_mtime_ns}\0{status.st_size}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
