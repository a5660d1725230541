"""How far a run is: photos a second, and the time left, from the tally that workers write to."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_LOOK = 0.5  # seconds between looks at the tally


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done: photos that are done, those of earlier runs included.
        total: photos of the manifest.
        failed: of those that this run did.
        speed: photos a second of this run; 0 before the first.
        left: seconds, at this speed; None before the first photo.
    """

    done: int
    total: int
    failed: int
    speed: float
    left: float | None

    def __str__(self) -> str:
        text = f"{self.done} of {self.total} photos"
        if self.left is not None:
            text += f", {self.speed:.3g} photos/s, {duration(self.left)} left"
        return text + (f", {self.failed} failed" if self.failed else "")


def duration(seconds: float) -> str:
    """Seconds as people say them: 41 s, 12 min, 3 h 20 min, 5 days 4 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} days {hours % 24} h"


@contextmanager
def watched(
    counts: Callable[[], tuple[int, int]],
    before: int,
    total: int,
    tell: Callable[[Progress], None] | None,
) -> Iterator[None]:
    """Call `tell` from a thread while the block runs.

    Args:
        counts: how many photos this run has done, and how many of them failed; whatever it raises is
            taken for "as before".
        before: photos that were done before.
    """
    if tell is None:
        yield
        return
    ended = threading.Event()

    def look() -> None:
        began: float | None = None
        first = 0
        while not ended.wait(_LOOK):
            try:
                done, failed = counts()
            except Exception:  # the tally is being restarted, or Ray ends
                continue
            now = time.perf_counter()
            done = min(done, total - before)  # what is done twice counts once
            if began is None and done:
                began, first = now, done  # after the networks are open
            speed = 0.0 if began is None or now == began else (done - first) / (now - began)
            left = (total - before - done) / speed if speed else None
            tell(Progress(before + done, total, failed, speed, left))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class Lines:
    """Tells in a line that stays where it is on a terminal, and in a line every half minute elsewhere."""

    def __init__(self, stream: Any = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._last = time.perf_counter() - 25.0
        self._width = 0

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        if self._terminal:
            text = str(progress)
            self._stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
        elif time.perf_counter() - self._last >= 30.0:
            self._last = time.perf_counter()
            self._stream.write(f"{progress}\n")
        self._stream.flush()

    def end(self) -> None:
        """Clear the line."""
        if self._terminal and self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
