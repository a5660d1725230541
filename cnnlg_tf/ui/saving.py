"""From an open photo to a file: in the format it came in, or in another."""

import io
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import cast

from PIL import Image

from cnnlg_tf.photos import WRITABLE, Format, Photo, decode_photo, encode_photo
from cnnlg_tf.ui.limits import check_pixels

SUFFIXES: dict[str, str] = {}  # of each format that can be written here, the usual one
for _suffix, _form in WRITABLE.items():
    if _form != "HEIF" or find_spec("pillow_heif") is not None:
        SUFFIXES.setdefault(_form, _suffix)
LOSSY = ("JPEG", "WEBP", "AVIF", "HEIF")

logger = logging.getLogger("cnnlg_tf")


def media_type(form: str) -> str:
    """A format's media type."""
    return f"image/{form.lower()}"


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of a photo file by its header, so that no huge one is decoded.

    0 x 0 for a header that Pillow cannot read: the decoder then says what is wrong.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                return image.size
    except Exception:  # Pillow raises many types on damaged files
        return 0, 0


def open_photo(data: bytes, name: str) -> Photo:
    """Decode a photo that is not too large for the page.

    Raises:
        RequestError: it is too large.
        ImageError: it cannot be read.
    """
    check_pixels(*size_of(data), name)
    photo = decode_photo(data, name)
    check_pixels(photo.pixels.shape[1], photo.pixels.shape[0], name)
    return photo


def form_of(photo: Photo) -> str:
    """The format that a photo is saved in by default: its own, or PNG for one that is only read."""
    return photo.form if photo.form in SUFFIXES else "PNG"


def encode(photo: Photo, form: str, quality: int | None, name: str) -> tuple[bytes, list[str]]:
    """A file of the photo, and what of it the format cannot hold, as sentences."""
    with notes_of_thread() as notes:
        data = encode_photo(photo, cast(Format, form), quality=quality, name=name)
    return data, notes


@contextmanager
def notes_of_thread() -> Iterator[list[str]]:
    """Collects what the library warns of on this thread."""
    notes: list[str] = []
    thread = threading.get_ident()

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                notes.append(record.getMessage())

    collector = Collector(logging.WARNING)
    logger.addHandler(collector)
    try:
        yield notes
    finally:
        logger.removeHandler(collector)
