"""Masks as PNG files of one bit a pixel: a mask of 50 megapixels is 6 MB before compression and some 10 kB after it."""

import numpy as np

from cnnlg_tf.ui.limits import MAX_PIXELS
from cnnlg_tf.ui.png import GREY, Plain, read_plain, write_plain


def encode_bits(mask: np.ndarray) -> bytes:
    """A PNG file of a bool mask [height, width]; True = missing = white."""
    height, width = mask.shape
    return write_plain(Plain(width, height, np.packbits(mask, axis=1)), 1, GREY)


def decode_bits(data: bytes) -> np.ndarray | None:
    """The mask of a file that `encode_bits` or the page wrote, bool [height, width]; None for any other."""
    plain = read_plain(data, 1, GREY, MAX_PIXELS)
    if plain is None:
        return None
    return np.unpackbits(plain.rows, axis=1, count=plain.width).view(bool)
