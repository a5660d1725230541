"""From an open photo to a file: in the format it came in, or in another."""

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from PIL import Image

from cnnlg_tf.photos import WRITABLE, Format, Photo, encode_photo

SUFFIXES: dict[str, str] = {}
for _suffix, _form in WRITABLE.items():
    SUFFIXES.setdefault(_form, ".jpg" if _form == "JPEG" else _suffix)
LOSSY = ("JPEG", "WEBP", "AVIF", "HEIF")

logger = logging.getLogger("cnnlg_tf")


def media_type(form: str) -> str:
    """A format's media type."""
    return f"image/{form.lower()}"


def size_and_format(data: bytes) -> tuple[int, int, str]:
    """Width, height and format of a photo file by its header; no pixel is decoded.

    The format is one that can be written: PNG stands for those that are only read. An unreadable
    header gives 0 x 0: the decoder then says what is wrong.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            form = "JPEG" if image.format == "MPO" else str(image.format)
            width, height = image.size
    except Exception:  # Pillow raises many types on damaged files
        return 0, 0, "PNG"
    return width, height, form if form in SUFFIXES else "PNG"


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
