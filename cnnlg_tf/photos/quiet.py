"""Keep third-party warnings about odd files from the user: what matters is told by this package."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside = 0
_saved: warnings.catch_warnings | None = None  # type: ignore[type-arg]


@contextmanager
def no_warnings() -> Iterator[None]:
    """Ignore warnings, in any number of threads at once.

    `warnings.catch_warnings` alone is not for threads: the one that leaves last would bring back
    the filters that it found, which may be another thread's "ignore".
    """
    global _inside, _saved
    with _lock:
        if not _inside:
            _saved = warnings.catch_warnings()
            _saved.__enter__()
            warnings.simplefilter("ignore")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _saved is not None:
                _saved.__exit__(None, None, None)
