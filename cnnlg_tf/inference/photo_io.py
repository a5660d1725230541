"""Read and write photos and masks: any common file in, plain arrays out, and back without loss.

Colour management is by carrying: a repair works on the photo's own RGB numbers and the ICC profile
goes into the output as it came, so that known pixels keep their exact values. CMYK photos are the
exception: they become sRGB, through their profile where they have one.

    file                        Photo.pixels                     written back
    grey, 1 bit                 uint8, three equal channels      grey (RGB if 16 bit with alpha)
    RGB, palette                uint8                            RGB
    with transparency           uint8, alpha apart               with the same alpha (not in JPEG)
    16 bit (PNG, TIFF)          uint16                           16 bit in PNG and TIFF, else 8 bit
    CMYK, YCbCr                 uint8, converted                 RGB

PNG, TIFF and WebP outputs are lossless; JPEG is quality 95 with full colour resolution. EXIF and
ICC data are kept, the EXIF rotation is applied. Of a file with several frames, the first is used.
"""

import io
import logging
import struct
import warnings
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from cnnlg_tf.errors import CnnlgError, ImageError, MaskError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.inference import deep_colour, png

MAX_MEGAPIXELS = 150  # larger headers are taken for decompression bombs; Pillow's own stop is 179
OUTPUT_FORMATS: dict[str, Literal["PNG", "JPEG", "WEBP", "TIFF"]] = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
_ORIENTATION = 0x0112
# tags of TIFF's own layout, which stand among the EXIF tags of a TIFF file
_TIFF_LAYOUT = {*range(254, 260), 262, 266, *range(273, 280), 284, 297, 317, 320}
_TIFF_LAYOUT |= {*range(322, 326), 338, 339, 347, 34675}
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True, "method": 2},
    "TIFF": {"compression": "tiff_adobe_deflate"},
}

logger = logging.getLogger("cnnlg_tf")


@dataclass(frozen=True)
class Photo:
    """A photo as numbers, and what its file needs to be written again.

    Attributes:
        pixels: uint8 or uint16 [height, width, 3], RGB, upright.
        alpha: the same type [height, width], or None.
        grey: the file had one channel; the output gets one as well.
        icc_profile: the file's colour profile, or None.
        exif: the file's EXIF block without its rotation, or None.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    icc_profile: bytes | None = None
    exif: bytes | None = None

    def with_pixels(self, pixels: np.ndarray) -> "Photo":
        """The same photo with other pixels of the same type [height, width, 3]."""
        return replace(self, pixels=pixels)


def read_photo(path: str | Path) -> Photo:
    """Read a photo; see the table above for what becomes of each kind of file.

    Raises:
        ImageError: there is no such file, it is a directory, empty, truncated, no image, of a kind
            that has no RGB form, or larger than MAX_MEGAPIXELS.
    """
    path = Path(path)
    data = _read_bytes(path, "photo", ImageError)
    image, deep = _decode(data, path, "photo", ImageError)
    exif, orientation = _exif(image, path)
    icc_profile = image.info.get("icc_profile")
    grey = image.mode in ("1", "L", "LA", "I", "I;16", "I;16L", "I;16B")
    if deep:
        pixels, alpha = deep_colour.decode(data, image)
    else:
        if image.mode == "CMYK":
            image, icc_profile = _cmyk_to_rgb(image, icc_profile), None
        pixels, alpha = _split(image, path)
    return Photo(
        pixels=_upright(pixels, orientation),
        alpha=None if alpha is None else _upright(alpha, orientation),
        grey=grey,
        icc_profile=icc_profile,
        exif=exif,
    )


def read_mask(path: str | Path) -> np.ndarray:
    """Read a mask: bool [height, width], True = missing = white (or 50 % and brighter).

    Transparent parts count as black. A mask with other values than black and white is thresholded,
    which is logged as a warning.

    Raises:
        MaskError: the file cannot be read, for the reasons that read_photo lists.
    """
    path = Path(path)
    data = _read_bytes(path, "mask", MaskError)
    image, _ = _decode(data, path, "mask", MaskError)
    _, orientation = _exif(image, path)
    if image.mode.startswith("I"):
        values = (np.asarray(image) >> 8).astype(np.uint8)
    elif image.mode in ("1", "L"):
        values = np.asarray(image.convert("L"))
    else:
        layers = np.asarray(image.convert("RGBA"), np.uint16)
        values = (layers[..., :3].max(axis=-1) * layers[..., 3] // 255).astype(np.uint8)
    if np.any((values > 0) & (values < 255)):
        logger.warning(
            "mask %s is not black and white: values of 50 %% and brighter count as missing", path
        )
    return _upright(values >= 128, orientation)


def check_mask_size(mask: np.ndarray, photo: np.ndarray) -> None:
    """Raise MaskError unless `mask` [height, width] is as large as `photo` [height, width, 3]."""
    height, width = photo.shape[:2]
    if mask.shape != (height, width):
        raise MaskError(
            f"mask must be [height, width] like the photo {(height, width)}. "
            f"Received: mask.shape={mask.shape}"
        )


def output_format(path: str | Path) -> Literal["PNG", "JPEG", "WEBP", "TIFF"]:
    """The format that a file name asks for.

    Raises:
        ImageError: the name ends in no known suffix, or a directory stands there.
    """
    path = Path(path)
    known = ", ".join(OUTPUT_FORMATS)
    if path.is_dir():
        raise ImageError(f"the output must be a file name. Received: the directory {path}")
    if path.suffix.lower() not in OUTPUT_FORMATS:
        raise ImageError(f"the output's name must end in one of {known}. Received: {path.name}")
    return OUTPUT_FORMATS[path.suffix.lower()]


def write_photo(path: str | Path, photo: Photo) -> None:
    """Write a photo in the format of the name's suffix; the file appears whole or not at all.

    What the format cannot hold (16 bits in JPEG and WebP, transparency in JPEG) is left out, which
    is logged as a warning.

    Raises:
        ImageError: the name has no known suffix or the file cannot be written.
    """
    path = Path(path)
    form = output_format(path)
    data = _encode(path, photo, form)
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise ImageError(f"output {path} cannot be written: {error.strerror or error}") from error


def _read_bytes(path: Path, noun: str, error_type: type[CnnlgError]) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise error_type(f"{noun} {path} does not exist") from error
    except IsADirectoryError as error:
        raise error_type(f"{noun} must be an image file. Received: the directory {path}") from error
    except OSError as error:
        raise error_type(f"{noun} {path} cannot be read: {error.strerror or error}") from error
    if not data:
        raise error_type(f"{noun} {path} is empty: expected an image, received 0 bytes")
    return data


def _decode(
    data: bytes, path: Path, noun: str, error_type: type[CnnlgError]
) -> tuple[Image.Image, bool]:
    """The loaded image and whether its file holds 16-bit values."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=READABLE)
        width, height = image.size
        if width * height > MAX_MEGAPIXELS * 1e6:
            raise error_type(
                f"{noun} {path} must have at most {MAX_MEGAPIXELS} megapixels. "
                f"Received: {width} x {height}"
            )
        deep = deep_colour.is_deep(image)
        frames = getattr(image, "n_frames", 1) if image.format != "MPO" else 1
        image.load()
    except Image.DecompressionBombError as error:
        raise error_type(
            f"{noun} {path} must have at most {MAX_MEGAPIXELS} megapixels. Received: {error}"
        ) from error
    except UnidentifiedImageError as error:
        raise error_type(
            f"{noun} {path} is no image that can be read ({', '.join(READABLE)})"
        ) from error
    except _DECODE_ERRORS as error:
        raise error_type(f"{noun} {path} is truncated or damaged: {error}") from error
    if frames > 1:
        logger.warning("%s %s has %d frames: the first is used", noun, path, frames)
    return image, deep


