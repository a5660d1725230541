"""Bytes in, a photo out: the one decoder, for files, training data, requests and pages."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from cnnlg_tf.errors import CnnlgError, ImageError
from cnnlg_tf.photos import deep_colour
from cnnlg_tf.photos.photo import Metadata, Photo
from cnnlg_tf.photos.quiet import no_warnings

MAX_MEGAPIXELS = 150  # larger headers are taken for decompression bombs; Pillow's own stop is 179
READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")
_ORIENTATION = 0x0112
# tags of TIFF's own layout, which stand among the EXIF tags of a TIFF file
_TIFF_LAYOUT = {*range(254, 260), 262, 266, *range(273, 280), 284, 297, 317, 320}
_TIFF_LAYOUT |= {*range(322, 326), 338, 339, 347, 34675}


def decode_photo(data: bytes, name: str) -> Photo:
    """Decode a photo's file; the package's first page says what becomes of each kind.

    Args:
        data: the file's bytes.
        name: what messages call it.

    Raises:
        ImageError: the bytes are none, truncated, no image, of a kind that has no RGB form, or
            larger than MAX_MEGAPIXELS.
    """
    image, deep, notes = open_image(data, f"photo {name}", ImageError)
    return photo_of_image(image, name, data if deep else None, notes)


def photo_of_image(
    image: Image.Image, name: str, deep: bytes | None = None, notes: Sequence[str] = ()
) -> Photo:
    """The photo in a PIL image; `deep` is its file where Pillow reads 16 bits as 8.

    Raises:
        ImageError: the image has no RGB form, or cannot be loaded.
    """
    with no_warnings():
        try:
            return _photo(deep, image, list(notes), f"photo {name}")
        except CnnlgError:
            raise
        except Exception as error:  # Pillow raises many types on damaged files
            raise ImageError(f"photo {name} is truncated or damaged: {error}") from error


def open_image(
    data: bytes, noun: str, error_type: type[CnnlgError]
) -> tuple[Image.Image, bool, list[str]]:
    """The loaded image, whether its file holds 16-bit values, and what is not read of it.

    Args:
        noun: "photo a.png" or "mask a.png", for messages; error_type: what is raised then.
    """
    if not data:
        raise error_type(f"{noun} is empty: expected an image, received 0 bytes")
    too_large = f"{noun} must have at most {MAX_MEGAPIXELS} megapixels. Received: "
    with no_warnings():
        try:
            image = Image.open(io.BytesIO(data), formats=READABLE)
            width, height = image.size
            if width * height > MAX_MEGAPIXELS * 1e6:
                raise error_type(f"{too_large}{width} x {height}")
            deep = deep_colour.is_deep(image)
            frames = getattr(image, "n_frames", 1) if image.format != "MPO" else 1
            image.load()
        except Image.DecompressionBombError as error:
            raise error_type(f"{too_large}{error}") from error
        except UnidentifiedImageError as error:
            readable = ", ".join(READABLE)
            raise error_type(f"{noun} is no image that can be read ({readable})") from error
        except CnnlgError:
            raise
        except Exception as error:  # Pillow raises many types on damaged files
            raise error_type(f"{noun} is truncated or damaged: {error}") from error
    notes = [f"{noun} has {frames} frames: the first is used"] if frames > 1 else []
    return image, deep, notes


def orientation_and_exif(image: Image.Image) -> tuple[int, bytes | None]:
    """The rotation, 1 to 8, and the EXIF block without it, without thumbnail and TIFF's layout."""
    exif = image.getexif()
    orientation = exif.get(_ORIENTATION, 1)
    for tag in _TIFF_LAYOUT | {_ORIENTATION}:
        exif.pop(tag, None)
    return orientation, (exif.tobytes() if len(exif) else None)


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Undo the camera's rotation, EXIF values 1 to 8, of [h, w] or [h, w, c]."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def _photo(deep: bytes | None, image: Image.Image, notes: list[str], noun: str) -> Photo:
    try:
        orientation, exif = orientation_and_exif(image)
    except Exception:  # Pillow raises many types on damaged blocks
        orientation, exif = 1, None
        notes.append(f"the EXIF data of {noun} is damaged and left out")
    icc_profile = image.info.get("icc_profile")
    grey = image.mode in ("1", "L", "LA", "I", "I;16", "I;16L", "I;16B")
    if deep is not None or image.mode.startswith("I"):
        pixels, alpha = deep_colour.decode(deep or b"", image)
    else:
        if image.mode == "CMYK":
            image, icc_profile = _cmyk_to_rgb(image, icc_profile, notes, noun), None
        pixels, alpha = _split(image, noun)
    return Photo(
        pixels=upright(pixels, orientation),
        alpha=None if alpha is None else upright(alpha, orientation),
        grey=grey,
        metadata=Metadata(icc_profile=icc_profile, exif=exif),
        notes=tuple(notes),
    )


def _split(image: Image.Image, noun: str) -> tuple[np.ndarray, np.ndarray | None]:
    """uint8 RGB [h, w, 3] and alpha [h, w] of an 8-bit image."""
    if image.mode == "F":
        raise ImageError(f"{noun} must have 8 or 16 bits a channel. Received: float values")
    if not image.has_transparency_data:
        return np.array(image.convert("RGB")), None
    layers = np.array(image.convert("RGBA"))
    return layers[..., :3].copy(), layers[..., 3].copy()


def _cmyk_to_rgb(image: Image.Image, icc_profile: Any, notes: list[str], noun: str) -> Image.Image:
    from PIL import ImageCms

    if icc_profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            notes.append(f"the CMYK profile of {noun} cannot be used: colours may shift")
    return image.convert("RGB")
