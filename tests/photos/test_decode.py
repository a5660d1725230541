"""Bytes to the 8-bit RGB that training and measures see."""

import io

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import ImageError
from cnnlg_tf.photos import decode_photo


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
