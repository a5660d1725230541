"""The old address of photo files, for code that imports from here; they live in cnnlg_tf.photos."""

from cnnlg_tf.photos import Photo, read_mask, read_photo, write_photo

__all__ = ["Photo", "read_mask", "read_photo", "write_photo"]
