"""TIFF files of other programs: every meaning of the numbers is read rightly, or refused by its name."""

import io
import struct
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from cnnlg_tf.errors import ImageError
from cnnlg_tf.photos import Photo, decode_mask, decode_photo, encode_photo
from cnnlg_tf.photos.exif import Directory, Tag, directory_bytes
from tests.photos.examples import colours, tiff

RNG = np.random.default_rng(0)


def deep(*shape: int) -> np.ndarray:
    return RNG.integers(0, 65536, shape, np.uint16)


def packed_tiff(values: np.ndarray, bits: int, photometric: int = 1, fill_order: int = 1) -> bytes:
    """A grey, or with [h, w, 3] an RGB, TIFF of numbers of `bits` bits, rows padded to whole bytes."""
    height, width = values.shape[:2]
    each = (values.reshape(height, -1, 1).astype(np.int64) >> np.arange(bits - 1, -1, -1)) & 1
    rows = np.packbits(each.reshape(height, -1).astype(np.uint8), axis=-1)
    if fill_order == 2:
        rows = np.packbits(np.unpackbits(rows).reshape(-1, 8)[:, ::-1]).reshape(rows.shape)
    channels = values.shape[2] if values.ndim == 3 else 1
    strip = rows.tobytes()
    numbers = {256: [width], 257: [height], 258: [bits] * channels, 259: [1], 262: [photometric]}
    numbers |= {266: [fill_order], 273: [8], 277: [channels], 278: [height], 279: [len(strip)]}
    tags = {n: Tag(3, len(v), struct.pack(f"<{len(v)}H", *v)) for n, v in numbers.items()}
    strip += bytes(len(strip) % 2)
    start = 8 + len(strip)
    return (
        b"II" + struct.pack("<HL", 42, start) + strip + directory_bytes("<", Directory(tags), start)
    )


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize(
    "layout", ["strips", "tiles", "planes", "big-endian", "BigTIFF", "predictor"]
)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_every_layout_is_read_exactly(kind: Any, layout: str, compression: str | None) -> None:
    whole = RNG.random((37, 53, 3)).astype(kind) if kind == np.float32 else deep(37, 53, 3)
    whole = (whole >> 8).astype(kind) if kind == np.uint8 else whole
    options: dict[str, Any] = {
        "strips": {"rowsperstrip": 10},
        "tiles": {"tile": (16, 32)},
        "planes": {"planarconfig": "separate"},
        "big-endian": {"byteorder": ">"},
        "BigTIFF": {"bigtiff": True},
        "predictor": {"predictor": kind != np.float32 and compression is not None},
    }[layout]
    stored = np.moveaxis(whole, -1, 0) if layout == "planes" else whole
    data = tiff(stored, photometric="rgb", compression=compression, **options)
    photo = decode_photo(data, "a.tif")
    assert photo.pixels.dtype == kind and np.array_equal(photo.pixels, whole)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "zstd", "lzma", "tiff_deflate"])
@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "I;16"])
def test_lossless_compressions(compression: str, mode: str) -> None:
    image = (
        Image.fromarray(deep(20, 30))
        if mode == "I;16"
        else Image.fromarray(colours()).convert(mode)
    )
    buffer = io.BytesIO()
    image.save(buffer, "TIFF", compression=compression)
    found = decode_photo(buffer.getvalue(), "a.tif").pixels
    expected = np.asarray(image if mode == "I;16" else image.convert("RGB"))
    assert np.array_equal(found[..., 0] if mode == "I;16" else found, expected)


