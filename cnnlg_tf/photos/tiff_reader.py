"""Read TIFF files: tifffile reads the tags, libtiff undoes the compression, the rest is here.

    photometric     white is zero, black is zero, RGB, palette, CMYK, Lab and YCbCr (8 bit)
    numbers         unsigned of 1 to 16 and 32 bits, signed, floats of 16, 32 and 64 bits
    layout          strips or tiles, channels interleaved or in planes, classic and BigTIFF, both byte
                    orders, both fill orders, with and without predictor
    compression     none, LZW, deflate, PackBits, LZMA, Zstandard; by Pillow, 8 bits: JPEG, CCITT
    extra channels  alpha; colours that are multiplied with it are divided by it, to the nearest
                    value, and clipped (alpha 0: black); others are left out, which is told

Whatever else a file has is refused by its name.
"""

import io
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from cnnlg_tf.errors import CnnlgError
from cnnlg_tf.photos import common_reader, exif, tiff_layout
from cnnlg_tf.photos.depth import to_depth
from cnnlg_tf.photos.metadata import neutral_photoshop, neutral_xmp
from cnnlg_tf.photos.photo import Metadata
from cnnlg_tf.photos.raster import Raster, divided

# compressions of plain bytes, whatever they mean; and those that give pixels, by Pillow
_OF_BYTES = {1, 5, 8, 32773, 32946, 34925, 50000}
_OF_PIXELS = {2, 3, 4, 6, 7}
_NONE = 1
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_CHANNELS = {
    _WHITE_IS_ZERO: 1,
    _BLACK_IS_ZERO: 1,
    _RGB: 3,
    _PALETTE: 1,
    _CMYK: 4,
    _YCBCR: 3,
    _LAB: 3,
}
_MODES = {_CMYK: "CMYK", _LAB: "LAB", _YCBCR: "YCbCr"}
_UNSIGNED, _SIGNED, _FLOAT, _VOID = 1, 2, 3, 4
_FORMATS = {_UNSIGNED: "unsigned", _SIGNED: "signed", _FLOAT: "float", _VOID: "void"}
_FORMATS |= {5: "complex integer", 6: "complex float"}
_DEPTHS: dict[int, tuple[int, ...]] = {
    _UNSIGNED: (*range(1, 17), 32),
    _SIGNED: (8, 16, 32),
    _FLOAT: (16, 32, 64),
    _VOID: (8, 16, 32),
}
_PREMULTIPLIED, _ALPHA = 1, 2
_MOST_BYTES = 8 * 150_000_000  # of one picture, decoded
_SEARCHED_PAGES = 64  # for the first that is no preview
_XMP, _PHOTOSHOP, _ICC, _LAYERS = 700, 34377, 34675, 37724
# Metadata has them apart, or they show the picture before the repair
_APART = {282, 283, 296, _XMP, _PHOTOSHOP, _ICC, _LAYERS, exif.ORIENTATION}

_log = logging.getLogger("tifffile")


def is_tiff(data: bytes) -> bool:
    """Whether a file starts like a TIFF."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read(
    data: bytes,
    check_size: Callable[[int, int], None],
    refuse: Callable[[str], CnnlgError],
) -> Raster:
    """The raster of a TIFF file's first full picture.

    Args:
        check_size: raises when (width, height) are too large.
        refuse: makes the error from what was received.

    Raises:
        CnnlgError: from the two; and whatever tifffile, Pillow and libtiff raise on damaged files.
    """
    import tifffile

    _log.setLevel(logging.CRITICAL + 1)  # its complaints end in ours
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page, others = _first_picture(file)
        if _is_raw(data, page):
            raise refuse("a camera's raw file, of which only a preview is a picture")
    check_size(page.imagewidth, page.imagelength)
    raster = Raster(np.empty((0, 0, 3)), form="TIFF", bits=page.bitspersample)
    if others:
        raster.notes.append(f"has {others + 1} pages: the first is used")
    raster.metadata, raster.orientation = _metadata(data, page, raster.notes)
    photometric = int(page.photometric)
    if 262 not in page.tags:  # as libtiff guesses
        photometric = _RGB if page.samplesperpixel >= 3 else _BLACK_IS_ZERO
    if photometric not in _CHANNELS:
        raise refuse(f"the photometric interpretation {_name(page.photometric)}")
    compression = int(page.compression)
    if page.imagedepth != 1:
        raise refuse(f"a volume of {page.imagedepth} slices")
    if compression in _OF_PIXELS or (photometric == _YCBCR and compression != _NONE):
        return _by_pillow(data, page, raster, refuse)
    # the tag of subsampling is no guide: where it is missing, it means 2 x 2, which not all know
    if photometric == _YCBCR and sum(page.databytecounts) < 3 * page.imagewidth * page.imagelength:
        raise refuse("uncompressed YCbCr with fewer samples of colour than pixels")
    if compression not in _OF_BYTES:
        raise refuse(f"the compression {_name(page.compression)}")
    inks = page.tags.get(332)
    if photometric == _CMYK and inks is not None and int(inks.value) != 1:
        raise refuse("inks that are not CMYK")
    samples = _samples(data, page, refuse)
    _interpret(raster, samples, page, photometric, refuse)
    return raster


def _name(value: Any) -> str:
    return f"{value.name} ({int(value)})" if hasattr(value, "name") else str(value)


def _first_picture(file: Any) -> tuple[Any, int]:
    """The first page that is no preview and no mask, and how many more there are."""
    if not len(file.pages):
        raise ValueError("it holds no picture, or ends before the picture's tags")
    pages = [file.pages[n] for n in range(min(len(file.pages), _SEARCHED_PAGES))]
    full = [page for page in pages if not int(page.subfiletype) & 0b101]
    first = (full or pages)[0]
    return first, len(full) - 1 + len(file.pages) - len(pages) if full else 0


def _is_raw(data: bytes, page: Any) -> bool:
    """Whether a page shows the preview of raw data: Canon's mark, or a preview above other pictures."""
    return data[8:12] == b"CR\2\0" or (bool(int(page.subfiletype) & 1) and 330 in page.tags)


