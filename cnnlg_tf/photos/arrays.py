"""What callers hand over in Python as a photo or mask: arrays, lists, PIL images, paths, bytes."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnnlg_tf.errors import CnnlgError, ImageError, MaskError
from cnnlg_tf.photos.decode import decode_photo, photo_of_image
from cnnlg_tf.photos.files import read_mask, read_photo, told
from cnnlg_tf.photos.mask import decode_mask, mask_of_image, missing
from cnnlg_tf.photos.photo import Photo

_WANTED_PHOTO = (
    "must be an array [height, width, 3] of uint8, uint16 or floats in [0, 1], lists of such "
    "numbers, a PIL image, a path or a file's bytes"
)
_WANTED_MASK = (
    "must be an array [height, width] (missing = True, 1 or white), lists of such numbers, a PIL "
    "image, a path or a file's bytes"
)


def as_photo(value: Any, name: str = "photo") -> Photo:
    """Take what a caller calls a photo.

    Args:
        value: a Photo; an array or lists [height, width], [height, width, c] with c = 1 (grey),
            2 (grey, alpha), 3 (RGB) or 4 (RGBA) of uint8, uint16, integers from 0 to 255, or
            floats in [0, 1] (NaN where nothing is known); a PIL image; a path; a file's bytes.
        name: what messages call it.

    Raises:
        ImageError: it is none of these.
    """
    if isinstance(value, Photo):
        return value
    if isinstance(value, str | Path):
        return read_photo(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return told(decode_photo(bytes(value), name))
    if isinstance(value, Image.Image):
        return told(photo_of_image(value, name))
    layers = _array(value, f"{name} {_WANTED_PHOTO}", ImageError)
    if layers.ndim == 2:
        layers = layers[..., np.newaxis]
    if layers.ndim != 3 or not 1 <= layers.shape[-1] <= 4 or not layers.size:
        raise ImageError(f"{name} {_WANTED_PHOTO}. Received: {name}.shape={layers.shape}")
    layers = _typed(layers, name)
    grey, has_alpha = layers.shape[-1] < 3, layers.shape[-1] in (2, 4)
    colours = layers[..., :1] if grey else layers[..., :3]
    return Photo(
        pixels=np.repeat(colours, 3, axis=-1) if grey else colours,
        alpha=layers[..., -1] if has_alpha else None,
        grey=grey,
    )


def as_mask(value: Any, name: str = "mask") -> np.ndarray:
    """Take what a caller calls a mask: bool [height, width], True = missing.

    The rule is that of mask files, in words in the module `mask`.

    Raises:
        MaskError: it is no array, lists, PIL image, path or file's bytes, or no mask.
    """
    if isinstance(value, str | Path):
        return read_mask(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return decode_mask(bytes(value), name)
    if isinstance(value, Image.Image):
        return mask_of_image(value, name)
    return missing(_array(value, f"{name} {_WANTED_MASK}", MaskError), name)


def _array(value: Any, wanted: str, error_type: type[CnnlgError]) -> np.ndarray:
    try:
        array = np.asarray(value)
    except Exception as error:  # ragged lists; whatever a foreign __array__ raises
        raise error_type(f"{wanted}. Received: {type(value).__name__}: {error}") from error
    if array.dtype.kind not in "buif":
        raise error_type(f"{wanted}. Received: {type(value).__name__} of {array.dtype}")
    return array


def _typed(layers: np.ndarray, name: str) -> np.ndarray:
    """uint8, uint16 or float32 of the same numbers."""
    if layers.dtype in (np.uint8, np.uint16):
        return layers
    if layers.dtype.kind == "f":
        return layers.astype(np.float32, copy=False)
    low, high = int(layers.min()), int(layers.max())
    if layers.dtype == bool or low < 0 or high > 255:
        raise ImageError(
            f"{name} must be uint8, uint16, float, or integers from 0 to 255. "
            f"Received: {layers.dtype}, {low} to {high}"
        )
    return layers.astype(np.uint8)
