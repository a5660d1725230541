"""A photo in, bytes out: the one encoder. What a format cannot hold is left out, and told once."""

import io
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from PIL import Image

from cnnlg_tf.errors import CnnlgError, ImageError
from cnnlg_tf.photos import exif, heif, png, tiff_writer
from cnnlg_tf.photos.depth import to_depth
from cnnlg_tf.photos.metadata import PHOTOSHOP_MARK
from cnnlg_tf.photos.photo import Chunk, Metadata, Photo

Format = Literal["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF"]

_JPEG_QUALITY = 95  # of a photo that was no JPEG
_LOSSY_QUALITY = 90  # AVIF and HEIC, whose scales are not JPEG's
_SEGMENT = 65533  # bytes in one segment of a JPEG file
_SEGMENT_EXIF, _SEGMENT_XMP = _SEGMENT - 6, _SEGMENT - 29
_SEGMENT_PHOTOSHOP = _SEGMENT - len(PHOTOSHOP_MARK)
_SEGMENT_ICC = 255 * (_SEGMENT - 14)  # a profile may take 255 segments
_LONG_VALUE = 4096  # bytes; longer EXIF values go first where room is short

logger = logging.getLogger("cnnlg_tf")


@dataclass(frozen=True)
class _Holds:
    """What a format can hold: number types from narrow to wide, and parts of Metadata."""

    types: tuple[str, ...]
    alpha: bool
    parts: frozenset[str]


_CARRIED = frozenset({"icc_profile", "exif", "xmp"})
_FORMATS: dict[str, _Holds] = {
    "PNG": _Holds(("uint8", "uint16"), True, _CARRIED | {"dpi", "text", "colour"}),
    "JPEG": _Holds(("uint8",), False, _CARRIED | {"dpi", "photoshop"}),
    "WEBP": _Holds(("uint8",), True, _CARRIED),
    "TIFF": _Holds(("uint8", "uint16", "float32"), True, _CARRIED | {"dpi", "photoshop"}),
    "AVIF": _Holds(("uint8",), True, _CARRIED),
    "HEIF": _Holds(("uint8",), True, _CARRIED),
}
_DEPTHS = {"uint8": "8 bits a channel", "uint16": "16 bits a channel", "float32": "float values"}


def encode_photo(
    photo: Photo, form: Format, *, quality: int | None = None, name: str = "the output"
) -> bytes:
    """A file of `photo` in the format `form`.

    What the format cannot hold is left out, which is logged as one warning that names the photo.

    Args:
        quality: 1 to 100 for a lossy file. None: a JPEG photo keeps its quantisation tables and
            subsampling in a JPEG; others get 95 at full colour resolution; AVIF and HEIC 90; WebP
            is lossless. PNG and TIFF always are.
        name: what messages call the output.

    Raises:
        ImageError: the format cannot hold the photo, or the quality is out of range.
        MissingExtraError: HEIC without pillow-heif.
    """
    if quality is not None and not 1 <= quality <= 100:
        raise ImageError(f"quality must be from 1 to 100. Received: {quality}")
    lost: list[str] = []
    layers = _layers(photo, form, lost)
    metadata = _metadata(photo.metadata, form, layers.shape[-1], photo.grey, lost)
    try:
        data = _encode(layers, metadata, form, quality, photo)
    except CnnlgError:
        raise
    except Exception as error:  # whatever a library does not like about the photo
        raise ImageError(f"output {name} cannot be encoded as {form}: {error}") from error
    if lost:
        logger.warning(
            "photo %s: %s (%s) cannot hold %s: left out",
            *(photo.name, name, form, ", ".join(lost)),
        )
    return data


def _layers(photo: Photo, form: Format, lost: list[str]) -> np.ndarray:
    """[height, width, 1 to 4] of a type that the format holds."""
    holds = _FORMATS[form]
    pixels, alpha = photo.pixels, photo.alpha
    if alpha is not None and not holds.alpha:
        if not photo.opaque:
            lost.append("its transparency")
        alpha = None
    if pixels.dtype.name not in holds.types:
        depth, widest = pixels.dtype.name, holds.types[-1]
        lost.append(f"its {_DEPTHS[depth]} (rounded to {_DEPTHS[widest]})")
        pixels = to_depth(pixels, widest)
        alpha = None if alpha is None else to_depth(alpha, widest)
    two_deep_channels = form == "PNG" and alpha is not None and pixels.dtype != np.uint8
    if photo.grey and not two_deep_channels and form not in ("WEBP", "AVIF"):
        pixels = pixels[..., :1] if _is_grey(pixels) else _mean(pixels)
    if alpha is not None:
        pixels = np.concatenate([pixels, alpha[..., np.newaxis]], axis=-1)
    return np.ascontiguousarray(pixels)


def _is_grey(pixels: np.ndarray) -> bool:
    first = pixels[..., :1]
    return bool(np.array_equal(np.broadcast_to(first, pixels.shape), pixels, equal_nan=False))


def _mean(pixels: np.ndarray) -> np.ndarray:
    mean: np.ndarray = pixels.mean(axis=-1, keepdims=True, dtype=np.float32)
    return (np.rint(mean) if pixels.dtype.kind == "u" else mean).astype(pixels.dtype)


