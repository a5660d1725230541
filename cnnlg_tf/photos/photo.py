"""What a photo is once it is decoded: numbers, and what its file needs to be written again."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnlg_tf.photos.depth import to_depth, to_unit


class Chunk(NamedTuple):
    """A chunk of a PNG file: its four letters and its content."""

    kind: bytes
    body: bytes


@dataclass(frozen=True)
class Metadata:
    """What a file says beside its pixels, without what a repair makes untrue (rotation, thumbnails).

    Attributes:
        icc_profile: the colour profile.
        exif: the EXIF block, from its II or MM on.
        xmp: the XMP packet.
        dpi: horizontal and vertical resolution, in pixels an inch.
        photoshop: Photoshop's resources, which hold IPTC texts.
        text: texts as PNG chunks (tEXt, zTXt, iTXt); comments of JPEG and GIF files are of them.
        colour: PNG's chunks that say what the numbers mean: gAMA, cHRM, sRGB, cICP, mDCV, cLLI.
    """

    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    photoshop: bytes | None = None
    text: tuple[Chunk, ...] = ()
    colour: tuple[Chunk, ...] = ()

    def without_profile(self) -> "Metadata":
        """The same metadata for pixels that are sRGB now."""
        return replace(self, icc_profile=None)

    def turned(self) -> "Metadata":
        """The same metadata for pixels whose rows have become columns."""
        return self if self.dpi is None else replace(self, dpi=self.dpi[::-1])


@dataclass(frozen=True)
class JpegCoding:
    """How a JPEG file was coded, for a repair to be coded alike.

    Attributes:
        tables: quantisation tables, each of 64 numbers, row by row.
        subsampling: "4:4:4", "4:2:2" or "4:2:0"; None for others.
        progressive: whether it is.
    """

    tables: tuple[tuple[int, ...], ...]
    subsampling: str | None
    progressive: bool

    def turned(self) -> "JpegCoding":
        """The coding for a photo whose rows have become columns."""
        tables = tuple(tuple(int(v) for v in np.reshape(t, (8, 8)).T.ravel()) for t in self.tables)
        return replace(
            self,
            tables=tables,
            subsampling="4:4:4" if self.subsampling == "4:2:2" else self.subsampling,
        )


@dataclass(frozen=True)
class Photo:
    """A photo as numbers, upright, and what its file needs to be written again.

    Attributes:
        pixels: uint8, uint16 or float32 [height, width, 3], RGB; floats lie in [0, 1], NaN where
            nothing is known.
        alpha: the same type [height, width], or None.
        grey: the file had one channel; the output gets one as well.
        metadata: profile, EXIF and the like.
        name: what messages call the photo.
        file: where it was read, if it was a file.
        form: its file's format, as in WRITABLE or another that Pillow names; "" for an array.
        bits: of a channel, in its file.
        jpeg: how it was coded, if it comes from a JPEG file.
        notes: what of its file was not read; each completes a sentence: "photo a.tif ..."
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    name: str = "photo"
    file: Path | None = None
    form: str = ""
    bits: int = 8
    jpeg: JpegCoding | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def known(self) -> np.ndarray | None:
        """bool [height, width], False where alpha 0 hides the colours; None if none are hidden."""
        if self.alpha is None or self.alpha.all():
            return None
        known: np.ndarray = self.alpha > 0
        return known

    @property
    def opaque(self) -> bool:
        """Whether nothing is transparent."""
        if self.alpha is None:
            return True
        white = 1 if self.alpha.dtype.kind == "f" else np.iinfo(self.alpha.dtype).max
        return bool((self.alpha == white).all())

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
