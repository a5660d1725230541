"""What is repaired: square crops of photos, each with one seeded mask of each kind."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from cnnlg_tf.config import MaskKind
from cnnlg_tf.data.masks import draw_mask
from cnnlg_tf.data.photos import list_photos
from cnnlg_tf.errors import DataError, ImageError
from cnnlg_tf.photos import decode_photo

Fit = Literal["crop", "resize"]

MASK_KINDS: tuple[MaskKind, ...] = ("thin", "medium", "wide", "box")
"""The kinds that are measured by default."""


@dataclass(frozen=True)
class Case:
    """One photo with one hole.

    Attributes:
        photo: the photo's path below its root.
        kind: the kind of mask.
        image: [size, size, 3] uint8, the whole photo.
        mask: [size, size] bool, True = missing.
    """

    photo: str
    kind: str
    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.bool_]

    @cached_property
    def damaged(self) -> npt.NDArray[np.uint8]:
        """The image with its hole black: what a method is given, so that nothing leaks."""
        return np.where(self.mask[..., None], np.uint8(0), self.image)

    @property
    def hole_ratio(self) -> float:
        """The missing share of the pixels."""
        return float(self.mask.mean())

    @cached_property
    def texture(self) -> float:
        """How busy the photo is: the mean absolute difference of neighbouring pixels' grey values, 0 to 255."""
        grey = cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return float(np.mean([np.abs(np.diff(grey, axis=axis)).mean() for axis in (0, 1)]))


@dataclass(frozen=True)
class CaseSet:
    """All cases of a folder.

    A mask depends on the seed, the kind, the size and the photo's own bytes, and on nothing else:
    a subset of the photos, or of the kinds, gets the same masks as the whole.

    Args:
        root: a folder of photos, read in the order of their names.
        kinds: kinds of masks, one case a photo for each.
        size: side of the square in pixels.
        limit: how many photos to take at most.
        seed: seed of the masks.
        fit: `crop` takes the centre as it is; `resize` first scales the short side to `size`.
        only: glob patterns of file names; where there are any, other photos are left out.

    Raises:
        DataError: the folder holds no photo.
    """

    root: Path
    kinds: Sequence[MaskKind]
    size: int
    limit: int | None = None
    seed: int = 0
    fit: Fit = "crop"
    only: Sequence[str] = ()

    def __iter__(self) -> Iterator[Case]:
        for path in self.paths:
            encoded = path.read_bytes()
            name = path.relative_to(self.root).as_posix()
            image = _square(decode_photo(encoded, str(path)).on_white(), self.size, self.fit)
            photo_hash = hashlib.sha256(encoded).hexdigest()
            for kind in self.kinds:
                key = f"{self.seed}/{kind}/{self.size}/{photo_hash}"
                state = int.from_bytes(hashlib.sha256(key.encode()).digest(), "big")
                mask = draw_mask(kind, self.size, self.size, np.random.default_rng(state))
                yield Case(name, kind, image, mask.astype(bool))

    def __len__(self) -> int:
        return len(self.paths) * len(self.kinds)

    @property
    def paths(self) -> list[Path]:
        """The photos that are used."""
        return self._sorted[0]

    @property
    def skipped(self) -> dict[str, str]:
        """For each photo that cannot be used, the reason."""
        return self._sorted[1]

    @cached_property
    def _sorted(self) -> tuple[list[Path], dict[str, str]]:
        usable: list[Path] = []
        skipped: dict[str, str] = {}
        for path in list_photos(self.root):
            if self.only and not any(fnmatch(path.name, pattern) for pattern in self.only):
                continue
            if self.limit is not None and len(usable) == self.limit:
                break
            try:
                height, width = decode_photo(path.read_bytes(), str(path)).pixels.shape[:2]
            except (ImageError, OSError) as error:
                skipped[path.relative_to(self.root).as_posix()] = str(error)
                continue
            if self.fit == "crop" and min(height, width) < self.size:
                skipped[path.relative_to(self.root).as_posix()] = (
                    f"{width}x{height} px, smaller than the crop of {self.size} px"
                )
                continue
            usable.append(path)
        if not usable:
            raise DataError(
                f"photos {self.root} must hold a photo of at least {self.size}x{self.size} px. "
                f"Received: {len(skipped)} photos, all smaller or unreadable"
            )
        return usable, skipped


def _square(image: npt.NDArray[np.uint8], size: int, fit: Fit) -> npt.NDArray[np.uint8]:
    height, width = image.shape[:2]
    if fit == "resize":
        scale = size / min(height, width)
        height, width = max(size, round(height * scale)), max(size, round(width * scale))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        image = np.asarray(cv2.resize(image, (width, height), interpolation=how), dtype=np.uint8)
    top, left = (height - size) // 2, (width - size) // 2
    return np.ascontiguousarray(image[top : top + size, left : left + size])