def test_float_predictor() -> None:
    """As libtiff writes it: bytes of a row in planes, highest first, as differences."""
    whole = RNG.random((8, 12, 3)).astype(np.float32)
    planes = whole.astype(">f4").view(np.uint8).reshape(8, 36, 4).swapaxes(1, 2).reshape(8, 48, 3)
    coded = np.diff(planes, axis=1, prepend=np.zeros((8, 1, 3), np.uint8)).astype(np.uint8)
    plain = bytearray(tiff(whole, photometric="rgb", predictor=None, rowsperstrip=8))
    with tifffile.TiffFile(io.BytesIO(plain)) as file:
        (start,) = file.pages.first.dataoffsets
        plain[start : start + coded.size] = coded.tobytes()
        first = file.pages.first.offset
    count = struct.unpack_from("<H", plain, first)[0]
    table = bytes(plain[first + 2 : first + 2 + 12 * count])
    entry = struct.pack("<HHLHxx", 317, 3, 1, 3)
    entries = sorted(
        [table[n : n + 12] for n in range(0, len(table), 12)] + [entry], key=lambda e: e[1::-1]
    )
    place = len(plain)
    plain += struct.pack("<H", count + 1) + b"".join(entries) + bytes(4)
    struct.pack_into("<L", plain, 4, place)
    assert np.array_equal(decode_photo(bytes(plain), "a.tif").pixels, whole)


@pytest.mark.parametrize("fill_order", [1, 2])
@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8, 10, 12, 14, 15])
def test_every_number_of_bits_spans_the_whole_range(bits: int, fill_order: int) -> None:
    most = 2**bits - 1
    values = RNG.integers(0, most + 1, (9, 13))
    values[0, :2] = 0, most
    photo = decode_photo(packed_tiff(values, bits, fill_order=fill_order), "a.tif")
    full = 255 if bits <= 8 else 65535
    assert np.array_equal(photo.pixels[..., 1], np.rint(values * (full / most)))
    assert (photo.bits, photo.grey) == (bits, True)
    white_is_zero = decode_photo(packed_tiff(values, bits, 0, fill_order), "a.tif")
    assert np.array_equal(white_is_zero.pixels[..., 1], np.rint((most - values) * (full / most)))


def test_12_bit_colour() -> None:
    values = RNG.integers(0, 4096, (9, 13, 3))
    photo = decode_photo(packed_tiff(values, 12, photometric=2), "a.tif")
    assert np.array_equal(photo.pixels, np.rint(values * (65535 / 4095)))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_premultiplied_alpha_is_divided_out(kind: Any) -> None:
    white = 1.0 if kind == np.float32 else np.iinfo(kind).max
    alpha = (RNG.random((9, 13)) * white).astype(kind)
    alpha[0, :3] = 0, white, 1
    colour = (RNG.random((9, 13, 3)) * alpha[..., None]).astype(kind)
    colour[0, 0] = 0
    data = tiff(np.dstack([colour, alpha]), photometric="rgb", extrasamples=["assocalpha"])
    photo = decode_photo(data, "a.tif")
    ratio = white / np.maximum(alpha.astype(np.float64), 1e-9)[..., None]
    expected = np.where(alpha[..., None] > 0, colour * ratio, 0)
    assert np.array_equal(photo.alpha, alpha)
    assert np.abs(photo.pixels - np.minimum(expected, white)).max() <= (
        1e-6 if white == 1 else 0.50001
    )


def test_colours_over_their_alpha_are_clipped() -> None:
    layers = np.full((8, 8, 4), 200, np.uint8)
    layers[..., 3] = 100
    photo = decode_photo(tiff(layers, photometric="rgb", extrasamples=["assocalpha"]), "a.tif")
    assert (photo.pixels == 255).all() and (photo.alpha == 100).all()


@pytest.mark.parametrize("kinds", [["unspecified"], ["unspecified", "unassalpha"], []])
def test_extra_channels_that_are_no_alpha(kinds: list[str]) -> None:
    layers = deep(9, 13, 3 + len(kinds) if kinds else 4)
    photo = decode_photo(tiff(layers, photometric="rgb", extrasamples=kinds or None), "a.tif")
    assert np.array_equal(photo.pixels, layers[..., :3])
    if "unassalpha" in kinds:
        assert np.array_equal(photo.alpha, layers[..., 4])
    elif kinds:
        assert photo.alpha is None
        assert photo.notes == ("has extra channels that are no alpha, which are left out",)


