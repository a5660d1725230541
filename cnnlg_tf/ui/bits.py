"""Masks as PNG files of one bit a pixel without row filters: small, and a page decodes them in a few lines.

A mask of 50 megapixels is 6 MB before compression and some 10 kB after it. static/png.js is the other side.
"""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode_bits(mask: np.ndarray) -> bytes:
    """A PNG file of a bool mask [height, width]; True = missing = white."""
    height, width = mask.shape
    rows = np.zeros((height, 1 + (width + 7) // 8), np.uint8)  # a row starts with its filter: 0
    rows[:, 1:] = np.packbits(mask, axis=1)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)  # 1 bit, grey
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 1)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in chunks)


def decode_bits(data: bytes) -> np.ndarray | None:
    """The mask of a file that `encode_bits` or the page wrote, bool [height, width]; None for any other.

    Twenty times as fast as a decoder that takes every file: a mask comes with each stroke.
    """
    if data[:8] != SIGNATURE or data[12:16] != b"IHDR" or data[24:29] != b"\1\0\0\0\0":
        return None
    width, height = struct.unpack(">II", data[16:24])
    stride = 1 + (width + 7) // 8
    parts, at = [], 8
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            parts.append(data[at + 8 : at + 8 + length])
        at += 12 + length
    reader = zlib.decompressobj()
    try:
        rows = reader.decompress(b"".join(parts), height * stride + 1)
    except zlib.error:
        return None
    if len(rows) != height * stride or not height:
        return None
    table = np.frombuffer(rows, np.uint8).reshape(height, stride)
    if table[:, 0].any():  # filtered rows
        return None
    return np.unpackbits(table[:, 1:], axis=1, count=width).view(bool)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