def _metadata(data: bytes, page: Any, notes: list[str]) -> tuple[Metadata, int]:
    try:
        order, directory = exif.parse(data, page.offset)
    except ValueError:
        notes.append("has tags that are damaged and left out")
        return Metadata(), 1
    tags = directory.tags
    if _LAYERS in tags:
        notes.append("has Photoshop layers, which are left out")
    raw = {number: tags[number].data for number in (_XMP, _PHOTOSHOP, _ICC) if number in tags}
    turn = tags.get(exif.ORIENTATION)
    orientation = int.from_bytes(turn.data, "little" if order == "<" else "big") if turn else 1
    kept = directory.without(tiff_layout.TAGS | _APART)
    return (
        Metadata(
            icc_profile=raw.get(_ICC),
            exif=exif.serialise(order, kept) if kept else None,
            xmp=neutral_xmp(raw.get(_XMP)),
            dpi=_dpi(page),
            photoshop=neutral_photoshop(raw.get(_PHOTOSHOP)),
        ),
        orientation if 1 <= orientation <= 8 else 1,
    )


def _dpi(page: Any) -> tuple[float, float] | None:
    values = []
    for number in (282, 283):
        tag = page.tags.get(number)
        if tag is None or not isinstance(tag.value, tuple) or not tag.value[1]:
            return None
        values.append(tag.value[0] / tag.value[1])
    unit = page.tags.get(296)
    inches = {2: 1.0, 3: 2.54}.get(int(unit.value) if unit is not None else 2)
    if inches is None or min(values) <= 0:
        return None
    return values[0] * inches, values[1] * inches


def _by_pillow(
    data: bytes, page: Any, raster: Raster, refuse: Callable[[str], CnnlgError]
) -> Raster:
    if page.bitspersample not in (1, 8):
        kind = f"{_name(page.photometric)} with the compression {_name(page.compression)}"
        raise refuse(f"{page.bitspersample} bits of {kind}")
    image: Image.Image = TiffImageFile(io.BytesIO(data))
    if page.index:
        image.seek(page.index)
    found = common_reader.read(image, b"", refuse)
    if raster.orientation >= 5:
        raster.metadata = raster.metadata.turned()
    raster.orientation = 1  # Pillow turns what it loads
    raster.colours, raster.alpha = found.colours, found.alpha
    raster.notes += [note for note in found.notes if "profile" in note]
    if image.mode == "CMYK":  # the profile has done its work
        raster.metadata = raster.metadata.without_profile()
    return raster


