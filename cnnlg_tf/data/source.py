"""What training reads images from: indexed, cached, and without what cannot be read."""

import logging
import threading
from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cnnlg_tf.errors import DataError, ImageError

Pixels = npt.NDArray[np.uint8]

_log = logging.getLogger(__name__)


class ImageSource(Protocol):
    """A fixed number of images, uint8 RGB [height, width, 3], the same at each call."""

    def __len__(self) -> int: ...

    def get(self, index: int) -> Pixels: ...


class CachedSource(ABC):
    """Images decoded on demand and kept, as uint8, until `cache_megabytes` are used.

    Nothing is evicted: an epoch visits each image once, so any full cache serves as many hits.

    An unreadable image is named once in a warning and in `skipped`; its successor stands in for it.
    The length stays, and with it the order of training, whenever the damage is found.
    """

    def __init__(self, label: str, cache_megabytes: int) -> None:
        self.skipped: list[str] = []
        self._label = label
        self._cache: dict[int, Pixels] = {}
        self._room = cache_megabytes * 2**20
        self._unreadable: set[int] = set()
        self._lock = threading.Lock()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _name(self, index: int) -> str:
        """What to call image `index` in a message."""

    @abstractmethod
    def _decode(self, index: int) -> Pixels:
        """Image `index` as uint8 [height, width, 3]. Raises ImageError when it is unreadable."""

    def get(self, index: int) -> Pixels:
        """Image `index`, uint8 RGB [height, width, 3], not to be written to.

        Raises:
            DataError: no image of the source can be read.
        """
        for offset in range(len(self)):
            at = (index + offset) % len(self)
            cached = self._cache.get(at)
            if cached is not None:
                return cached
            if at in self._unreadable:
                continue
            try:
                pixels = self._decode(at)
            except ImageError as error:
                self._skip(at, error)
                continue
            self._keep(at, pixels)
            return pixels
        raise DataError(f"{self._label}: none of its {len(self)} images can be read")

    def _keep(self, index: int, pixels: Pixels) -> None:
        pixels.flags.writeable = False
        with self._lock:
            if index not in self._cache and pixels.nbytes <= self._room:
                self._cache[index] = pixels
                self._room -= pixels.nbytes

    def _skip(self, index: int, error: ImageError) -> None:
        with self._lock:
            if index in self._unreadable:
                return
            self._unreadable.add(index)
            self.skipped.append(self._name(index))
            count = len(self.skipped)
        _log.warning("skipped (%d so far): %s", count, error)
