"""What a file says beside its pixels, as Pillow hands it over, made true for a repaired photo."""

import math
import re
import struct
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from PIL import Image

from cnnlg_tf.photos import exif, png
from cnnlg_tf.photos.photo import Chunk, JpegCoding, Metadata
from cnnlg_tf.photos.raster import Raster

PHOTOSHOP_MARK = b"Photoshop 3.0\0"
_RAW_PROFILES = {"Raw profile type exif", "Raw profile type xmp", "Raw profile type icc"}
_BOXES = 2**16  # bytes, within which an AVIF or HEIC file describes itself
_GAIN_MAP_XMP = (b"hdrgm:", b"HDRGainMap")
_MOTION_XMP = (b"MotionPhoto", b"MicroVideo")
_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496"
_THUMBNAIL_RESOURCES = (1033, 1036)


def add_metadata(raster: Raster, image: Image.Image, data: bytes) -> None:
    """Fill in a raster's metadata and orientation from an opened image and its file's bytes."""
    info = image.info
    block, orientation, notes = None, 1, raster.notes
    try:
        block, orientation = _exif(image, data)
    except ValueError:
        notes.append("has EXIF data that are damaged and left out")
    is_png = data.startswith(png.SIGNATURE)
    xmp = _png_text(data, png.XMP_KEYWORD.decode()) if is_png else _bytes(info.get("xmp"))
    marks = _segments(image, b"APP2")
    if image.format == "MPO" and _second_pictures(image):
        notes.append("has a second picture (a gain map or a stereo view), which is left out")
    elif (
        _mentions(xmp, _GAIN_MAP_XMP)
        or any(mark.startswith(_ISO_GAIN_MAP) for mark in marks)
        or has_tone_map(data)
    ):
        notes.append("has a gain map, which is left out")
    if _mentions(xmp, _MOTION_XMP):
        notes.append("has a video (a motion photo), which is left out")
    if any(s.startswith(b"http://ns.adobe.com/xmp/extension/") for s in _segments(image, b"APP1")):
        notes.append("has extended XMP, which is left out")
    if any(s.startswith(b"JP") for s in _segments(image, b"APP11")):
        notes.append("has content credentials, which a repair makes void and which are left out")
    raster.orientation = orientation
    raster.metadata = Metadata(
        icc_profile=png.profile(data) if is_png else _bytes(info.get("icc_profile")),
        exif=block,
        xmp=neutral_xmp(xmp),
        dpi=_dpi(info.get("dpi")),
        photoshop=neutral_photoshop(_photoshop(image)),
        text=tuple(_text(image, data)),
        colour=tuple(c for c in png.chunks(data) if c.kind in png.COLOUR) if is_png else cicp(data),
    )
    raster.jpeg = _jpeg_coding(image, orientation)


def cicp(data: bytes) -> tuple[Chunk, ...]:
    """What an AVIF or HEIC file says of its colours by numbers, if it is not sRGB, as PNG says it."""
    box = data.find(b"colrnclx", 0, _BOXES) if data[4:8] == b"ftyp" else -1
    if box < 0 or len(data) < box + 15:
        return ()
    primaries, transfer = struct.unpack_from(">HH", data, box + 8)
    plain = primaries in (1, 2) and transfer in (1, 2, 6, 13)
    if plain or max(primaries, transfer) > 255:
        return ()
    return (Chunk(b"cICP", bytes([primaries, transfer, 0, 1])),)


def has_tone_map(data: bytes) -> bool:
    """Whether an AVIF or HEIC file names the brand of pictures with a gain map (ISO 21496-1)."""
    return data[4:8] == b"ftyp" and b"tmap" in data[8:64]


def neutral_xmp(packet: bytes | None) -> bytes | None:
    """An XMP packet that asks for no rotation, has no thumbnail and tells of no gain map or video."""
    if not packet or _mentions(packet, (*_GAIN_MAP_XMP, *_MOTION_XMP)):
        return None
    packet = re.sub(rb'(tiff:Orientation\s*=\s*["\'])\d', rb"\g<1>1", packet)
    packet = re.sub(rb"(<tiff:Orientation>\s*)\d", rb"\g<1>1", packet)
    for name in (b"xmp:Thumbnails", b"xap:Thumbnails"):
        start, end = packet.find(b"<" + name), packet.rfind(b"</" + name + b">")
        if 0 <= start < end:
            packet = packet[:start] + packet[end + len(name) + 3 :]
    return packet


