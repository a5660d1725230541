"""Outpainting: how far a photo is extended on each side, and the canvas on which that happens."""

import re
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cnnlg_tf.errors import ConfigError
from cnnlg_tf.inference.windows import Box
from cnnlg_tf.photos import Photo
from cnnlg_tf.photos.metadata import resized

MOST = 4  # times the photo's height and width; beyond that nothing of the photo is left to continue
RING = 3  # a ring is 1 / RING of the present height or width thick: training has seen such borders
_WANTED = "an extension must read like left=20%,top=300 (left, top, right, bottom; % or px)"


class Extension(NamedTuple):
    """Pixels that a photo grows by on each side."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def inner(self, height: int, width: int) -> Box:
        """Where the photo lies on its canvas."""
        return Box(self.top, self.left, self.top + height, self.left + width)


def parse_extension(text: str, height: int, width: int) -> Extension:
    """Read "left=20%,top=300" for a photo of this size: % of its width or height, or pixels.

    Raises:
        ConfigError: it says something else.
    """
    sides: dict[str, int] = {}
    for part in text.replace(" ", "").split(","):
        found = re.fullmatch(r"(left|top|right|bottom)=(\d+(?:\.\d+)?)(%|px)?", part)
        if found is None or found[1] in sides:
            raise ConfigError(f"{_WANTED}. Received: {text!r}")
        whole = width if found[1] in ("left", "right") else height
        number = float(found[2])
        sides[found[1]] = round(number * whole / 100.0 if found[3] == "%" else number)
    return Extension(**sides)


def extension_to_aspect(text: str, height: int, width: int) -> Extension:
    """What makes a photo of this size "16:9", evenly on both sides.

    Raises:
        ConfigError: it is no aspect, or the photo's own.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)", text.replace(" ", ""))
    if found is None or not (float(found[1]) > 0.0 and float(found[2]) > 0.0):
        raise ConfigError(f"an aspect must read like 16:9, width to height. Received: {text!r}")
    across, down = float(found[1]), float(found[2])
    more_width = max(0, round(height * across / down) - width)
    more_height = max(0, round(width * down / across) - height)
    if more_width == more_height == 0:
        raise ConfigError(
            f"an aspect must be another than the photo's {width}:{height}. Received: {text!r}"
        )
    left, top = more_width // 2, more_height // 2
    return Extension(left, top, more_width - left, more_height - top)


def extended(photo: Photo, extension: Extension | str) -> tuple[Photo, np.ndarray, list[Box]]:
    """The photo on its canvas, what is missing there (bool), and the boxes in which it grows.

    Raises:
        ConfigError: the extension cannot be read, is 0 or too much.
    """
    height, width = photo.pixels.shape[:2]
    extension = as_extension(extension, height, width)
    return *on_canvas(photo, extension), rings(extension, height, width)


def as_extension(extension: Extension | str, height: int, width: int) -> Extension:
    """What a photo of this size grows by, as `extended` takes it.

    Raises:
        ConfigError: it cannot be read, is 0 or too much.
    """
    if isinstance(extension, str):
        read = extension_to_aspect if ":" in extension else parse_extension
        extension = read(extension, height, width)
    check_extension(extension, height, width)
    return extension


def check_extension(extension: Extension, height: int, width: int) -> None:
    """Raise ConfigError unless a photo of this size grows, and not beyond MOST times its size."""
    if min(extension) < 0 or not any(extension):
        raise ConfigError(
            f"a photo must be extended by 1 pixel or more on some side. Received: {extension}"
        )
    rows, columns = (
        height + extension.top + extension.bottom,
        width + extension.left + extension.right,
    )
    if rows > MOST * height or columns > MOST * width:
        raise ConfigError(
            f"a photo must be extended to at most {MOST} times its height and width, here "
            f"{MOST * height} x {MOST * width}. Received: {rows} x {columns}"
        )


def on_canvas(photo: Photo, extension: Extension) -> tuple[Photo, np.ndarray]:
    """The photo on its canvas, black beyond its borders and opaque there, and what is missing: bool."""
    sides = ((extension.top, extension.bottom), (extension.left, extension.right))
    pixels = np.pad(photo.pixels, (*sides, (0, 0)))
    height, width = pixels.shape[:2]
    missing = np.ones((height, width), bool)
    missing[extension.inner(*photo.pixels.shape[:2]).slices] = False
    alpha = photo.alpha
    if alpha is not None:
        opaque = 1 if alpha.dtype.kind == "f" else np.iinfo(alpha.dtype).max
        alpha = np.pad(alpha, sides, constant_values=opaque)
    metadata = resized(photo.metadata, height, width)
    return replace(photo, pixels=pixels, alpha=alpha, metadata=metadata), missing


def rings(extension: Extension, height: int, width: int) -> list[Box]:
    """Boxes of the canvas, each a ring larger than the one before; the last is the canvas."""
    box = extension.inner(height, width)
    whole = Box(0, 0, box.bottom + extension.bottom, box.right + extension.right)
    boxes = []
    while box != whole:
        rows = max(1, (box.bottom - box.top) // RING)
        columns = max(1, (box.right - box.left) // RING)
        box = box.grown(rows, columns).clipped(whole.bottom, whole.right)
        boxes.append(box)
    return boxes
