"""Stamps: pictures of damage with soft opacity, drawn or scanned, that are laid over photos."""

import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cnnlg_tf.errors import DataError, ImageError
from cnnlg_tf.photos import read_photo, to_depth

ENDINGS = {".png", ".webp", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp"}
SIDE = 512  # pixels; larger stamps are shrunk to this
FAINTEST = 64  # of 255; damage this faint is hardly visible


class Stamps:
    """The stamps of a folder, read when first drawn and kept as uint8.

    A stamp's opacity is its alpha channel where that varies, its brightness otherwise (white = damage).

    Args:
        root: the folder.
        below: stamps whose name ends in _NNN with NNN of this or more are left out: they are kept for measuring.
        least: stamps numbered below this are left out.

    Raises:
        DataError: the folder does not exist or holds no such image.
    """

    def __init__(self, root: str | Path, below: int | None = None, least: int = 0) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError(f"damage_root must be a folder of stamp images. Received: {self.root}")
        found = (p for p in self.root.rglob("*") if p.suffix.lower() in ENDINGS)
        self.paths = sorted(
            p for p in found if least <= _number(p) < (below if below is not None else math.inf)
        )
        if not self.paths:
            raise DataError(
                f"damage_root {self.root} holds no stamp image ({', '.join(sorted(e[1:] for e in ENDINGS))})"
                + ("" if below is None else f" numbered {least} to {below - 1}")
            )
        self._read: dict[Path, npt.NDArray[np.uint8] | None] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def get(self, index: int) -> npt.NDArray[np.uint8]:
        """Stamp `index`, its opacity as uint8 [height, width]; a useless one gives its successor.

        Raises:
            DataError: no stamp of the folder shows any damage.
        """
        for offset in range(len(self.paths)):
            path = self.paths[(index + offset) % len(self.paths)]
            if path not in self._read:
                self._read[path] = _opacity(path)
            stamp = self._read[path]
            if stamp is not None:
                return stamp
        raise DataError(
            f"damage_root {self.root}: none of its {len(self.paths)} images shows any damage"
        )


def _number(path: Path) -> int:
    digits = path.stem.rpartition("_")[2]
    return int(digits) if digits.isdigit() else 0


def _opacity(path: Path) -> npt.NDArray[np.uint8] | None:
    try:
        stamp = read_photo(path)
    except ImageError:
        return None
    if stamp.alpha is not None and stamp.alpha.min() < stamp.alpha.max():
        pixels = to_depth(stamp.alpha, np.uint8)
    else:
        pixels = cv2.cvtColor(to_depth(stamp.pixels, np.uint8), cv2.COLOR_RGB2GRAY)
    scale = SIDE / max(pixels.shape)
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(pixels) if pixels.max() > FAINTEST else None
