"""A photo in, bytes out: the one encoder."""

import io
import logging
from typing import Any, Literal

import numpy as np
from PIL import Image

from cnnlg_tf.errors import ImageError
from cnnlg_tf.photos import deep_colour, png
from cnnlg_tf.photos.depth import to_depth
from cnnlg_tf.photos.photo import Photo

Format = Literal["PNG", "JPEG", "WEBP", "TIFF"]
_SAVE_OPTIONS: dict[Format, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True, "method": 2},
    "TIFF": {"compression": "tiff_adobe_deflate"},
}

logger = logging.getLogger("cnnlg_tf")


def encode_photo(
    photo: Photo, form: Format, *, quality: int | None = None, name: str = "the photo"
) -> bytes:
    """A file of `photo` in the format `form`.

    What the format cannot hold (16 bits in JPEG and WebP, transparency in JPEG) is left out, which
    is logged as a warning.

    Args:
        quality: 1 to 100 for a lossy file. None: JPEG 95; WebP lossless.
        name: what messages call the output.

    Raises:
        ImageError: the format cannot hold the photo.
    """
    pixels, alpha, icc_profile = photo.pixels, photo.alpha, photo.metadata.icc_profile
    if pixels.dtype == np.uint16 and form in ("JPEG", "WEBP"):
        logger.warning("%s holds 8 bits a channel: the 16-bit photo is rounded (PNG, TIFF)", name)
        pixels = to_depth(pixels, np.uint8)
        alpha = None if alpha is None else to_depth(alpha, np.uint8)
    if alpha is not None and form == "JPEG":
        logger.warning("%s is a JPEG file: the photo's transparency is left out", name)
        alpha = None
    if photo.grey and not (alpha is not None and pixels.dtype == np.uint16):
        pixels = np.rint(pixels.mean(axis=-1, keepdims=True)).astype(pixels.dtype)
        if form == "WEBP":  # it has no grey, and a grey profile on RGB is not valid
            icc_profile = None
    if alpha is not None:
        pixels = np.concatenate([pixels, alpha[..., np.newaxis]], axis=-1)
    if form == "PNG" and pixels.shape[-1] != 2:
        return png.encode(pixels, icc_profile, photo.metadata.exif)
    if pixels.dtype == np.uint16:
        return deep_colour.encode_tiff(pixels, icc_profile, photo.metadata.exif)
    buffer = io.BytesIO()
    extras = {"icc_profile": icc_profile, "exif": photo.metadata.exif}
    options = _SAVE_OPTIONS[form] | {key: value for key, value in extras.items() if value}
    if quality is not None and form in ("JPEG", "WEBP"):
        options |= {"quality": quality} | ({"lossless": False} if form == "WEBP" else {})
    try:
        Image.fromarray(np.squeeze(pixels, -1) if pixels.shape[-1] == 1 else pixels).save(
            buffer, form, **options
        )
    except (OSError, ValueError) as error:
        raise ImageError(f"output {name} cannot be encoded as {form}: {error}") from error
    return buffer.getvalue()
