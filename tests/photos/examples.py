"""Small valid files of every format that is read, with metadata, for tests that damage or compare them."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image, ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" '
    b'dc:title="a tree"/></x:xmpmeta>'
)
HEIGHT, WIDTH = 24, 36


def colours() -> np.ndarray:
    """uint8 [24, 36, 3], smooth enough for lossy formats."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = [np.sin(x / 9 + phase) + np.cos(y / 7 - phase) for phase in (0, 1, 2)]
    return np.clip(128 + 60 * np.stack(waves, axis=-1), 0, 255).astype(np.uint8)


def exif_block(orientation: int = 1) -> bytes:
    """An EXIF block with Exif, GPS and Interoperability directories, from its `Exif` mark on."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", orientation
    exif.get_ifd(0x8769)[0x829A] = 0.5
    exif.get_ifd(0x8769)[0xA005] = {1: "R98"}
    exif.get_ifd(0x8825)[1], exif.get_ifd(0x8825)[2] = "N", (51.0, 30.0, 0.0)
    return exif.tobytes()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def with_chunks(png: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file with chunks behind its header."""
    return png[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + png[33:]


def pillow(form: str, mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(colours()).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def tiff(layers: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, layers, metadata=None, **options)
    return buffer.getvalue()


def heic() -> bytes:
    import pillow_heif

    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(colours())).save(buffer, exif=exif_block(), xmp=XMP)
    return buffer.getvalue()


def _deep(layers: np.ndarray) -> np.ndarray:
    return layers.astype(np.uint16) * 257


def _animation(form: str) -> bytes:
    frames = [Image.fromarray(each).quantize(32) for each in (colours(), colours()[::-1])]
    buffer = io.BytesIO()
    frames[0].save(buffer, form, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


MAKERS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: pillow("JPEG", exif=exif_block(6), icc_profile=SRGB, xmp=XMP, dpi=(300, 300)),
    "progressive": lambda: pillow("JPEG", "L", progressive=True, comment=b"a tree"),
    "cmyk": lambda: pillow("JPEG", "CMYK"),
    "mpo": lambda: pillow(
        "MPO", save_all=True, append_images=[Image.fromarray(colours()[::2, ::2, 0])]
    ),
    "png": lambda: with_chunks(
        pillow("PNG", exif=exif_block(8), icc_profile=SRGB, dpi=(300, 300)),
        (b"gAMA", struct.pack(">I", 100000)),
        (b"tEXt", b"Author\0me"),
    ),
    "palette": lambda: pillow("PNG", "P", transparency=3),
    "png16": lambda: cv2.imencode(".png", _deep(colours()))[1].tobytes(),
    "apng": lambda: _animation("PNG"),
    "gif": lambda: _animation("GIF"),
    "webp": lambda: pillow("WEBP", "RGBA", exif=exif_block(3), xmp=XMP),
    "avif": lambda: pillow("AVIF", exif=exif_block(), xmp=XMP),
    "heic": heic,
    "bmp": lambda: pillow("BMP"),
    "tga": lambda: pillow("TGA", compression="tga_rle"),
    "ppm": lambda: pillow("PPM"),
    "pgm16": lambda: b"P5\n36 24\n1023\n" + (_deep(colours()[..., 0]) >> 6).astype(">u2").tobytes(),
    "jp2": lambda: pillow("JPEG2000"),
    "ico": lambda: pillow("ICO", "RGBA"),
    "qoi": lambda: pillow("QOI"),
    "pcx": lambda: pillow("PCX"),
    "sgi": lambda: pillow("SGI"),
    "dds": lambda: pillow("DDS"),
    "tiff": lambda: pillow("TIFF", "RGBA", compression="tiff_lzw", icc_profile=SRGB),
    "tiff_exif": lambda: pillow("TIFF", exif=exif_block(6), dpi=(300, 300)),
    "tiff_jpeg": lambda: pillow("TIFF", compression="jpeg"),
    "tiff_g4": lambda: pillow("TIFF", "1", compression="group4"),
    "tiff_lab": lambda: tiff(colours(), photometric="cielab"),
    "tiff_tiles": lambda: tiff(
        _deep(colours()), photometric="rgb", tile=(16, 16), compression="zlib", predictor=True
    ),
    "tiff_planes": lambda: tiff(
        np.moveaxis(colours(), -1, 0), photometric="rgb", planarconfig="separate", byteorder=">"
    ),
    "bigtiff": lambda: tiff(
        np.float32(colours() / 255), photometric="rgb", bigtiff=True, compression="zlib"
    ),
}


@cache
def whole(name: str) -> bytes:
    """One of MAKERS' files."""
    return MAKERS[name]()
