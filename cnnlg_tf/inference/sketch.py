"""Sketches as callers give them: strokes on a transparent layer as large as the photo."""

from typing import Any, NamedTuple

import cv2
import numpy as np

from cnnlg_tf.errors import ImageError
from cnnlg_tf.photos import as_photo, to_unit

OPAQUE = 0.5  # an alpha from here on is a stroke


class Strokes(NamedTuple):
    """colours: float32 [h, w, 3] in [0, 1], 0 where nothing is drawn; drawn: bool [h, w]."""

    colours: np.ndarray
    drawn: np.ndarray

    def within(self, slices: tuple[slice, slice]) -> "Strokes":
        """What lies in a window."""
        return Strokes(self.colours[slices], self.drawn[slices])

    def padded(self, rows: int, columns: int) -> "Strokes":
        """With so many further rows and columns without strokes."""
        sides = ((0, rows), (0, columns))
        return Strokes(np.pad(self.colours, (*sides, (0, 0))), np.pad(self.drawn, sides))

    def shrunk(self, factor: int) -> "Strokes":
        """At 1 / factor of the resolution, sides multiples of it; no line is lost."""
        if factor == 1:
            return self
        size = (self.drawn.shape[1] // factor, self.drawn.shape[0] // factor)
        share = cv2.resize(self.drawn.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        total = cv2.resize(self.colours, size, interpolation=cv2.INTER_AREA)
        mean = total / np.maximum(share, 1e-6)[..., np.newaxis]
        drawn = np.asarray(share > 1e-6)
        return Strokes(np.where(drawn[..., np.newaxis], np.clip(mean, 0.0, 1.0), 0.0), drawn)


def as_sketch(value: Any, height: int, width: int) -> Strokes:
    """Take what a caller calls a sketch: anything that `as_photo` takes, with an alpha.

    Raises:
        ImageError: it cannot be read, is not [height, width], or nothing or all of it is drawn.
    """
    photo = as_photo(value, "sketch")
    if photo.pixels.shape[:2] != (height, width):
        raise ImageError(
            f"sketch must be [height, width] like what is painted {(height, width)}. "
            f"Received: sketch.shape={photo.pixels.shape[:2]}"
        )
    drawn = (
        np.zeros((height, width), bool) if photo.alpha is None else to_unit(photo.alpha) >= OPAQUE
    )
    if drawn.all() or not drawn.any():
        what = "no transparent layer" if photo.alpha is None else "one that is alike all over"
        raise ImageError(
            f"sketch must have strokes on a transparent layer, as PNG and WebP files hold them. "
            f"Received: {what}"
        )
    colours = np.where(drawn[..., np.newaxis], to_unit(photo.pixels), 0.0).astype(np.float32)
    return Strokes(np.clip(np.nan_to_num(colours), 0.0, 1.0), np.asarray(drawn))