def _metadata(
    given: Metadata, form: Format, channels: int, grey: bool, lost: list[str]
) -> Metadata:
    """The part of the metadata that the format can hold; what is lost is added to `lost`."""
    parts = _FORMATS[form].parts
    kept = given
    if given.exif:
        kept = replace(kept, exif=_sound_exif(given.exif, lost))
    if given.icc_profile and channels >= 3 and given.icc_profile[16:20] == b"GRAY":
        lost.append("its profile, which is one of grey")
        kept = replace(kept, icc_profile=None)
    if given.dpi and "dpi" not in parts and not _exif_has_resolution(kept.exif):
        lost.append(f"its resolution ({given.dpi[0]:.0f} dpi)")
    if given.photoshop and "photoshop" not in parts:
        lost.append("its IPTC and other Photoshop data")
        kept = replace(kept, photoshop=None)
    if "text" not in parts:
        comment = next((c for c in given.text if _is_comment(c)), None) if form == "JPEG" else None
        names = [png.keyword(chunk) for chunk in given.text if chunk is not comment]
        if names:
            lost.append(f"its texts ({', '.join(dict.fromkeys(names))})")
        kept = replace(kept, text=(comment,) if comment else ())
    if "colour" not in parts and given.colour and not kept.icc_profile:
        kept = _without_chunks(kept, grey, lost)
    return _fitted_to_jpeg(kept, lost) if form == "JPEG" else kept


def _is_comment(chunk: Chunk) -> bool:
    """Whether a text fits the comment of a JPEG file."""
    return png.keyword(chunk) == "Comment" and 0 < len(png.text(chunk)) <= _SEGMENT


def _sound_exif(block: bytes, lost: list[str]) -> bytes | None:
    block = exif.without_prefix(block)
    try:
        exif.parse(block)
    except ValueError:
        lost.append("its EXIF data, which are damaged")
        return None
    return block


def _exif_has_resolution(block: bytes | None) -> bool:
    return block is not None and {282, 283} <= exif.parse(block)[1].tags.keys()


def _without_chunks(kept: Metadata, grey: bool, lost: list[str]) -> Metadata:
    """What PNG's colour chunks say, as a profile where that is sRGB."""
    kinds = [chunk.kind.decode("latin-1") for chunk in kept.colour]
    if "sRGB" in kinds and "cICP" not in kinds:
        if grey:  # whose profile would be another; without one, grey is taken for sRGB's
            return kept
        from PIL import ImageCms

        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        return replace(kept, icc_profile=profile)
    lost.append(f"what its numbers mean as colours ({', '.join(kinds)})")
    return kept


def _fitted_to_jpeg(kept: Metadata, lost: list[str]) -> Metadata:
    """Metadata of which each part fits the segments of a JPEG file."""
    if kept.exif and len(kept.exif) > _SEGMENT_EXIF:
        lost.append(f"all of its EXIF data ({len(kept.exif)} bytes; {_SEGMENT_EXIF} fit)")
        kept = replace(kept, exif=_short_exif(kept.exif))

    def fits(value: bytes | None, room: int, what: str) -> bytes | None:
        if value is None or len(value) <= room:
            return value
        lost.append(f"its {what} ({len(value)} bytes; {room} fit)")
        return None

    return replace(
        kept,
        icc_profile=fits(kept.icc_profile, _SEGMENT_ICC, "colour profile"),
        xmp=fits(kept.xmp, _SEGMENT_XMP, "XMP data"),
        photoshop=fits(kept.photoshop, _SEGMENT_PHOTOSHOP, "IPTC and other Photoshop data"),
    )


def _short_exif(block: bytes) -> bytes | None:
    """The block without long values, if that makes it fit."""
    order, directory = exif.parse(block)
    shorter = exif.serialise(order, directory.smaller_than(_LONG_VALUE))
    return shorter if len(shorter) <= _SEGMENT_EXIF else None


def _encode(
    layers: np.ndarray, metadata: Metadata, form: Format, quality: int | None, photo: Photo
) -> bytes:
    if form == "PNG":
        return png.encode(layers, metadata)
    if form == "TIFF":
        return tiff_writer.encode(layers, metadata)
    if form == "HEIF":
        return heif.encode(layers, metadata, quality or _LOSSY_QUALITY)
    options: dict[str, Any] = {"icc_profile": metadata.icc_profile, "xmp": metadata.xmp}
    if metadata.exif:
        options["exif"] = b"Exif\0\0" + metadata.exif
    options = {key: value for key, value in options.items() if value}
    options |= _OPTIONS[form](photo, metadata, quality)
    buffer = io.BytesIO()
    image = Image.fromarray(layers[..., 0] if layers.shape[-1] == 1 else layers)
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _jpeg_options(photo: Photo, metadata: Metadata, quality: int | None) -> dict[str, Any]:
    options: dict[str, Any]
    if quality is None and photo.jpeg is not None:
        options = {
            "qtables": [list(table) for table in photo.jpeg.tables],
            "subsampling": photo.jpeg.subsampling or "4:4:4",
            "progressive": photo.jpeg.progressive,
        }
    else:
        options = {"quality": quality or _JPEG_QUALITY, "subsampling": "4:4:4"}
    if metadata.dpi:
        options["dpi"] = tuple(min(max(round(value), 1), 65535) for value in metadata.dpi)
    if metadata.photoshop:
        body = PHOTOSHOP_MARK + metadata.photoshop
        options["extra"] = b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body
    if metadata.text:
        options["comment"] = png.text(metadata.text[0])
    return options


def _webp_options(photo: Photo, metadata: Metadata, quality: int | None) -> dict[str, Any]:
    if quality is None:
        return {"lossless": True, "exact": True, "method": 2}
    return {"quality": quality, "exact": True, "method": 4}


def _avif_options(photo: Photo, metadata: Metadata, quality: int | None) -> dict[str, Any]:
    return {"quality": quality or _LOSSY_QUALITY, "subsampling": "4:4:4", "speed": 8}


_OPTIONS: dict[str, Callable[[Photo, Metadata, int | None], dict[str, Any]]] = {
    "JPEG": _jpeg_options,
    "WEBP": _webp_options,
    "AVIF": _avif_options,
}
