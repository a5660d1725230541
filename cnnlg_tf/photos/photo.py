"""What a photo is once it is decoded: numbers, and what its file needs to be written again."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from cnnlg_tf.photos.depth import to_depth, to_unit


@dataclass(frozen=True)
class Metadata:
    """What a file says beside its pixels, without what a repair makes untrue (rotation, thumbnails).

    Attributes:
        icc_profile: the colour profile.
        exif: the EXIF block.
    """

    icc_profile: bytes | None = None
    exif: bytes | None = None


@dataclass(frozen=True)
class Photo:
    """A photo as numbers, upright, and what its file needs to be written again.

    Attributes:
        pixels: uint8, uint16 or float32 [height, width, 3], RGB; floats lie in [0, 1], NaN where
            nothing is known.
        alpha: the same type [height, width], or None.
        grey: the file had one channel; the output gets one as well.
        metadata: profile, EXIF and the like.
        notes: what of the file was not read, as sentences that name it.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    @cached_property
    def known(self) -> np.ndarray | None:
        """bool [height, width], False where alpha 0 hides the colours; None if none are hidden."""
        if self.alpha is None or self.alpha.all():
            return None
        known: np.ndarray = self.alpha > 0
        return known

    def with_pixels(self, pixels: np.ndarray) -> "Photo":
        """The same photo with other pixels of the same type [height, width, 3]."""
        return replace(self, pixels=pixels)

    def on_white(self) -> np.ndarray:
        """uint8 [height, width, 3], over white where transparent: what training and measures see."""
        pixels = to_depth(self.pixels, np.uint8)
        if self.alpha is None:
            return pixels
        alpha = to_unit(self.alpha)[..., np.newaxis]
        blended: np.ndarray = np.rint(pixels * alpha + 255.0 * (1.0 - alpha)).astype(np.uint8)
        return blended