def _samples(data: bytes, page: Any, refuse: Callable[[str], CnnlgError]) -> np.ndarray:
    """[height, width, channels] of the file's own type; integers of odd bits in the next larger."""
    bits, channels = page.bitspersample, page.samplesperpixel
    if not isinstance(bits, int):
        raise refuse(f"channels of different depths, {bits} bits")
    kind = int(page.sampleformat) if page.sampleformat is not None else _UNSIGNED
    if bits not in _DEPTHS.get(kind, ()):
        raise refuse(f"{bits}-bit samples of the format {_FORMATS.get(kind, kind)}")
    if page.imagewidth * page.imagelength * channels * max(1, bits // 8) > _MOST_BYTES:
        raise refuse(f"{channels} channels of {bits} bits, too many for its size")
    planes = channels if int(page.planarconfig) == 2 else 1
    grid = tiff_layout.Grid.of(page, channels // planes, bits)
    parts = []
    for plane in range(planes):
        rows = tiff_layout.rows(data, page, grid, plane)
        order, predictor = page.parent.byteorder, int(page.predictor)
        values = tiff_layout.values(rows, grid, kind == _FLOAT, predictor, order)
        parts.append(values[: page.imagelength, : page.imagewidth])
    whole = parts[0] if planes == 1 else np.concatenate(parts, axis=-1)
    return whole.view(f"i{whole.itemsize}") if kind == _SIGNED else whole


def _interpret(
    raster: Raster,
    samples: np.ndarray,
    page: Any,
    photometric: int,
    refuse: Callable[[str], CnnlgError],
) -> None:
    """Fill in colours and alpha from samples [h, w, c] of 1 to 16 and 32 bits, or floats."""
    count = _CHANNELS[photometric]
    if samples.shape[-1] < count:
        raise refuse(f"{samples.shape[-1]} channels for {_name(page.photometric)}")
    colours = samples[..., :count]
    extras = [int(kind) for kind in page.extrasamples][: samples.shape[-1] - count]
    if 338 not in page.tags and photometric == _RGB and samples.shape[-1] == 4:
        extras = [_ALPHA if samples[..., 3].any() else 0]  # what OpenCV writes without a word
    at = next((n for n, kind in enumerate(extras) if kind in (_PREMULTIPLIED, _ALPHA)), None)
    alpha = None if at is None else _whole_range(samples[..., count + at], raster.bits)
    others = samples.shape[-1] - count - (at is not None)
    if others:
        raster.notes.append("has extra channels that are no alpha, which are left out")
    if photometric == _PALETTE:
        colours = _by_palette(colours[..., 0], page, refuse)
    elif photometric == _WHITE_IS_ZERO:
        colours = _inverted(colours, raster.bits, refuse)
    colours = _whole_range(colours, 8 if photometric == _PALETTE else raster.bits)
    if at is not None and extras[at] == _PREMULTIPLIED and alpha is not None:
        colours = divided(colours, alpha)
    if photometric in _MODES:
        colours = _in_srgb(raster, colours, photometric, refuse)
        alpha = None if alpha is None else to_depth(alpha, np.uint8)
    raster.colours, raster.alpha = np.ascontiguousarray(colours), alpha


def _whole_range(values: np.ndarray, bits: int) -> np.ndarray:
    """Integers of fewer bits than their type holds, in the type's whole range."""
    full = 8 * values.itemsize
    if values.dtype.kind != "u" or bits == full:
        return values
    whole = np.rint(np.arange(2**bits) * ((2**full - 1) / (2**bits - 1))).astype(values.dtype)
    scaled: np.ndarray = whole[values]
    return scaled


def _inverted(values: np.ndarray, bits: int, refuse: Callable[[str], CnnlgError]) -> np.ndarray:
    if values.dtype.kind == "i":
        raise refuse("signed numbers of which zero is white")
    white = values.dtype.type(1 if values.dtype.kind == "f" else 2**bits - 1)
    inverted: np.ndarray = white - values
    return inverted


def _by_palette(indices: np.ndarray, page: Any, refuse: Callable[[str], CnnlgError]) -> np.ndarray:
    """uint8 [h, w, 3]: the palette's 16 bits are 8 in most files, as v * 256, v * 257 or v."""
    palette = page.colormap
    if palette is None or indices.dtype.kind != "u" or indices.max() >= palette.shape[1]:
        raise refuse("a palette without colours for all pixels")
    palette = np.asarray(palette, np.uint16).T
    if palette.max() > 255:
        palette = palette >> 8 if not (palette & 255).any() else to_depth(palette, np.uint8)
    colours: np.ndarray = palette.astype(np.uint8)[indices]
    return colours


def _in_srgb(
    raster: Raster, values: np.ndarray, photometric: int, refuse: Callable[[str], CnnlgError]
) -> np.ndarray:
    """uint8 sRGB of CMYK, Lab or YCbCr."""
    mode = _MODES[photometric]
    if values.dtype.kind != "u" or (mode != "CMYK" and values.dtype != np.uint8):
        raise refuse(f"{mode} values of type {values.dtype}")
    if values.dtype != np.uint8:
        raster.notes.append(f"has CMYK values of {raster.bits} bits, which are read as 8")
        values = to_depth(values, np.uint8)
    height, width, _ = values.shape
    image = Image.frombytes(mode, (width, height), values.tobytes())
    if mode == "YCbCr":
        return np.array(image.convert("RGB"))
    return np.array(common_reader.srgb_of(image, raster, mode))
