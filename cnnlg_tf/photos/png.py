"""PNG files: pixels by OpenCV, which writes them several times as fast as Pillow, and all chunks.

OpenCV's imencodeWithMetadata writes the profile, EXIF, XMP and cICP, but no gAMA, cHRM, sRGB, pHYs
or text. All of them are chunks that go behind the header, so one function puts all of them there.
"""

import io
import struct
import zlib
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from PIL import Image

from cnnlg_tf.photos.photo import Chunk, Metadata

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR = {b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI"}
TEXT = {b"tEXt", b"zTXt", b"iTXt"}
XMP_KEYWORD = b"XML:com.adobe.xmp"
_HEADER_END = 8 + 25  # the signature and the IHDR chunk, which has a fixed length
_METRE = 1 / 0.0254  # inches


def encode(layers: np.ndarray, metadata: Metadata) -> bytes:
    """A PNG file of [height, width, c]: grey (c = 1), RGB (3), RGBA (4), uint8 or uint16; LA uint8."""
    if layers.shape[-1] == 2:  # which OpenCV cannot write
        buffer = io.BytesIO()
        Image.fromarray(layers).save(buffer, "PNG")
        data = buffer.getvalue()
    else:
        order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[layers.shape[-1]]
        data = cv2.imencode(".png", layers[..., order])[1].tobytes()
    extras = b"".join(_bytes(chunk) for chunk in _extras(metadata))
    return data[:_HEADER_END] + extras + data[_HEADER_END:]


def chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks of a PNG file, up to the first that is damaged."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            return
        yield Chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length


def keyword(chunk: Chunk) -> str:
    """What a text chunk's text is called."""
    return chunk.body.split(b"\0", 1)[0].decode("latin-1")


def text(chunk: Chunk) -> bytes:
    """A text chunk's text, in its own encoding; b"" if it is damaged."""
    _, _, rest = chunk.body.partition(b"\0")
    try:
        if chunk.kind == b"zTXt":
            return zlib.decompress(rest[1:])
        if chunk.kind == b"iTXt":
            written = rest[2:].split(b"\0", 2)[2]
            return zlib.decompress(written) if rest[0] else written
    except (zlib.error, IndexError):
        return b""
    return rest


def text_chunk(name: str, text: bytes) -> Chunk:
    """A text in UTF-8, or in Latin-1 where it is not."""
    try:
        return Chunk(b"iTXt", name.encode("latin-1") + b"\0\0\0\0\0" + text.decode().encode())
    except UnicodeDecodeError:
        return Chunk(b"tEXt", name.encode("latin-1") + b"\0" + text)


def _extras(metadata: Metadata) -> Iterable[Chunk]:
    if metadata.icc_profile:
        yield Chunk(b"iCCP", b"icc\0\0" + zlib.compress(metadata.icc_profile))
    yield from metadata.colour
    if metadata.dpi:
        x, y = (min(max(round(value * _METRE), 1), 2**31 - 1) for value in metadata.dpi)
        yield Chunk(b"pHYs", struct.pack(">IIB", x, y, 1))
    if metadata.exif:
        yield Chunk(b"eXIf", metadata.exif)
    if metadata.xmp:
        yield Chunk(b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + metadata.xmp)
    yield from metadata.text


def _bytes(chunk: Chunk) -> bytes:
    check = zlib.crc32(chunk.kind + chunk.body)
    return struct.pack(">I", len(chunk.body)) + chunk.kind + chunk.body + struct.pack(">I", check)