def _exif(image: Image.Image, path: Path) -> tuple[bytes | None, int]:
    """The EXIF block without rotation, thumbnail and TIFF's layout; and the rotation, 1 to 8."""
    try:
        exif = image.getexif()
        orientation = exif.get(_ORIENTATION, 1)
        for tag in _TIFF_LAYOUT | {_ORIENTATION}:
            exif.pop(tag, None)
        return (exif.tobytes() if len(exif) else None), orientation
    except (*_DECODE_ERRORS, TypeError, KeyError):
        logger.warning("the EXIF data of %s is damaged and left out", path)
        return None, 1


def _split(image: Image.Image, path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """uint8 RGB [h, w, 3] and alpha [h, w] of an 8-bit image."""
    if image.mode == "F":
        raise ImageError(f"photo {path} must have 8 or 16 bits a channel. Received: float values")
    if not image.has_transparency_data:
        return np.array(image.convert("RGB")), None
    layers = np.array(image.convert("RGBA"))
    return layers[..., :3].copy(), layers[..., 3].copy()


def _cmyk_to_rgb(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    if icc_profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            logger.warning("the CMYK photo's colour profile cannot be used: colours may shift")
    return image.convert("RGB")


def _upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Undo the camera's rotation, EXIF values 1 to 8, of [h, w] or [h, w, c]."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def _encode(path: Path, photo: Photo, form: Literal["PNG", "JPEG", "WEBP", "TIFF"]) -> bytes:
    pixels, alpha, icc_profile = photo.pixels, photo.alpha, photo.icc_profile
    if pixels.dtype == np.uint16 and form in ("JPEG", "WEBP"):
        logger.warning("%s holds 8 bits a channel: the 16-bit photo is rounded (PNG, TIFF)", path)
        pixels = _to_8_bit(pixels)
        alpha = None if alpha is None else _to_8_bit(alpha)
    if alpha is not None and form == "JPEG":
        logger.warning("%s is a JPEG file: the photo's transparency is left out", path)
        alpha = None
    if photo.grey and not (alpha is not None and pixels.dtype == np.uint16):
        pixels = np.rint(pixels.mean(axis=-1, keepdims=True)).astype(pixels.dtype)
        if form == "WEBP":  # it has no grey, and a grey profile on RGB is not valid
            icc_profile = None
    if alpha is not None:
        pixels = np.concatenate([pixels, alpha[..., np.newaxis]], axis=-1)
    if form == "PNG" and pixels.shape[-1] != 2:
        return png.encode(pixels, icc_profile, photo.exif)
    if pixels.dtype == np.uint16:
        return deep_colour.encode_tiff(pixels, icc_profile, photo.exif)
    buffer = io.BytesIO()
    extras = {"icc_profile": icc_profile, "exif": photo.exif}
    options = _SAVE_OPTIONS[form] | {key: value for key, value in extras.items() if value}
    try:
        Image.fromarray(np.squeeze(pixels, -1) if pixels.shape[-1] == 1 else pixels).save(
            buffer, form, **options
        )
    except (OSError, ValueError) as error:
        raise ImageError(f"output {path} cannot be encoded as {form}: {error}") from error
    return buffer.getvalue()


def _to_8_bit(values: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = cv2.convertScaleAbs(values, alpha=1 / 257)
    return scaled
