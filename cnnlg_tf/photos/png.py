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
_LONGEST = 2**26  # bytes of a text or profile, inflated
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


def without_texts(data: bytes) -> bytes:
    """A PNG file without its texts and profile, which Pillow refuses with the picture if they are long."""
    skipped = TEXT | {b"iCCP"}
    parts, at = [data[: len(SIGNATURE)]], len(SIGNATURE)
    for chunk in chunks(data):
        end = at + 12 + len(chunk.body)
        if chunk.kind not in skipped:
            parts.append(data[at:end])
        at = end
    return b"".join((*parts, data[at:]))


def profile(data: bytes) -> bytes | None:
    """The colour profile of a PNG file; None if there is none, or if it is damaged."""
    for chunk in chunks(data):
        if chunk.kind == b"iCCP":
            return _inflated(chunk.body.partition(b"\0")[2][1:]) or None
    return None


def keyword(chunk: Chunk) -> str:
    """What a text chunk's text is called."""
    return chunk.body.split(b"\0", 1)[0].decode("latin-1")


def text(chunk: Chunk) -> bytes:
    """A text chunk's text, in its own encoding; b"" if it is damaged."""
    _, _, rest = chunk.body.partition(b"\0")
    if chunk.kind == b"zTXt":
        return _inflated(rest[1:])
    if chunk.kind == b"iTXt":
        compressed, parts = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
        written = parts[-1] if len(parts) == 3 else b""
        return _inflated(written) if compressed else written
    return rest


def text_chunk(name: str, text: bytes) -> Chunk:
    """A text in UTF-8, or in Latin-1 where it is not."""
    try:
        return Chunk(b"iTXt", name.encode("latin-1") + b"\0\0\0\0\0" + text.decode().encode())
    except UnicodeDecodeError:
        return Chunk(b"tEXt", name.encode("latin-1") + b"\0" + text)


def _inflated(data: bytes) -> bytes:
    """b"" where the data are damaged or a bomb."""
    inflating = zlib.decompressobj()
    try:
        inflated = inflating.decompress(data, _LONGEST)
    except zlib.error:
        return b""
    return inflated if inflating.eof else b""


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
