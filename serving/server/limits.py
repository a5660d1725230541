"""What one request may cost: its deadline, its share of the processor, the size of its images."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cnnlg_tf.errors import ServingError

_IMAGE_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF")
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Limits:
    """Sizes above which a request is refused.

    `message_bytes` bounds a gRPC message and each tensor that one declares; `rest_body_bytes` a REST
    body, before and after it is unpacked; `image_pixels` bounds width x height x frames of each
    encoded image in a string tensor, and the pixels of an image tensor.
    """

    message_bytes: int = 2**31 - 1
    rest_body_bytes: int = 256 * 2**20
    image_pixels: int = 64 * 2**20


DEFAULT_LIMITS = Limits()


class Call:
    """The deadline and the cancellation of one request."""

    def __init__(self, timeout: float | None = None) -> None:
        """`timeout` in seconds from now, None for none."""
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._cancelled = threading.Event()
        self._callbacks: list[Callable[[], None]] = []

    def remaining(self) -> float | None:
        """Seconds left (0 when the deadline has passed), or None without a deadline."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def cancel(self) -> None:
        """The client left: nobody waits for the answer."""
        self._cancelled.set()
        for callback in list(self._callbacks):
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the client leaves (at once when it already has)."""
        self._callbacks.append(callback)
        if self._cancelled.is_set():
            callback()

    def problem(self) -> ServingError | None:
        """Why this request need not be worked on any more, or None."""
        if self._cancelled.is_set():
            return ServingError("the client cancelled the request", "CANCELLED")
        if self.remaining() == 0.0:
            return ServingError(
                "the request's deadline passed before its turn came", "DEADLINE_EXCEEDED"
            )
        return None

    def check(self) -> None:
        """Raise ServingError (CANCELLED, DEADLINE_EXCEEDED) when the request is over."""
        if problem := self.problem():
            raise problem


class ByteBudget:
    """How many bytes of requests may lie in memory at once, over all requests."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._lock = threading.Lock()

    @contextmanager
    def share(self) -> Iterator["ByteShare"]:
        """One request's part of the budget; given back at the end."""
        part = ByteShare(self)
        try:
            yield part
        finally:
            self.take(-part.held)

    def take(self, count: int) -> None:
        """Raises ServingError: UNAVAILABLE, others hold too much; trying again later helps."""
        with self._lock:
            if count > 0 and self._held + count > self._most:
                raise ServingError(
                    f"the requests in memory must have at most {self._most} bytes together. "
                    "Try again later",
                    "UNAVAILABLE",
                )
            self._held += count


class ByteShare:
    """What one request holds of a ByteBudget."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.held = 0

    def add(self, count: int) -> None:
        self._budget.take(count)
        self.held += count


class RunGate:
    """Lets a bounded number of requests run at once; a request whose time is up leaves the line."""

    def __init__(self, slots: int) -> None:
        self._slots = threading.Semaphore(slots)

    @contextmanager
    def enter(self, call: Call) -> Iterator[None]:
        call.check()
        while not self._slots.acquire(
            timeout=min(_POLL_SECONDS, call.remaining() or _POLL_SECONDS)
        ):
            call.check()
        try:
            yield
        finally:
            self._slots.release()


def check_images(values: np.ndarray, name: str, limits: Limits) -> None:
    """Refuse encoded images that would decode to too many pixels; only their headers are read.

    Args:
        values: a string tensor; elements that do not start like an image are let through.
        name: the input's name, for the message.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    for index, value in enumerate(values.ravel()):
        if not value.startswith(_IMAGE_MAGIC):
            continue
        pixels = _pixels(value)
        if pixels > limits.image_pixels:
            raise ServingError(
                f"images must have at most {limits.image_pixels} pixels. "
                f"Received: {pixels} in element {index} of input {name}",
                "INVALID_ARGUMENT",
            )


def _pixels(encoded: bytes) -> int:
    """width x height x frames as declared; 0 for an unreadable header (the model will say so)."""
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            return int(image.width * image.height * getattr(image, "n_frames", 1))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return 2**63
    except Exception:  # Pillow raises many types on damaged files
        return 0
