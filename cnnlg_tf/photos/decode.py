"""Bytes in, a photo out: the one decoder, for files, training data, requests and pages."""

from collections.abc import Callable

import numpy as np
from PIL import Image, UnidentifiedImageError

from cnnlg_tf.errors import CnnlgError, ImageError, MissingExtraError
from cnnlg_tf.photos import common_reader, heif, tiff_reader
from cnnlg_tf.photos.depth import to_depth
from cnnlg_tf.photos.photo import Photo
from cnnlg_tf.photos.quiet import no_warnings
from cnnlg_tf.photos.raster import Raster

MAX_MEGAPIXELS = 150  # larger headers are taken for decompression bombs; Pillow's own stop is 179
_WANTED = "must be a photo of 1 to 16 bits a channel, of floats in [0, 1], or of 32-bit integers"


def decode_photo(data: bytes, name: str) -> Photo:
    """Decode a photo's file; the package's first page says what becomes of each kind.

    Args:
        data: the file's bytes.
        name: what messages call it.

    Raises:
        ImageError: the bytes are none, truncated, no image, of a kind that has no RGB form, or
            larger than MAX_MEGAPIXELS.
    """
    return _photo(decode_raster(data, f"photo {name}", ImageError), name)


def photo_of_image(image: Image.Image, name: str) -> Photo:
    """The photo in a PIL image.

    Raises:
        ImageError: it has no RGB form, is too large, or cannot be loaded.
    """
    return _photo(raster_of_image(image, f"photo {name}", ImageError), name)


def decode_raster(data: bytes, noun: str, error_type: type[CnnlgError]) -> Raster:
    """The upright raster of a photo's or mask's file.

    Args:
        noun: what messages call it: "photo a.png" or "mask a.png".
        error_type: what is raised. No other exception leaves, whatever the libraries raise.
    """
    if not data:
        raise error_type(f"{noun} is empty: expected an image, received 0 bytes")

    def read() -> Raster:
        if tiff_reader.is_tiff(data):
            return tiff_reader.read(data, _size_check(noun, error_type), refuse)
        if heif.is_heif(data):
            return heif.read(data, _size_check(noun, error_type))
        image = common_reader.open_image(data)
        _size_check(noun, error_type)(*image.size)
        return common_reader.read(image, data, refuse)

    refuse = _refusal(noun, error_type)
    return _guarded(read, noun, error_type)


def raster_of_image(image: Image.Image, noun: str, error_type: type[CnnlgError]) -> Raster:
    """The upright raster of a PIL image; the arguments are those of `decode_raster`."""

    def read() -> Raster:
        _size_check(noun, error_type)(*image.size)
        return common_reader.read(image.copy(), b"", _refusal(noun, error_type))

    return _guarded(read, noun, error_type)


def _guarded(read: Callable[[], Raster], noun: str, error_type: type[CnnlgError]) -> Raster:
    with no_warnings():
        try:
            raster = read().upright()
        except MissingExtraError as error:
            raise MissingExtraError(f"{noun} is a HEIC file: {error}") from error
        except CnnlgError:
            raise
        except Image.DecompressionBombError as error:
            most = f"{noun} must have at most {MAX_MEGAPIXELS} megapixels"
            raise error_type(f"{most}. Received: {error}") from error
        except UnidentifiedImageError as error:
            kinds = ", ".join((*common_reader.FORMATS, "HEIF"))
            raise error_type(f"{noun} is no image that can be read ({kinds})") from error
        except Exception as error:  # the libraries raise many types on damaged files
            reason = " ".join(str(error).split()) or type(error).__name__
            raise error_type(f"{noun} is truncated or damaged: {reason}") from error
    if not raster.colours.size:
        raise error_type(f"{noun} must have pixels. Received: {raster.colours.shape[:2]}")
    return raster


def _size_check(noun: str, error_type: type[CnnlgError]) -> Callable[[int, int], None]:
    def check(width: int, height: int) -> None:
        if width * height > MAX_MEGAPIXELS * 1e6:
            raise error_type(
                f"{noun} must have at most {MAX_MEGAPIXELS} megapixels. "
                f"Received: {width} x {height}"
            )

    return check


def _refusal(noun: str, error_type: type[CnnlgError]) -> Callable[[str], CnnlgError]:
    return lambda received: error_type(f"{noun} {_WANTED}. Received: {received}")


def _photo(raster: Raster, name: str) -> Photo:
    refuse = _refusal(f"photo {name}", ImageError)
    colours = _photo_values(raster.colours, raster, refuse)
    alpha = None if raster.alpha is None else _photo_values(raster.alpha, raster, refuse)
    grey = colours.shape[-1] == 1
    return Photo(
        pixels=np.repeat(colours, 3, axis=-1) if grey else colours,
        alpha=alpha,
        grey=grey,
        metadata=raster.metadata,
        name=name,
        form=raster.form,
        bits=raster.bits,
        jpeg=raster.jpeg,
        notes=tuple(dict.fromkeys(raster.notes)),
    )


def _photo_values(
    values: np.ndarray, raster: Raster, refuse: Callable[[str], CnnlgError]
) -> np.ndarray:
    """uint8, uint16 or float32 of a raster's values."""
    if values.dtype in (np.uint8, np.uint16):
        return values
    if values.dtype == np.uint32:
        raster.notes.append("has 32 bits a channel, of which the upper 16 are used")
        return to_depth(values, np.uint16)
    given = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    low, high = (given.min(), given.max()) if given.size else (0, 0)
    if values.dtype.kind == "f":
        if low < 0 or high > 1 or np.isinf(values).any():
            raise refuse(f"float values, {values.min():g} to {values.max():g}")
        if values.dtype.itemsize > 4:
            raster.notes.append("has floats of 64 bits, of which 32 are kept")
        return values.astype(np.float32)
    if values.dtype != np.int32 or low < 0 or high > 65535:
        raise refuse(f"signed {raster.bits}-bit integers, with values from {low} to {high}")
    return values.astype(np.uint16)
