"""CRC-32C (Castagnoli), the checksum of TFRecord files, in numpy.

The checksum is linear over GF(2), so lanes of the data are run side by side and then joined in
pairs: the left one is moved past as many zero bytes as the right one holds, and the two are added.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]

_POLYNOMIAL = 0x82F63B78  # Reflected.
_LANE = 64  # Bytes; a power of two.


def crc32c(data: bytes) -> int:
    """CRC-32C of `data`, 0 to 2^32 - 1."""
    if len(data) < 4:  # Too short for the initial value to be folded into the data.
        return _plain(data)
    lanes = 1 << (-(-len(data) // _LANE) - 1).bit_length()
    padded = np.zeros(lanes * _LANE, np.uint8)  # Zeros in front do not change it.
    start = padded.size - len(data)
    padded[start:] = np.frombuffer(data, np.uint8)
    padded[start : start + 4] ^= 0xFF
    columns = np.ascontiguousarray(padded.reshape(lanes, _LANE).T)  # [64, lanes]
    crc = np.zeros(lanes, np.uint32)
    table = _byte_table()
    for column in columns:
        crc = table[(crc & 0xFF) ^ column] ^ (crc >> 8)
    length = _LANE
    while len(crc) > 1:
        crc = _advance(crc[::2], length) ^ crc[1::2]
        length *= 2
    return int(crc[0]) ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """The form stored in TFRecord files, where a checksum may itself be checksummed."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _plain(data: bytes) -> int:
    crc, table = 0xFFFFFFFF, _byte_table()
    for byte in data:
        crc = int(table[(crc ^ byte) & 0xFF]) ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@lru_cache(maxsize=1)
def _byte_table() -> Words:
    """What each value of the low byte adds when it is shifted out, [256]."""
    crc: Words = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        crc = ((crc >> 1) ^ (crc & 1) * np.uint32(_POLYNOMIAL)).astype(np.uint32)
    return crc


def _advance(crc: Words, length: int) -> Words:
    """Checksums [n] after `length` more zero bytes; `length` is a power of two."""
    tables = _zero_tables(length)
    moved: Words = tables[0][crc & 0xFF]
    for i in range(1, 4):
        moved = moved ^ tables[i][(crc >> (8 * i)) & 0xFF]
    return moved


@lru_cache(maxsize=32)
def _zero_tables(length: int) -> Words:
    """Tables [4, 256]: where each byte of a checksum goes as `length` zero bytes pass."""
    values = np.arange(256, dtype=np.uint32)
    states = np.stack([values << (8 * i) for i in range(4)])
    if length == 1:
        table = _byte_table()
        moved: Words = table[states & 0xFF] ^ (states >> 8)
        return moved
    half = length // 2
    return _advance(_advance(states.ravel(), half), half).reshape(4, 256)
