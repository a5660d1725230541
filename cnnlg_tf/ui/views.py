"""What the page shows of a photo: cut, shrunk, 8 bits a channel, in a format that every browser knows.

Views carry the photo's colour profile, so that the browser shows its colours right.
"""

import io

import cv2
import numpy as np
from PIL import Image

from cnnlg_tf.inference.windows import Box
from cnnlg_tf.photos import Photo, to_depth

JPEG_QUALITY = 92
THUMBNAIL_SIDE = 192
SMALL = 2_500_000  # pixels; views that are not shrunk and no larger are lossless


def view(photo: Photo, pixels: np.ndarray, box: Box, side: int) -> tuple[bytes, str]:
    """A part of a photo as a picture file.

    Args:
        photo: for its transparency and colour profile.
        pixels: [height, width, 3] of the photo's size.
        box: the part.
        side: pixels; the view is shrunk to it where the box is longer, and never enlarged.

    Returns:
        The file's bytes and its media type: PNG where the part is shown as it is or has
        transparency, JPEG otherwise.
    """
    layers = _shrunk(pixels[box.slices], side)
    shrunk = layers.shape[:2] != (box.bottom - box.top, box.right - box.left)
    picture = _visible(layers)
    if photo.alpha is not None:
        alpha = _visible(_shrunk(photo.alpha[box.slices], side))
        picture = np.dstack([picture, alpha])
    lossless = photo.alpha is not None or not (shrunk or picture.size > 3 * SMALL)
    return _encode(picture, _profile_of(photo), lossless)


def thumbnail(photo: Photo) -> bytes:
    """A small JPEG of the whole photo; transparent parts are white."""
    return _encode(_shrunk(photo.on_white(), THUMBNAIL_SIDE), _profile_of(photo), False)[0]


def heat(uncertainty: np.ndarray, box: Box, side: int) -> bytes:
    """An RGBA PNG that colours unsure pixels: yellow a little, red much, clear where known.

    Args:
        uncertainty: uint8 [height, width], 255 = a standard deviation of half the range.
    """
    level = _shrunk(uncertainty[box.slices], side).astype(np.float32) / 255
    strength = np.sqrt(level)
    layers = np.stack([np.ones_like(level), 0.85 * (1 - strength), np.zeros_like(level)], axis=-1)
    alpha = np.clip(strength, 0, 0.75)
    picture = np.rint(255 * np.dstack([layers, alpha])).astype(np.uint8)
    return _encode(picture, None, True)[0]


def _shrunk(layers: np.ndarray, side: int) -> np.ndarray:
    """[h, w, ...] with sides of at most `side`."""
    height, width = layers.shape[:2]
    factor = side / max(height, width)
    if factor >= 1.0:
        return layers
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small: np.ndarray = cv2.resize(layers, size, interpolation=cv2.INTER_AREA)
    return small


def _visible(layers: np.ndarray) -> np.ndarray:
    """uint8; what is not known (NaN) is black."""
    if layers.dtype.kind == "f":
        layers = np.nan_to_num(layers)
    return to_depth(layers, np.uint8)


def _encode(picture: np.ndarray, icc_profile: bytes | None, lossless: bool) -> tuple[bytes, str]:
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture))
    if lossless:
        image.save(buffer, "PNG", compress_level=1, icc_profile=icc_profile)
    else:
        image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0, icc_profile=icc_profile)
    return buffer.getvalue(), "image/png" if lossless else "image/jpeg"


def _profile_of(photo: Photo) -> bytes | None:
    """The photo's colour profile, if it is one of RGB: views are never grey."""
    profile = photo.metadata.icc_profile
    return profile if profile is not None and profile[16:20] == b"RGB " else None
