"""A file's picture before it becomes a photo or a mask: the values as they stand, of any type."""

from dataclasses import dataclass, field

import numpy as np

from cnnlg_tf.photos.depth import blocks
from cnnlg_tf.photos.photo import JpegCoding, Metadata


@dataclass
class Raster:
    """What a reader found.

    Attributes:
        colours: [height, width, 1 or 3], grey or RGB, not yet upright. Integers of up to 8 bits
            stand as uint8, of up to 16 as uint16, their largest value as 255 or 65535; other types
            are the file's.
        alpha: [height, width] of the same type, or None.
        orientation: the rotation to undo, EXIF's 1 to 8.
        metadata: what is carried over.
        form: the file's format, in Pillow's words ("JPEG"), or "" if there is no file.
        bits: of a channel, in the file.
        jpeg: how a JPEG file was coded.
        notes: what of the file is not read; each completes a sentence: "photo a.tif ..."
    """

    colours: np.ndarray
    alpha: np.ndarray | None = None
    orientation: int = 1
    metadata: Metadata = field(default_factory=Metadata)
    form: str = ""
    bits: int = 8
    jpeg: JpegCoding | None = None
    notes: list[str] = field(default_factory=list)

    def upright(self) -> "Raster":
        """The same raster, rotated as its orientation asks."""
        self.colours = upright(self.colours, self.orientation)
        if self.alpha is not None:
            self.alpha = upright(self.alpha, self.orientation)
        if self.orientation >= 5:
            self.metadata = self.metadata.turned()
        self.orientation = 1
        return self


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Undo the camera's rotation, EXIF values 1 to 8, of [h, w] or [h, w, c]."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def divided(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours [h, w, c] that were multiplied with alpha [h, w], as they were before.

    To the nearest value, and at most white; where alpha is 0, black.
    """
    white = 1.0 if colours.dtype.kind == "f" else float(np.iinfo(colours.dtype).max)
    before = np.empty_like(colours)
    for rows in blocks(len(colours)):
        opacity = alpha[rows][..., np.newaxis].astype(np.float64)
        values = colours[rows] * white / np.where(opacity > 0, opacity, 1.0)
        values = np.where(opacity > 0, np.minimum(values, white), 0.0)
        before[rows] = values if colours.dtype.kind == "f" else np.rint(values)
    return before
