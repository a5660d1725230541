"""Read the formats that Pillow knows; the 16-bit ones among them, which it reads as 8, by OpenCV."""

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from PIL import Image

from cnnlg_tf.errors import CnnlgError
from cnnlg_tf.photos import png
from cnnlg_tf.photos.metadata import add_metadata
from cnnlg_tf.photos.raster import Raster, divided

# formats that are one picture; not read: EPS and WMF (programs), PDF, and stubs without a decoder
FORMATS = (
    *("PNG", "JPEG", "WEBP", "TIFF", "AVIF", "BMP", "GIF", "PPM", "JPEG2000", "TGA", "ICO"),
    *("PSD", "QOI", "PCX", "DCX", "DDS", "DIB", "SGI", "SUN", "ICNS", "CUR", "IM", "MSP", "XBM"),
    *("XPM", "BLP", "FTEX", "FLI", "SPIDER", "FITS", "PIXAR", "GBR", "PCD", "MCIDAS", "IMT"),
)
_GREY = ("1", "L", "LA", "La")
_DEEP_COLOUR = ("JPEG2000", "AVIF")
_BOXES = 2**16  # bytes, within which an AVIF file describes itself
# Pillow spreads PNG's 2 and 4 bits over 8, but not the value that is transparent
_PNG_STEPS = {"L;2": 85, "L;4": 17}
_DEEP_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")


def open_image(data: bytes) -> Image.Image:
    """An image of FORMATS that is not yet decoded.

    Raises:
        UnidentifiedImageError: it is none; and whatever else Pillow raises on damaged files.
    """
    plain = png.without_texts(data) if data.startswith(png.SIGNATURE) else data
    return Image.open(io.BytesIO(plain), formats=FORMATS)


def read(image: Image.Image, data: bytes, refuse: Callable[[str], CnnlgError]) -> Raster:
    """The raster of an opened image.

    Args:
        image: from `open_image`, or a PIL image that a caller made.
        data: its file's bytes, b"" if it has none.
        refuse: makes the error from what was received.

    Raises:
        CnnlgError: from `refuse`: the layout has no RGB form; whatever Pillow and OpenCV raise on
            damaged files.
    """
    frames = getattr(image, "n_frames", 1) if image.format != "MPO" else 1
    bits = _bits(image, data)
    tile = _tile(image)
    if not _is_deep_ppm(image, bits):  # which Pillow decodes one value at a time
        image.load()
    key = image.info.get("transparency")
    if isinstance(key, int):
        image.info["transparency"] = key * _PNG_STEPS.get(_args(tile), 1)
    raster = Raster(np.empty((0, 0, 3)), form=_form(image), bits=bits)
    if frames > 1:
        raster.notes.append(f"has {frames} frames: the first is used")
    add_metadata(raster, image, data)
    if _is_deep_ppm(image, bits):
        _split(raster, _deep_ppm(image, data, tile, refuse))
    elif bits > 8 and (image.format in _DEEP_COLOUR or image.mode not in _DEEP_GREY):
        layers = _deep(image, data, bits)
        if layers is None:
            raster.notes.append(f"has {bits} bits a channel, which are read as 8")
            _split_8_bit(raster, image, refuse)
        else:  # of grey with alpha both libraries make RGBA
            _split(raster, layers[..., [0, 3]] if _args(tile) == "LA;16B" else layers)
    elif image.mode in _DEEP_GREY:
        grey = np.array(image)
        raster.colours = (grey if image.mode in ("I", "F") else grey.astype(np.uint16))[..., None]
        if image.mode == "I" and data and 0 <= grey.min() and grey.max() <= 65535:
            raster.colours = raster.colours.astype(np.uint16)
        key = image.info.get("transparency")
        if isinstance(key, int):
            white = np.iinfo(np.uint16).max
            raster.alpha = np.where(grey == key, 0, white).astype(raster.colours.dtype)
    else:
        _split_8_bit(raster, image, refuse)
    return raster


def srgb_of(image: Image.Image, raster: Raster, kind: str) -> Image.Image:
    """A CMYK or Lab image in sRGB, by its own profile where that works; the profile has done its work."""
    from PIL import ImageCms

    profile, srgb = raster.metadata.icc_profile, ImageCms.createProfile("sRGB")
    raster.metadata = raster.metadata.without_profile()
    try:
        source: Any
        if image.mode == "LAB":
            source = ImageCms.createProfile("LAB")
        elif profile:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        else:
            return image.convert("RGB")
        converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
        if converted is not None:
            return converted
    except (ImageCms.PyCMSError, OSError, TypeError):
        raster.notes.append(f"has a {kind} profile that cannot be used: colours may shift")
    return image.convert("RGB")