def resized(metadata: Metadata, height: int, width: int) -> Metadata:
    """The same metadata for pixels of another size: what EXIF and XMP say of it is that."""
    block, packet = metadata.exif, metadata.xmp
    if packet:
        names = (
            (rb"PixelXDimension|tiff:ImageWidth", width),
            (rb"PixelYDimension|tiff:ImageLength", height),
        )
        for name, size in names:
            packet = re.sub(
                rb"((?:" + name + rb")\s*(?:=\s*[\"']|>\s*))\d+", rb"\g<1>%d" % size, packet
            )
    return replace(metadata, exif=block and exif.sized(block, height, width), xmp=packet)


def neutral_photoshop(resources: bytes | None) -> bytes | None:
    """Photoshop's resources without thumbnails; what cannot be parsed stays as it is."""
    if not resources:
        return None
    kept, at = b"", 0
    try:
        while at < len(resources):
            if resources[at : at + 4] != b"8BIM":
                return resources
            (number, name_length) = struct.unpack_from(">HB", resources, at + 4)
            size_at = at + 6 + (name_length + 2) // 2 * 2
            (size,) = struct.unpack_from(">I", resources, size_at)
            end = size_at + 4 + size + size % 2
            if number not in _THUMBNAIL_RESOURCES:
                kept += resources[at:end]
            at = end
    except struct.error:
        return resources
    return kept or None


def _mentions(packet: bytes | None, words: Iterable[bytes]) -> bool:
    return packet is not None and any(word in packet for word in words)


def _bytes(value: Any) -> bytes | None:
    if isinstance(value, str):
        value = value.encode("utf-8", "replace")
    return bytes(value) if isinstance(value, bytes | bytearray) and value else None


def _exif(image: Image.Image, data: bytes) -> tuple[bytes | None, int]:
    block = image.info.get("exif")
    raw = _png_text(data, "Raw profile type exif")  # ImageMagick's
    if not block and raw:
        block = bytes.fromhex(b"".join(raw.split(b"\n")[3:]).decode("latin-1"))
    if not isinstance(block, bytes) or not exif.without_prefix(block):
        return None, 1
    orientation, block = exif.neutral(exif.without_prefix(block))
    return block, orientation


def _png_text(data: bytes, name: str) -> bytes | None:
    """The PNG text of this name; None if there is none."""
    if not data.startswith(png.SIGNATURE):
        return None
    texts = (chunk for chunk in png.chunks(data) if chunk.kind in png.TEXT)
    return next((png.text(chunk) for chunk in texts if png.keyword(chunk) == name), None) or None


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        x, y = (float(each) for each in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    usable = all(math.isfinite(each) and 0 < each < 1e6 for each in (x, y))
    return (x, y) if usable else None


def _segments(image: Image.Image, kind: bytes) -> list[bytes]:
    """The APPn segments of a JPEG file."""
    return [body for name, body in getattr(image, "applist", ()) if name.encode() == kind]


def _photoshop(image: Image.Image) -> bytes | None:
    marked = [s for s in _segments(image, b"APP13") if s.startswith(PHOTOSHOP_MARK)]
    return b"".join(segment.removeprefix(PHOTOSHOP_MARK) for segment in marked) or None


def _second_pictures(image: Image.Image) -> bool:
    entries = getattr(image, "mpinfo", {}).get(0xB002, [])
    kinds = [entry.get("Attribute", {}).get("MPType", "") for entry in entries[1:]]
    return any("Thumbnail" not in str(kind) for kind in kinds)


def _text(image: Image.Image, data: bytes) -> list[Chunk]:
    if data.startswith(png.SIGNATURE):
        skipped = {*_RAW_PROFILES, png.XMP_KEYWORD.decode()}
        found = [chunk for chunk in png.chunks(data) if chunk.kind in png.TEXT]
        return [chunk for chunk in found if png.keyword(chunk) not in skipped]
    comment = _bytes(image.info.get("comment"))
    return [png.text_chunk("Comment", comment)] if comment else []


def _jpeg_coding(image: Image.Image, orientation: int) -> JpegCoding | None:
    tables = getattr(image, "quantization", None)
    if image.format not in ("JPEG", "MPO") or image.mode not in ("L", "RGB") or not tables:
        return None
    ordered = tuple(tuple(tables[number]) for number in sorted(tables))
    if len(ordered) > 2 or any(len(t) != 64 or not 1 <= min(t) <= max(t) <= 255 for t in ordered):
        return None
    from PIL import JpegImagePlugin

    found = JpegImagePlugin.get_sampling(image)
    coding = JpegCoding(
        ordered,
        {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}.get(found),
        bool(image.info.get("progressive")),
    )
    return coding.turned() if orientation >= 5 else coding
