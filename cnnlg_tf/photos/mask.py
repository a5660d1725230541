"""What a mask says, the same for a file, an array, a request and a page: True = missing.

1. Bright is missing, dark is known. A pixel of a colour mask is as bright as its brightest channel.
2. Any mask of two values counts: the brighter one is missing. That covers 0/1, 0/255, 0/65535,
   bits, False/True, floats 0.0/1.0 and palettes of two colours.
3. A mask of one value is all missing, unless that value is 0.
4. A mask of more values is cut at half of its range: half and above is missing. The range is the
   smallest of 1, 255, 65535 and 2^32 - 1 that holds the mask's largest value.
5. Transparent parts are dark: strokes painted in white on a transparent layer are missing. An alpha
   that is opaque everywhere changes nothing.
"""

import logging

import numpy as np
from PIL import Image

from cnnlg_tf.errors import MaskError
from cnnlg_tf.photos.decode import decode_raster, raster_of_image
from cnnlg_tf.photos.depth import to_unit
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
    bright = values[..., : 3 if values.shape[-1] >= 3 else 1].max(axis=-1)
    if values.shape[-1] in (2, 4):
        bright = bright * _opacity(values[..., -1])
    levels = np.unique(bright)
    if len(levels) <= 2:
        brighter: np.ndarray = bright == max(levels) if len(levels) == 2 else bright > 0
        return brighter
    logger.warning("%s is not black and white: values of 50 %% and brighter count as missing", noun)
    half = next(full for full in _RANGES if levels[-1] <= full) / 2
    above: np.ndarray = bright >= half
    return above


def _opacity(alpha: np.ndarray) -> np.ndarray:
    unit = to_unit(alpha)
    return unit / max(1.0, float(unit.max()))


def check_mask_size(mask: np.ndarray, photo: np.ndarray) -> None:
    """Raise MaskError unless `mask` [height, width] is as large as `photo` [height, width, 3]."""
    height, width = photo.shape[:2]
    if mask.shape != (height, width):
        raise MaskError(
            f"mask must be [height, width] like the photo {(height, width)}. "
            f"Received: mask.shape={mask.shape}"
        )
