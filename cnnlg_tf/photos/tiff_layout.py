"""From the bytes of a TIFF picture to its numbers: strips and tiles, compression, predictor, bits.

libtiff, which Pillow has, undoes the compression. It is shown the same strips or tiles as a grey
picture of bytes, whatever they mean; so one way reads every depth and number of channels.
"""

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL.TiffImagePlugin import TiffImageFile

from cnnlg_tf.photos import exif

_BLOCK = 2**22  # bits unpacked at a time
# tags that say how a picture is stored, not what it shows
TAGS = {*range(254, 267), *range(273, 282), 284, *range(288, 293), 297, 301, 317}
TAGS |= {*range(320, 348), *range(512, 533), 559}
_BITS_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)).reshape(-1, 8)[:, ::-1])
_DIFFERENCES, _FLOAT_DIFFERENCES = 2, 3


@dataclass(frozen=True)
class Grid:
    """How one plane lies in the file: rows of tiles, or strips, which are tiles of full width.

    Attributes:
        columns, rows: how many tiles stand side by side, and above each other.
        width, height: of a tile, in pixels; the last strip may be lower.
        samples: numbers of a pixel; bits: of a number.
        length: rows of pixels, with the tiles' padding.
        tiled: whether they are tiles.
    """

    columns: int
    rows: int
    width: int
    height: int
    samples: int
    bits: int
    length: int
    tiled: bool

    @classmethod
    def of(cls, page: Any, samples: int, bits: int) -> "Grid":
        """The grid of a tifffile page with `samples` numbers in a pixel of a plane."""
        if page.is_tiled:
            width, height = page.tilewidth, page.tilelength
        else:
            width, height = page.imagewidth, max(1, min(page.rowsperstrip, page.imagelength))
        columns, rows = -(-page.imagewidth // width), -(-page.imagelength // height)
        length = rows * height if page.is_tiled else page.imagelength
        return cls(columns, rows, width, height, samples, bits, length, bool(page.is_tiled))

    @property
    def row_bytes(self) -> int:
        """Of one row of a tile."""
        return -(-self.width * self.samples * self.bits // 8)


def rows(data: bytes, page: Any, grid: Grid, plane: int) -> np.ndarray:
    """uint8 [length, columns, row_bytes]: a plane's bytes, without compression.

    Raises:
        ValueError, OSError: a strip or tile is missing, damaged or truncated.
    """
    count = grid.columns * grid.rows
    parts = slice(plane * count, (plane + 1) * count)
    offsets, sizes = page.dataoffsets[parts], page.databytecounts[parts]
    if len(offsets) < count or len(sizes) < count:
        raise ValueError(
            f"{count} strips or tiles are needed, {min(len(offsets), len(sizes))} listed"
        )
    if int(page.compression) == 1:
        return _copied(data, offsets, sizes, grid, int(page.fillorder))
    return _decompressed(data, page, offsets, sizes, grid)


def _copied(
    data: bytes, offsets: tuple[int, ...], sizes: tuple[int, ...], grid: Grid, fill_order: int
) -> np.ndarray:
    stored = np.empty((grid.length, grid.columns, grid.row_bytes), np.uint8)
    for number, (offset, size) in enumerate(zip(offsets, sizes, strict=True)):
        row, column = divmod(number, grid.columns)
        target = stored[row * grid.height : (row + 1) * grid.height, column]
        if size < target.size:
            raise ValueError(f"a strip or tile has {size} bytes of {target.size}")
        target[:] = np.frombuffer(data, np.uint8, target.size, offset).reshape(target.shape)
    return _BITS_REVERSED[stored] if fill_order == 2 else stored


def _decompressed(
    data: bytes, page: Any, offsets: tuple[int, ...], sizes: tuple[int, ...], grid: Grid
) -> np.ndarray:
    if any(offset + size > len(data) for offset, size in zip(offsets, sizes, strict=True)):
        raise ValueError("a strip or tile ends behind the file's end")
    numbers: dict[int, tuple[int, ...]] = {
        256: (grid.columns * grid.row_bytes,),
        257: (grid.length,),
        258: (8,),
        259: (int(page.compression),),
        262: (1,),
        266: (int(page.fillorder),),
        277: (1,),
    }
    if grid.tiled:
        numbers |= {322: (grid.row_bytes,), 323: (grid.height,), 324: offsets, 325: sizes}
    else:
        numbers |= {273: offsets, 278: (grid.height,), 279: sizes}
    tags = {
        number: exif.Tag(exif.LONG, len(values), struct.pack(f"<{len(values)}L", *values))
        for number, values in numbers.items()
    }
    start = len(data) + len(data) % 2
    head = b"II" + struct.pack("<HL", 42, start)
    directory = exif.directory_bytes("<", exif.Directory(tags), start)
    image = TiffImageFile(io.BytesIO(head + data[8:].ljust(start - 8, b"\0") + directory))
    try:
        image.load()
    except OSError as error:
        name = getattr(page.compression, "name", page.compression)
        raise ValueError(f"its data, of compression {name}, cannot be decoded: {error}") from error
    return np.asarray(image).reshape(grid.length, grid.columns, grid.row_bytes)


def values(
    stored: np.ndarray, grid: Grid, floating: bool, predictor: int, order: str
) -> np.ndarray:
    """[length, columns * width, samples] numbers of `rows`' bytes: unsigned, or floats.

    Raises:
        ValueError: there is no such predictor for these numbers.
    """
    wide = grid.width * grid.samples
    if predictor == _FLOAT_DIFFERENCES and floating:
        numbers = _float_differences(stored, grid)
    elif grid.bits in (8, 16, 32, 64):
        numbers = np.ascontiguousarray(stored).view(f"{order}u{grid.bits // 8}")
        numbers = numbers.astype(numbers.dtype.newbyteorder("="), copy=False)
        if predictor == _DIFFERENCES:
            pixels = numbers.reshape(*numbers.shape[:2], grid.width, grid.samples)
            numbers = np.cumsum(pixels, axis=2, dtype=numbers.dtype)
        elif predictor != 1:
            raise ValueError(f"there is no predictor {predictor} for these numbers")
    elif predictor == 1:
        numbers = _unpacked(stored, grid.bits, wide)
    else:
        raise ValueError(f"there is no predictor {predictor} for {grid.bits} bits")
    numbers = numbers.reshape(grid.length, grid.columns * grid.width, grid.samples)
    return numbers.view(f"f{grid.bits // 8}") if floating else numbers


def _unpacked(stored: np.ndarray, bits: int, count: int) -> np.ndarray:
    """uint8 or uint16 [length, columns, count] of numbers that share bytes, highest bit first."""
    kind = np.uint8 if bits <= 8 else np.uint16
    weights: np.ndarray = (1 << np.arange(bits - 1, -1, -1)).astype(kind)
    numbers = np.empty((*stored.shape[:2], count), kind)
    step = max(1, _BLOCK // (8 * stored[0].size))
    for start in range(0, len(stored), step):
        each: np.ndarray = np.unpackbits(stored[start : start + step], axis=-1)[..., : count * bits]
        numbers[start : start + step] = each.reshape(*each.shape[:2], count, bits) @ weights
    return numbers


def _float_differences(stored: np.ndarray, grid: Grid) -> np.ndarray:
    """Unsigned numbers whose bytes, highest first, stood in planes, as differences."""
    size = grid.bits // 8
    pixels = stored.reshape(*stored.shape[:2], -1, grid.samples)
    planes = np.cumsum(pixels, axis=2, dtype=np.uint8)
    planes = planes.reshape(*stored.shape[:2], size, -1)
    together = np.ascontiguousarray(np.swapaxes(planes, -1, -2))
    return together.view(f">u{size}").astype(f"u{size}")
