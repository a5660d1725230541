"""HEIC files, by pillow-heif (the extra `heic`): 8 bits, or 10 and 12 as 16."""

import io
from typing import Any

import numpy as np

from cnnlg_tf.extras import require
from cnnlg_tf.photos import exif
from cnnlg_tf.photos.metadata import cicp, has_tone_map, neutral_xmp
from cnnlg_tf.photos.photo import Metadata
from cnnlg_tf.photos.raster import Raster, divided

_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def pillow_heif() -> Any:
    """The library.

    Raises:
        MissingExtraError: it is not installed; the message has the pip line.
    """
    return require("pillow_heif", "heic")


def is_heif(data: bytes) -> bool:
    """Whether a file starts like a HEIC; AVIF files, which Pillow reads, name another brand."""
    return data[4:8] == b"ftyp" and data[8:12] in _BRANDS and b"avif" not in data[12:64]


def read(data: bytes, check_size: Any) -> Raster:
    """The raster of a HEIC file's primary picture, which the library has turned upright.

    Raises:
        MissingExtraError: pillow-heif is not installed; what it raises on damaged files.
    """
    library = pillow_heif()
    file = library.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    check_size(*file.size)
    info, layers = file.info, np.array(file)
    bits = int(info.get("bit_depth", 8))
    if layers.dtype == np.uint16 and bits < 16:  # the library shifts them to the top
        narrow = (layers >> (16 - bits)).astype(np.float32)
        layers = np.rint(narrow * np.float32(65535 / (2**bits - 1))).astype(np.uint16)
    layers = layers[..., np.newaxis] if layers.ndim == 2 else layers
    count = layers.shape[-1]
    raster = Raster(
        np.ascontiguousarray(layers[..., : 3 if count >= 3 else 1]),
        np.ascontiguousarray(layers[..., -1]) if count in (2, 4) else None,
        form="HEIF",
        bits=bits,
    )
    if raster.alpha is not None and file.premultiplied_alpha:
        raster.colours = divided(raster.colours, raster.alpha)
    if len(file) > 1:
        raster.notes.append(f"has {len(file)} pictures: the primary one is used")
    if info.get("depth_images"):
        raster.notes.append("has a depth map, which is left out")
    named = any("gainmap" in str(name).lower() for name in info.get("aux", {}))
    if named or has_tone_map(data):
        raster.notes.append("has a gain map, which is left out")
    block = info.get("exif")
    try:
        block = exif.neutral(exif.without_prefix(block))[1] if block else None
    except ValueError:
        block = None
        raster.notes.append("has EXIF data that are damaged and left out")
    raster.metadata = Metadata(
        icc_profile=info.get("icc_profile") or None,
        exif=block,
        xmp=neutral_xmp(info.get("xmp")),
        colour=cicp(data),
    )
    return raster


def encode(layers: np.ndarray, metadata: Metadata, quality: int) -> bytes:
    """A HEIC file of uint8 [height, width, c]: grey (c = 1, 2) or RGB (3, 4), at full colour resolution."""
    library = pillow_heif()
    height, width, count = layers.shape
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[count]
    file = library.from_bytes(mode, (width, height), layers.tobytes())
    buffer = io.BytesIO()
    options: dict[str, Any] = {"quality": quality, "chroma": 444}
    if metadata.icc_profile:
        options |= {"icc_profile": metadata.icc_profile, "icc_profile_type": "prof"}
    if metadata.exif:
        options["exif"] = b"Exif\0\0" + metadata.exif
    if metadata.xmp:
        options["xmp"] = metadata.xmp
    file.save(buffer, **options)
    return buffer.getvalue()