def test_a_fourth_channel_without_a_word_is_alpha_as_opencv_writes_it() -> None:
    layers = deep(9, 13, 4)
    photo = decode_photo(cv2.imencode(".tiff", layers)[1].tobytes(), "a.tif")
    assert np.array_equal(photo.pixels, layers[..., 2::-1])
    assert np.array_equal(photo.alpha, layers[..., 3]) and not photo.notes
    layers[..., 3] = 0  # which would hide all
    photo = decode_photo(cv2.imencode(".tiff", layers)[1].tobytes(), "a.tif")
    assert photo.alpha is None and len(photo.notes) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_without_a_photometric_interpretation_zero_is_black(channels: int) -> None:
    layers = deep(9, 13, channels)
    data = tiff(np.squeeze(layers), photometric="rgb" if channels == 3 else "minisblack")
    place = data.index(struct.pack("<HHL", 262, 3, 1))
    data = data[:place] + struct.pack("<H", 263) + data[place + 2 :]
    assert np.array_equal(decode_photo(data, "a.tif").pixels, np.broadcast_to(layers, (9, 13, 3)))


def test_grey_with_alpha() -> None:
    layers = deep(9, 13, 2)
    data = tiff(
        layers, photometric="minisblack", extrasamples=["unassalpha"], planarconfig="contig"
    )
    photo = decode_photo(data, "a.tif")
    assert np.array_equal(photo.pixels[..., 2], layers[..., 0])
    assert np.array_equal(photo.alpha, layers[..., 1]) and photo.grey


@pytest.mark.parametrize("factor", [1, 256, 257])
def test_palettes_of_8_and_16_bits(factor: int) -> None:
    palette = RNG.integers(0, 256, (3, 256), np.uint16)
    indices = RNG.integers(0, 256, (9, 13), np.uint8)
    data = tiff(indices, photometric="palette", colormap=palette * np.uint16(factor))
    assert np.array_equal(decode_photo(data, "a.tif").pixels, palette.T[indices])


def test_cmyk_of_8_and_16_bits() -> None:
    inks = RNG.integers(0, 256, (9, 13, 4), np.uint8)
    expected = np.asarray(Image.frombytes("CMYK", (13, 9), inks.tobytes()).convert("RGB"))
    for layers in (inks, inks.astype(np.uint16) * 257):
        photo = decode_photo(tiff(layers, photometric="separated", planarconfig="contig"), "a.tif")
        assert np.array_equal(photo.pixels, expected)
        assert len(photo.notes) == (layers.dtype == np.uint16)


def test_lab_is_converted() -> None:
    lab = np.empty((9, 13, 3), np.uint8)
    lab[..., 0], lab[..., 1:] = np.linspace(0, 255, 13), 0  # a = b = 0: greys
    pixels = decode_photo(tiff(lab, photometric="cielab"), "a.tif").pixels.astype(int)
    assert np.ptp(pixels, axis=-1).max() <= 1 and (np.diff(pixels[0, :, 1]) > 0).all()
    lab[..., 1] = 60  # towards red
    red = decode_photo(tiff(lab, photometric="cielab"), "a.tif").pixels.astype(int)
    assert (red[:, 2:-2, 0] > red[:, 2:-2, 1]).all()


def test_ycbcr_is_converted() -> None:
    stored = np.asarray(Image.fromarray(colours()).convert("YCbCr"))
    for tags in ([(530, 3, 2, (1, 1), True)], []):  # not all writers know that they need the tag
        data = tiff(stored, photometric="ycbcr", extratags=tags)
        difference = decode_photo(data, "a.tif").pixels.astype(int) - colours()
        assert np.abs(difference).max() <= 3  # rounded twice


