"""Bytes to the 8-bit RGB that training and measures see."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import ImageError
from cnnlg_tf.photos import decode_photo, png
from tests.photos.examples import png_chunk, with_chunks


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_exif_orientation_is_applied(photo: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Stored turned left: to be shown turned right.
    encoded = encode(Image.fromarray(photo), exif=exif)
    assert np.array_equal(decode_photo(encoded, "a").on_white(), np.rot90(photo, -1))


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA", "RGBA", "I;16", "YCbCr"])
def test_every_pixel_format_becomes_rgb(mode: str, photo: np.ndarray) -> None:
    if mode == "I;16":
        image = Image.fromarray(photo[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(photo).convert(mode)
    pixels = decode_photo(encode(image, "TIFF"), "a").on_white()
    assert pixels.shape == photo.shape and pixels.dtype == np.uint8
    if mode == "I;16":
        assert np.array_equal(pixels[..., 1], photo[..., 0])


def test_transparent_pixels_become_white(photo: np.ndarray) -> None:
    alpha = np.zeros(photo.shape[:2], np.uint8)
    alpha[:10] = 255
    pixels = decode_photo(encode(Image.fromarray(np.dstack([photo, alpha]))), "a").on_white()
    assert np.array_equal(pixels[:10], photo[:10]) and (pixels[10:] == 255).all()


def test_too_large_images_are_refused(monkeypatch: pytest.MonkeyPatch, photo: np.ndarray) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(
        ImageError, match="photo a must have at most 150 megapixels. Received: Image size"
    ):
        decode_photo(encode(Image.fromarray(photo)), "a").on_white()


@pytest.mark.parametrize("most", [300, 1023, 4095, 65535])
@pytest.mark.parametrize("kind", [b"P5", b"P6"])
def test_ppm_of_any_largest_value_spans_16_bits(kind: bytes, most: int) -> None:
    values = np.random.default_rng(0).integers(0, most + 1, (9, 13, 3 if kind == b"P6" else 1))
    values[0, :2] = [[0], [most]]
    data = kind + b"\n# a comment\n13 9\n%d\n" % most + values.astype(">u2").tobytes()
    photo = decode_photo(data, "a.ppm")
    assert photo.pixels.dtype == np.uint16 and photo.grey == (kind == b"P5") and photo.bits == 16
    assert np.array_equal(
        photo.pixels, np.broadcast_to(np.rint(values * (65535 / most)), (9, 13, 3))
    )
    with pytest.raises(ImageError, match="photo a.ppm"):
        decode_photo(data[:-1], "a.ppm")


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_jpeg_2000(channels: int) -> None:
    layers = np.random.default_rng(0).integers(0, 65536, (96, 128, channels), np.uint16)
    how = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
    photo = decode_photo(cv2.imencode(".jp2", layers, how)[1].tobytes(), "a.jp2")
    assert np.array_equal(photo.pixels, np.broadcast_to(layers[..., ::-1], (96, 128, 3)))
    assert (photo.bits, photo.grey) == (16, channels == 1)


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [3, 4])
def test_deep_avif(bits: int, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    smooth = np.linspace(0, 2**bits - 1, 64 * 64 * channels).reshape(64, 64, channels)
    how = [cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, 100]
    data = cv2.imencode(".avif", smooth.astype(np.uint16), how)[1].tobytes()
    photo = decode_photo(data, "a.avif")
    assert photo.pixels.dtype == np.uint16 and photo.bits == bits and not photo.notes
    expected = smooth[..., 2::-1] * (65535 / (2**bits - 1))
    assert np.abs(photo.pixels - expected).mean() < 65535 / 2**bits * 2
    assert (photo.alpha is not None) == (channels == 4)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)  # an OpenCV without AVIF
    coarse = decode_photo(data, "a.avif")
    assert coarse.notes == (f"has {bits} bits a channel, which are read as 8",)
    assert np.abs(coarse.pixels * 257.0 - photo.pixels).mean() < 400


def test_16_bit_png_with_a_transparent_colour() -> None:
    layers = np.random.default_rng(0).integers(0, 65536, (9, 13, 3), np.uint16)
    data = cv2.imencode(".png", np.ascontiguousarray(layers[..., ::-1]))[1].tobytes()
    data = with_chunks(data, (b"tRNS", layers[3, 4].astype(">u2").tobytes()))
    photo = decode_photo(data, "a.png")
    assert np.array_equal(photo.pixels, layers)
    assert photo.alpha is not None and photo.known is not None
    assert np.argwhere(~photo.known).tolist() == [[3, 4]]
    grey = with_chunks(
        cv2.imencode(".png", layers[..., 0])[1].tobytes(),
        (b"tRNS", layers[3, 4, :1].astype(">u2").tobytes()),
    )
    photo = decode_photo(grey, "g.png")
    assert photo.grey and np.array_equal(photo.pixels[..., 0], layers[..., 0])
    assert photo.known is not None and np.argwhere(~photo.known).tolist() == [[3, 4]]


def grey_png(values: np.ndarray, depth: int, colour: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of [height, width] or [height, width, 2] numbers of so many bits."""
    height, width = values.shape[:2]
    if depth == 16:
        rows = values.astype(">u2").tobytes()
    else:
        bits = np.unpackbits(values.astype(np.uint8)[..., np.newaxis], axis=-1)[..., 8 - depth :]
        rows = np.packbits(bits.reshape(height, -1), axis=-1).tobytes()
    size = len(rows) // height
    lines = b"".join(b"\0" + rows[at : at + size] for at in range(0, len(rows), size))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return png.SIGNATURE + b"".join(png_chunk(*part) for part in parts)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_transparent_grey_of_few_bits(depth: int) -> None:
    values = np.arange(64).reshape(8, 8) % 2**depth
    for key in range(2**depth):
        data = grey_png(values, depth, 0, (b"tRNS", struct.pack(">H", key)))
        photo = decode_photo(data, "a.png")
        assert photo.grey and photo.alpha is not None
        assert np.array_equal(photo.pixels[..., 0], values * (255 // (2**depth - 1)))
        assert np.array_equal(photo.alpha, np.where(values == key, 0, 255))


def test_16_bit_grey_with_alpha_stays_grey() -> None:
    layers = np.random.default_rng(0).integers(0, 65536, (8, 9, 2))
    photo = decode_photo(grey_png(layers, 16, 4), "a.png")
    assert photo.grey and photo.alpha is not None and photo.pixels.dtype == np.uint16
    assert np.array_equal(photo.pixels[..., 2], layers[..., 0])
    assert np.array_equal(photo.alpha, layers[..., 1])
