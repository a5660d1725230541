"""Photo and mask files: bytes in, plain arrays out, and back without loss. Needs no TensorFlow.

Colour management is by carrying: a repair works on the photo's own RGB numbers and the ICC profile
goes into the output as it came, so that known pixels keep their exact values. CMYK photos are the
exception: they become sRGB, through their profile where they have one.

    file                        Photo.pixels                     written back
    grey, 1 bit                 uint8, three equal channels      grey (RGB if 16 bit with alpha)
    RGB, palette                uint8                            RGB
    with transparency           uint8, alpha apart               with the same alpha (not in JPEG)
    16 bit (PNG, TIFF)          uint16                           16 bit in PNG and TIFF, else 8 bit
    CMYK, YCbCr                 uint8, converted                 RGB

PNG, TIFF and WebP outputs are lossless; JPEG is quality 95 with full colour resolution. EXIF and
ICC data are kept, the EXIF rotation is applied. Of a file with several frames, the first is used.
"""

from cnnlg_tf.photos.arrays import as_mask, as_photo
from cnnlg_tf.photos.decode import MAX_MEGAPIXELS, decode_photo
from cnnlg_tf.photos.depth import from_unit, to_depth, to_unit
from cnnlg_tf.photos.encode import Format, encode_photo
from cnnlg_tf.photos.files import (
    READABLE_SUFFIXES,
    WRITABLE,
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