def test_jpeg_and_fax_inside_tiff() -> None:
    buffer = io.BytesIO()
    Image.fromarray(colours()).save(buffer, "TIFF", compression="jpeg", quality=95)
    assert np.abs(decode_photo(buffer.getvalue(), "a").pixels.astype(int) - colours()).mean() < 3
    buffer, bits = io.BytesIO(), colours()[..., 0] > 128
    Image.fromarray(bits).save(buffer, "TIFF", compression="group4")
    assert np.array_equal(decode_photo(buffer.getvalue(), "a").pixels[..., 0] > 0, bits)
    assert np.array_equal(decode_mask(buffer.getvalue(), "a"), bits)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", ["raw", "jpeg"])
def test_orientation_is_applied_once(orientation: int, compression: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(colours()).save(buffer, "TIFF", compression=compression, exif=exif, quality=100)
    with Image.open(buffer) as image:
        shown = np.asarray(image)  # Pillow turns TIFF files itself
    photo = decode_photo(buffer.getvalue(), "a.tif")
    assert np.array_equal(photo.pixels, shown)
    again = decode_photo(encode_photo(photo, "TIFF"), "b.tif")
    assert np.array_equal(again.pixels, photo.pixels)


def test_the_first_full_page_is_used() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(colours()[::4, ::4], photometric="rgb", subfiletype=1)  # a preview
        file.write(colours(), photometric="rgb", subfiletype=0)
        file.write(colours()[::-1], photometric="rgb", subfiletype=0)
    photo = decode_photo(buffer.getvalue(), "a.tif")
    assert np.array_equal(photo.pixels, colours())
    assert photo.notes == ("has 2 pages: the first is used",)


@pytest.mark.parametrize(
    ("data", "end", "message"),
    [
        (packed_tiff(deep(9, 13) >> 8, 8), 100, "no picture, or ends before the picture's tags"),
        (tiff(deep(9, 13)), 300, "buffer is smaller than requested size"),
        (tiff(deep(9, 13), compression="zlib"), 300, "a strip or tile ends behind the file's end"),
    ],
)
def test_truncated_files(data: bytes, end: int, message: str) -> None:
    with pytest.raises(ImageError, match=f"photo a.tif is truncated or damaged: .*{message}"):
        decode_photo(data[:end], "a.tif")


def test_previews_of_raw_files_are_refused() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(colours(), photometric="rgb", subfiletype=1, subifds=1)
        file.write(deep(40, 60), photometric="minisblack")
    with pytest.raises(ImageError, match="a camera's raw file, of which only a preview"):
        decode_photo(buffer.getvalue(), "a.dng")
    canon = np.zeros((9, 13), int)
    canon[0, :3] = ord("C"), ord("R"), 2  # where this file has its pixels
    with pytest.raises(ImageError, match="photo a.cr2 must be .* a camera's raw file"):
        decode_photo(packed_tiff(canon, 8), "a.cr2")


FLOATS = np.linspace(0, 1, 117, dtype=np.float64).reshape(9, 13)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_stay_floats(kind: Any) -> None:
    values = FLOATS.astype(kind)
    photo = decode_photo(tiff(values), "a.tif")
    assert photo.pixels.dtype == np.float32
    assert np.array_equal(photo.pixels[..., 0], values.astype(np.float32))
    assert bool(photo.notes) == (kind == np.float64)
    again = decode_photo(encode_photo(photo, "TIFF"), "b.tif")
    assert again.pixels.dtype == np.float32 and np.array_equal(again.pixels, photo.pixels)
    rounded = decode_photo(encode_photo(photo, "PNG"), "b.png")
    assert np.array_equal(rounded.pixels, np.rint(photo.pixels * np.float32(65535)))


def test_32_bit_integers_are_read_as_16() -> None:
    values = RNG.integers(0, 2**32, (9, 13), np.uint32)
    photo = decode_photo(tiff(values), "a.tif")
    assert np.abs(photo.pixels[..., 0] - values / 65537).max() < 0.51
    assert photo.notes == ("has 32 bits a channel, of which the upper 16 are used",)
    small = RNG.integers(0, 65536, (9, 13), np.int32)
    assert np.array_equal(decode_photo(tiff(small), "a.tif").pixels[..., 0], small)


def edited(data: bytes, number: int, value: int) -> bytes:
    """The file with another value of a tag of one number."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        place = file.pages.first.tags[number].valueoffset
    return data[:place] + struct.pack("<H", value) + data[place + 2 :]


BAD = [
    (tiff(FLOATS * 2), r"Received: float values, 0 to 2"),
    (tiff(np.full((9, 13), np.inf, np.float32)), "Received: float values, inf to inf"),
    (tiff(np.full((9, 13), -1, np.int16)), "signed 16-bit integers, with values from -1 to -1"),
    (tiff(np.full((9, 13), 70000, np.int32)), "signed 32-bit integers, with values from 70000 to"),
    (tiff(np.zeros((9, 13), np.complex64)), r"64-bit samples of the format complex float"),
    (tiff(np.zeros((9, 13), np.uint64)), "64-bit samples of the format unsigned"),
    (edited(tiff(colours(), photometric="rgb"), 262, 32844), r"interpretation LOGL \(32844\)"),
    (edited(tiff(colours(), photometric="rgb"), 262, 9), "interpretation ICCLAB"),
    (edited(tiff(colours(), photometric="rgb"), 259, 34712), "the compression JPEG2000"),
    (edited(tiff(colours()[..., 0]), 262, 2), "1 channels for RGB"),
    (tiff(deep(9, 13, 3), photometric="cielab"), "LAB values of type uint16"),
    (
        tiff(deep(9, 13, 3), photometric="ycbcr"),
        "YCbCr values of type uint16",
    ),
    (edited(tiff(colours(), photometric="ycbcr"), 257, 50), "YCbCr with fewer samples of colour"),
    (
        tiff(
            deep(9, 13, 4),
            photometric="separated",
            planarconfig="contig",
            extratags=[(332, 3, 1, 2, True)],
        ),
        "inks that are not CMYK",
    ),
    (tiff(np.zeros((16, 16, 16), np.uint8), volumetric=True, tile=(16, 16, 16)), "a volume of 16"),
]


@pytest.mark.parametrize(("data", "message"), BAD)
def test_what_is_not_read_is_refused_by_its_name(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=f"photo a.tif must be .*{message}"):
        decode_photo(data, "a.tif")


def test_nan_is_kept_for_the_repair() -> None:
    values = FLOATS.astype(np.float32)
    values[3, 4] = np.nan
    photo = decode_photo(tiff(values), "a.tif")
    assert np.isnan(photo.pixels[3, 4]).all() and np.isfinite(photo.pixels).sum() == 116 * 3
    again = decode_photo(encode_photo(photo, "TIFF"), "b.tif")
    assert np.isnan(again.pixels[3, 4]).all()
    assert (decode_photo(encode_photo(photo, "PNG"), "b.png").pixels[3, 4] == 0).all()


def test_bombs_are_refused_before_decoding() -> None:
    data = tiff(np.zeros((16, 16), np.uint8))
    large = edited(edited(data, 256, 60000), 257, 60000)
    with pytest.raises(ImageError, match="at most 150 megapixels. Received: 60000 x 60000"):
        decode_photo(large, "a.tif")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_written_files_are_read_by_others(kind: Any, channels: int) -> None:
    layers = deep(9, 13, channels)
    layers = np.float32(layers / 65535) if kind == np.float32 else (layers >> 8).astype(kind)
    grey = channels <= 2
    pixels = np.repeat(layers[..., :1], 3, -1) if grey else layers[..., :3]
    alpha = layers[..., -1] if channels in (2, 4) else None
    data = encode_photo(Photo(pixels, alpha, grey), "TIFF")
    assert np.array_equal(tifffile.imread(io.BytesIO(data)), np.squeeze(layers))
    if kind == np.uint8:
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(np.asarray(image), np.squeeze(layers))


def test_a_profile_goes_both_ways() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = tiff(colours(), photometric="rgb", iccprofile=profile)
    photo = decode_photo(data, "a.tif")
    assert photo.metadata.icc_profile == profile
    assert decode_photo(encode_photo(photo, "TIFF"), "b.tif").metadata.icc_profile == profile