def _form(image: Image.Image) -> str:
    return "JPEG" if image.format == "MPO" else image.format or ""


def _split_8_bit(raster: Raster, image: Image.Image, refuse: Callable[[str], CnnlgError]) -> None:
    if image.mode in ("CMYK", "LAB"):
        image = srgb_of(image, raster, image.mode)
    if image.mode not in (*_GREY, "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr", "HSV"):
        raise refuse(f"pixels of the kind {image.mode}")
    grey = image.mode in _GREY
    if image.mode in ("RGBa", "La"):  # which Pillow would divide rounding down
        _split(raster, np.array(image))
        if raster.alpha is not None:
            raster.colours = divided(raster.colours, raster.alpha)
    elif image.has_transparency_data:
        _split(raster, np.array(image.convert("RGBA")))
        raster.colours = raster.colours[..., :1] if grey else raster.colours
    else:
        wanted = "L" if grey else "RGB"
        _split(raster, np.array(image if image.mode == wanted else image.convert(wanted)))


def _split(raster: Raster, layers: np.ndarray) -> None:
    """Fill in colours and alpha from [h, w] or [h, w, 1 to 4]."""
    layers = layers[..., np.newaxis] if layers.ndim == 2 else layers
    count = layers.shape[-1]
    raster.colours = np.ascontiguousarray(layers[..., : 3 if count >= 3 else 1])
    raster.alpha = np.ascontiguousarray(layers[..., -1]) if count in (2, 4) else None


def _tile(image: Image.Image) -> Any:
    """How an opened file's first part is to be decoded: Pillow's name, box, offset and arguments."""
    tiles = getattr(image, "tile", None)
    return tiles[0] if tiles else None


def _args(tile: Any) -> str:
    """What Pillow tells its decoder of a tile's pixels, such as "L;4"."""
    return "" if tile is None else str(tile.args)


def _bits(image: Image.Image, data: bytes) -> int:
    """Bits of a channel in a file that Pillow would read as 8."""
    tile = _tile(image) if data else None
    if image.format == "PPM" and tile is not None and isinstance(tile.args, tuple):
        most = tile.args[-1]
        if tile.codec_name == "ppm" and isinstance(most, int):
            return 16 if most > 255 else 8
    if image.format == "JPEG2000":
        size = data.find(b"\xff\x4f\xff\x51")
        return (data[size + 42] & 127) + 1 if 0 <= size < len(data) - 42 else 8
    if image.format == "AVIF":
        codec = data.find(b"av1C", 0, _BOXES)
        flags = data[codec + 6] if 0 <= codec < len(data) - 6 else 0
        return (12 if flags & 32 else 10) if flags & 64 else 8
    if image.mode in _DEEP_GREY:
        return 32 if image.mode in ("I", "F") and image.format not in ("PNG", "PPM") else 16
    return 16 if image.format == "PNG" and ";16" in _args(tile) else 8


def _deep(image: Image.Image, data: bytes, bits: int) -> np.ndarray | None:
    """uint16 [h, w, 1 to 4], grey or RGB, of a file that Pillow reads as 8 bits; None if OpenCV cannot."""
    layers = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if layers is None or layers.dtype != np.uint16:
        return None
    if layers.shape[:2] != (image.height, image.width):
        return None
    if layers.ndim == 3 and layers.shape[-1] >= 3:
        layers = layers[..., [2, 1, 0, 3][: layers.shape[-1]]]
    return layers if bits == 16 else _to_16_bits(layers, 2**bits - 1)


def _is_deep_ppm(image: Image.Image, bits: int) -> bool:
    tile = _tile(image)
    return image.format == "PPM" and bits == 16 and tile is not None and tile.codec_name == "ppm"


def _deep_ppm(
    image: Image.Image, data: bytes, tile: Any, refuse: Callable[[str], CnnlgError]
) -> np.ndarray:
    """uint16 [h, w, 1 or 3] of a PPM or PGM file whose largest value is over 255, whatever it is."""
    offset, most, channels = tile.offset, tile.args[-1], 3 if image.mode == "RGB" else 1
    count = image.width * image.height * channels
    if len(data) - offset < 2 * count:
        raise refuse("fewer values than pixels")
    values = np.frombuffer(data, ">u2", count, offset).reshape(image.height, image.width, channels)
    return _to_16_bits(np.minimum(values.astype(np.uint16), most), most)


def _to_16_bits(values: np.ndarray, most: int) -> np.ndarray:
    scaled: np.ndarray = np.rint(values * np.float32(65535 / most)).astype(np.uint16)
    return scaled
