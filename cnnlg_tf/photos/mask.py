"""What a mask says, the same for a file, an array, a request and a page: True = missing.

1. Bright is missing, dark is known. A pixel in colour is as bright as its brightest channel; where
   that is the same all over, as the sum of its channels.
2. In a mask of two values, whatever they are, the brighter one is missing: 0 and 1, 0 and 255, 0 and
   65535, bits, False and True, 0.0 and 1.0, a palette of two colours.
3. A mask of one value is all missing, unless that value is 0.
4. A mask of more values is cut at half of its range: half and above is missing, which is told. The
   range is the smallest of 1, 255, 65535 and 2^32 - 1 that holds the mask's largest value.
5. Transparent parts are dark: strokes painted in white on a transparent layer are missing. If all
   that can be seen is black, its opacity is the mask, which is told. An alpha that is opaque
   everywhere changes nothing.
"""

import logging

import numpy as np
from PIL import Image

from cnnlg_tf.errors import MaskError
from cnnlg_tf.photos.decode import decode_raster, raster_of_image
from cnnlg_tf.photos.raster import Raster

_RANGES = (1, 255, 65535, 2**32 - 1)

logger = logging.getLogger("cnnlg_tf")


def decode_mask(data: bytes, name: str) -> np.ndarray:
    """Decode a mask's file by the rule above: bool [height, width], True = missing, upright.

    Raises:
        MaskError: the file cannot be read, for the reasons that decode_photo lists.
    """
    return _mask(decode_raster(data, f"mask {name}", MaskError), f"mask {name}")


def mask_of_image(image: Image.Image, name: str) -> np.ndarray:
    """The mask in a PIL image: bool [height, width], True = missing, upright."""
    return _mask(raster_of_image(image, f"mask {name}", MaskError), f"mask {name}")


def _mask(raster: Raster, noun: str) -> np.ndarray:
    if raster.notes:
        logger.warning("%s %s", noun, "; it ".join(raster.notes))
    layers = raster.colours
    if raster.alpha is not None:
        layers = np.concatenate([layers, raster.alpha[..., np.newaxis]], axis=-1)
    return missing(layers, noun)


def missing(values: np.ndarray, noun: str = "mask") -> np.ndarray:
    """Apply the rule to numbers: bool [height, width], True = missing.

    Args:
        values: [height, width] or [height, width, c] of any real type: c = 1 grey, 2 with alpha, 3
            RGB, 4 RGBA.

    Raises:
        MaskError: another shape or type, values below 0 or not finite.
    """
    if values.ndim == 2:
        values = values[..., np.newaxis]
    if values.ndim != 3 or not 1 <= values.shape[-1] <= 4 or values.dtype.kind not in "buif":
        raise MaskError(
            f"{noun} must be [height, width] of numbers, with 1 to 4 channels if any. "
            f"Received: shape {values.shape}, {values.dtype}"
        )
    if values.dtype == bool:
        values = values.astype(np.uint8)
    if values.size and not (np.isfinite(values).all() and values.min() >= 0):
        raise MaskError(
            f"{noun} must have finite values of 0 or more. "
            f"Received: {values.min()} to {values.max()}"
        )
    colours = values[..., : 3 if values.shape[-1] >= 3 else 1]
    bright = colours.max(axis=-1)
    if values.shape[-1] in (2, 4):
        opacity = _opacity(values[..., -1])
        if opacity.any() and not bright[opacity > 0].any() and not opacity.all():
            logger.warning("%s is black on a transparent layer: its opacity is the mask", noun)
            bright = opacity
        else:
            bright = bright * opacity
    elif bright.size and bright.min() == bright.max():
        bright = colours.sum(axis=-1, dtype=np.float64)
    return _cut(bright, noun)


def _cut(bright: np.ndarray, noun: str) -> np.ndarray:
    if not bright.size:
        raise MaskError(f"{noun} must have pixels. Received: shape {bright.shape}")
    low, high = bright.min(), bright.max()
    if low == high:
        alike: np.ndarray = bright > 0
        return alike
    brightest: np.ndarray = bright == high
    if np.all(brightest | (bright == low)):
        return brightest
    logger.warning("%s is not black and white: values of 50 %% and brighter count as missing", noun)
    half = next((full for full in _RANGES if high <= full), high) / 2
    above: np.ndarray = bright >= half
    return above


def _opacity(alpha: np.ndarray) -> np.ndarray:
    """float32 [height, width], 1 = opaque; an alpha of floats or of wide integers may have any range."""
    full = next((full for full in _RANGES if alpha.max() <= full), alpha.max())
    unit: np.ndarray = (alpha / np.float64(full)).astype(np.float32)
    return unit


def check_mask_size(mask: np.ndarray, photo: np.ndarray) -> None:
    """Raise MaskError unless `mask` [height, width] is as large as `photo` [height, width, 3]."""
    height, width = photo.shape[:2]
    if mask.shape != (height, width):
        raise MaskError(
            f"mask must be [height, width] like the photo {(height, width)}. "
            f"Received: mask.shape={mask.shape}"
        )
