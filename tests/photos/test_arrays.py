"""What callers hand over as a photo, and what photos are as numbers."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import ImageError
from cnnlg_tf.photos import Photo, as_photo, encode_photo, from_unit, to_depth, to_unit
from tests.photos.examples import SRGB, colours, exif_block


def test_arrays_of_every_kind() -> None:
    rgb = colours()
    deep = rgb.astype(np.uint16) * 257
    floats = (rgb / 255).astype(np.float32)
    for given, wanted in (
        (rgb, rgb),
        (deep, deep),
        (floats, floats),
        (rgb / 255, floats),
        (floats.astype(np.float16), floats.astype(np.float16).astype(np.float32)),
        (rgb.tolist(), rgb),
        (rgb.astype(np.int64), rgb),
        ((rgb / 255).tolist(), floats),
    ):
        photo = as_photo(given)
        assert photo.pixels.dtype == wanted.dtype and np.array_equal(photo.pixels, wanted)
        assert photo.alpha is None and photo.known is None and not photo.grey


def test_grey_and_alpha() -> None:
    rgb = colours()
    grey = as_photo(rgb[..., 0])
    assert grey.grey and np.array_equal(grey.pixels[..., 2], rgb[..., 0])
    assert np.array_equal(as_photo(rgb[..., :1]).pixels, grey.pixels)
    layers = np.dstack([rgb, rgb[..., 0]])
    layers[:5, :, 3] = 0
    photo = as_photo(layers)
    assert np.array_equal(photo.alpha, layers[..., 3]) and np.array_equal(photo.pixels, rgb)
    assert photo.known is not None and not photo.known[:5].any()
    assert np.array_equal(photo.known, layers[..., 3] > 0)
    assert as_photo(layers[..., 2:]).grey


def test_pil_images_keep_what_they_say(tmp_path: Path) -> None:
    rgb = colours()
    assert np.array_equal(as_photo(Image.fromarray(rgb)).pixels, rgb)
    Image.fromarray(rgb).save(
        tmp_path / "a.png", exif=exif_block(6), icc_profile=SRGB, dpi=(300, 300)
    )
    with Image.open(tmp_path / "a.png") as image:
        photo = as_photo(image)
        again = as_photo(image)  # the caller's image is not changed
    assert np.array_equal(photo.pixels, np.rot90(rgb, -1)) and np.array_equal(
        again.pixels, photo.pixels
    )
    assert photo.metadata.icc_profile == SRGB and photo.metadata.dpi is not None
    for mode in ("1", "L", "P", "LA", "CMYK", "YCbCr", "HSV", "LAB", "RGBX", "RGBa", "I", "I;16"):
        converted = Image.fromarray(rgb)
        if mode == "RGBa":
            converted = converted.convert("RGBA")
        if mode == "LAB":
            converted = Image.frombytes("LAB", (36, 24), rgb.tobytes())
        else:
            converted = converted.convert("L" if mode == "I;16" else mode).convert(mode)
        assert as_photo(converted).pixels.shape == rgb.shape, mode


def test_premultiplied_pil_images_are_divided_to_the_nearest_value() -> None:
    layers = np.full((4, 4, 4), 100, np.uint8)
    layers[..., 3] = 150  # 100 * 255 / 150 = 170
    layers[0, 0] = 101, 99, 0, 150  # 171.7, 168.3
    photo = as_photo(Image.frombytes("RGBa", (4, 4), layers.tobytes()))
    assert photo.pixels[0, 0].tolist() == [172, 168, 0] and photo.pixels[1, 1].tolist() == [170] * 3
    assert np.array_equal(photo.alpha, layers[..., 3])


def test_paths_bytes_and_photos(tmp_path: Path) -> None:
    photo = as_photo(colours())
    assert as_photo(photo) is photo
    data = encode_photo(photo, "PNG")
    (tmp_path / "a.png").write_bytes(data)
    for given in (
        data,
        bytearray(data),
        memoryview(data),
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
    ):
        assert np.array_equal(as_photo(given).pixels, photo.pixels)


class Hostile:
    def __array__(self, *arguments: Any, **options: Any) -> np.ndarray:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "reference must be an array .* a PIL image, a path .* Received: NoneType"),
        (Hostile(), "reference must be an array .* Received: Hostile: no"),
        ([[1, 2], [3]], "reference must be an array"),
        (np.zeros((4, 4, 3), complex), "Received: ndarray of complex128"),
        (np.zeros((4, 4, 5), np.uint8), r"Received: reference.shape=\(4, 4, 5\)"),
        (np.zeros((0, 4, 3), np.uint8), r"Received: reference.shape=\(0, 4, 3\)"),
        (np.zeros(4, np.uint8), r"Received: reference.shape=\(4,\)"),
        (np.full((4, 4, 3), 300), "integers from 0 to 255. Received: int64, 300 to 300"),
        (np.full((4, 4, 3), -1), "Received: int64, -1 to -1"),
        (np.zeros((4, 4, 3), bool), "Received: bool, 0 to 0"),
        ("none.png", "photo none.png does not exist"),
        (b"hello", "photo reference is no image that can be read"),
    ],
)
def test_what_is_no_photo_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        as_photo(value, "reference")


def test_a_closed_pil_image_is_refused(tmp_path: Path) -> None:
    Image.fromarray(colours()).save(tmp_path / "a.png")
    image = Image.open(tmp_path / "a.png")
    image.close()
    with pytest.raises(ImageError, match="photo photo is truncated or damaged"):
        as_photo(image)


def test_16_bits_become_8_by_rounding_and_come_back() -> None:
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(to_depth(deep, np.uint8), np.rint(deep / 257))
    eight = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_depth(eight, np.uint16), eight.astype(np.uint16) * 257)
    assert to_depth(eight, np.uint8) is eight
    assert np.array_equal(from_unit(to_unit(deep), np.uint16), deep)
    assert from_unit(np.array([-1.0, 2.0, np.nan]), np.uint8).tolist() == [0, 255, 0]
    assert np.isnan(from_unit(np.array([np.nan]), np.float32)).all()


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_quality_out_of_range(quality: int) -> None:
    with pytest.raises(ImageError, match=f"quality must be from 1 to 100. Received: {quality}"):
        encode_photo(Photo(colours()), "JPEG", quality=quality)


def test_what_is_hidden_is_written_as_it_was() -> None:
    layers = np.dstack([colours(), colours()[..., 0]])
    layers[5:9, :, 3] = 0
    for form in ("PNG", "TIFF", "WEBP"):
        again = as_photo(encode_photo(as_photo(layers), form))
        assert np.array_equal(np.dstack([again.pixels, again.alpha]), layers), form


def test_the_package_starts_fast_and_without_heavy_imports() -> None:
    heavy = ["tensorflow", "keras", "tifffile", "pillow_heif", "PIL.ImageCms"]
    code = f"import sys, cnnlg_tf.photos; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_old_address_still_answers() -> None:
    from cnnlg_tf import photos
    from cnnlg_tf.inference import photo_io

    for name in ("Photo", "read_mask", "read_photo", "write_photo"):
        assert getattr(photo_io, name) is getattr(photos, name)


def test_on_white_is_what_training_sees() -> None:
    layers = np.zeros((4, 4, 4), np.uint8)
    layers[:2, :, 3] = 255
    layers[2, :, 3] = 128
    seen = as_photo(layers).on_white()
    assert seen.dtype == np.uint8 and (seen[:2] == 0).all() and (seen[3] == 255).all()
    assert (seen[2] == 127).all()
    deep = Photo(colours().astype(np.uint16) * 257)
    assert np.array_equal(deep.on_white(), colours())
    buffer = io.BytesIO()
    Image.fromarray(layers).save(buffer, "PNG")
    assert np.array_equal(as_photo(buffer.getvalue()).on_white(), seen)
