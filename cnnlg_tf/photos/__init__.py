"""Photo and mask files: bytes in, plain arrays out, and back without loss. Needs no TensorFlow.

    decode_photo  bytes -> Photo          encode_photo  Photo -> bytes       files.py: the same by path
    decode_mask   bytes -> bool [h, w]    as_photo, as_mask                  whatever callers hand over
    to_unit, from_unit, to_depth          8 and 16 bits, floats

A repair works on the photo's own RGB numbers. Its ICC profile goes into the output as it came, so that
known pixels keep their exact values. CMYK and Lab photos are the exception: they become sRGB.
docs/photos.md has what becomes of each kind of file, of its metadata, and the rule for masks.
"""

from cnnlg_tf.photos.arrays import as_mask, as_photo
from cnnlg_tf.photos.decode import MAX_MEGAPIXELS, decode_photo
from cnnlg_tf.photos.depth import from_unit, to_depth, to_unit
from cnnlg_tf.photos.encode import Format, encode_photo
from cnnlg_tf.photos.files import (
    READABLE_SUFFIXES,
    WRITABLE,
    copy_photo,
    is_photo_name,
    output_format,
    read_mask,
    read_photo,
    write_photo,
)
from cnnlg_tf.photos.mask import check_mask_size, decode_mask
from cnnlg_tf.photos.photo import Metadata, Photo

__all__ = [
    "MAX_MEGAPIXELS",
    "READABLE_SUFFIXES",
    "WRITABLE",
    "Format",
    "Metadata",
    "Photo",
    "as_mask",
    "as_photo",
    "check_mask_size",
    "copy_photo",
    "decode_mask",
    "decode_photo",
    "encode_photo",
    "from_unit",
    "is_photo_name",
    "output_format",
    "read_mask",
    "read_photo",
    "to_depth",
    "to_unit",
    "write_photo",
]
