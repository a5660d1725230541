"""Photos and masks as files: what they are called, and reading and writing them whole."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from cnnlg_tf.errors import CnnlgError, ImageError, MaskError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.photos import heif
from cnnlg_tf.photos.decode import decode_photo
from cnnlg_tf.photos.encode import Format, encode_photo
from cnnlg_tf.photos.mask import decode_mask
from cnnlg_tf.photos.photo import Photo

WRITABLE: dict[str, Format] = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
}
_READ_ONLY = """
    .apng .avifs .hif .mpo .bmp .dib .gif .ico .icns .cur .pbm .pgm .ppm .pnm .pfm .psd .qoi
    .j2c .j2k .jp2 .jpc .jpf .jpx .icb .tga .vda .vst .pcx .dcx .dds .bw .rgb .rgba .sgi .ras
    .im .msp .xbm .xpm .blp .ftc .ftu .fli .flc .fit .fits .pxr .gbr .pcd
"""
# what Pillow's registry has for the formats that are read, and HEIC's
READABLE_SUFFIXES = frozenset({*WRITABLE, *_READ_ONLY.split()})

logger = logging.getLogger("cnnlg_tf")


def is_photo_name(path: Path) -> bool:
    """Whether a name in a folder is a photo's: a readable suffix, and not hidden (`.x`, `._x`)."""
    return path.suffix.lower() in READABLE_SUFFIXES and not path.name.startswith(".")


def read_photo(path: str | Path) -> Photo:
    """Read a photo; what of the file was not read is logged as a warning.

    Raises:
        ImageError: there is no such file, or decode_photo refuses what is in it.
    """
    photo = decode_photo(_read_bytes(Path(path), "photo", ImageError), str(path))
    return replace(told(photo), file=Path(path))


def told(photo: Photo) -> Photo:
    """The photo, with one logged warning about what of its file was not read, if anything."""
    if photo.notes:
        logger.warning("photo %s %s", photo.name, "; it ".join(photo.notes))
    return photo


def read_mask(path: str | Path) -> np.ndarray:
    """Read a mask: bool [height, width], True = missing; the module `mask` has the rule in words.

    Raises:
        MaskError: there is no such file, or decode_mask refuses what is in it.
    """
    return decode_mask(_read_bytes(Path(path), "mask", MaskError), str(path))


def output_format(path: str | Path) -> Format:
    """The format that a file name asks for.

    Raises:
        ImageError: the name ends in no known suffix, or a directory stands there.
        MissingExtraError: it is HEIC, and pillow-heif is not installed.
    """
    path = Path(path)
    known = ", ".join(WRITABLE)
    if path.is_dir():
        raise ImageError(f"the output must be a file name. Received: the directory {path}")
    if path.suffix.lower() not in WRITABLE:
        raise ImageError(f"the output's name must end in one of {known}. Received: {path.name}")
    form = WRITABLE[path.suffix.lower()]
    if form == "HEIF":
        heif.pillow_heif()
    return form


def write_photo(path: str | Path, photo: Photo, *, quality: int | None = None) -> None:
    """Write a photo in the format of the name's suffix; the file appears whole or not at all.

    Raises:
        ImageError: the name has no known suffix, the format cannot hold the photo, or the file
            cannot be written.
    """
    path = Path(path)
    _write_bytes(path, encode_photo(photo, output_format(path), quality=quality, name=str(path)))


def copy_photo(source: str | Path, path: str | Path) -> None:
    """Write a photo's file anew as it is, byte for byte.

    Raises:
        ImageError: the source cannot be read, or the copy not be written.
    """
    data = _read_bytes(Path(source), "photo", ImageError)
    _write_bytes(Path(path), data)


def _write_bytes(path: Path, data: bytes) -> None:
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise ImageError(f"output {path} cannot be written: {error.strerror or error}") from error


def _read_bytes(path: Path, noun: str, error_type: type[CnnlgError]) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise error_type(f"{noun} {path} does not exist") from error
    except IsADirectoryError as error:
        raise error_type(f"{noun} must be an image file. Received: the directory {path}") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or error
        raise error_type(f"{noun} {path} cannot be read: {reason}") from error
