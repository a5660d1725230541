"""The old address of photo files, for code that imports from here; they live in cnnlg_tf.photos."""

from cnnlg_tf.photos import (
    MAX_MEGAPIXELS,
    Photo,
    check_mask_size,
    output_format,
    read_mask,
    read_photo,
    write_photo,
)

__all__ = [
    "MAX_MEGAPIXELS",
    "Photo",
    "check_mask_size",
    "output_format",
    "read_mask",
    "read_photo",
    "write_photo",
]
