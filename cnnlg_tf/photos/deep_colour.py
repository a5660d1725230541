"""16-bit photos of PNG and TIFF files, which Pillow reads as 8 bits where they have colour."""

import struct
import zlib

import cv2
import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from cnnlg_tf.errors import ImageError

_ALPHA_ASSOCIATED = 2  # TIFF's ExtraSamples: alpha that the colours are not multiplied with


def is_deep(image: ImageFile) -> bool:
    """Whether an opened, not yet loaded, image's file holds 16-bit integers that `decode` reads."""
    if image.mode in ("I", "I;16", "I;16L", "I;16B"):
        return True
    if image.format not in ("PNG", "TIFF") or not image.tile:
        return False
    return ";16" in str(image.tile[0].args)  # the raw mode, like RGB;16B


def decode(data: bytes, image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """uint16 RGB [h, w, 3] and alpha [h, w] or None of a file that `is_deep`.

    Raises:
        ImageError: the values do not fit 16 bits, or the file has a layout that is not read.
    """
    if image.mode.startswith("I"):  # grey, which Pillow reads whole
        grey = np.asarray(image)
        if grey.min() < 0 or grey.max() > 65535:
            raise ImageError(
                "a grey photo must have values from 0 to 65535. "
                f"Received: {grey.min()} to {grey.max()}"
            )
        return np.repeat(grey[..., np.newaxis].astype(np.uint16), 3, axis=-1), None
    layers = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if layers is None or layers.dtype != np.uint16 or layers.ndim != 3:
        raise ImageError(f"this layout of a 16-bit {image.format} photo is not supported")
    rgb = np.ascontiguousarray(layers[..., 2::-1])
    return rgb, layers[..., 3].copy() if layers.shape[-1] == 4 else None


def encode_tiff(layers: np.ndarray, icc_profile: bytes | None, exif: bytes | None) -> bytes:
    """A TIFF file of uint16 [h, w, c]: grey (c = 1), RGB (3) or RGBA (4)."""
    height, width, channels = layers.shape
    strip = zlib.compress(layers.astype("<u2").tobytes(), 2)
    tags = ImageFileDirectory_v2()
    if exif:
        original = Image.Exif()
        original.load(exif)
        for tag, value in original.items():
            tags[tag] = original.get_ifd(tag) if tag in (0x8769, 0x8825) else value
    tags[256], tags[257] = width, height
    tags[258] = (16,) * channels
    tags[259] = 8  # deflate
    tags[262] = 2 if channels >= 3 else 1  # RGB, or grey with 0 = black
    tags[273], tags[279] = 0, len(strip)  # one strip; Pillow counts from the end of the tags
    tags[277], tags[278] = channels, height
    tags[284] = 1  # channels interleaved
    if channels == 4:
        tags[338] = _ALPHA_ASSOCIATED
    if icc_profile:
        tags[34675] = icc_profile
    return b"II" + struct.pack("<HI", 42, 8) + tags.tobytes(8) + strip
