"""A mask means the same from a file of any kind, from an array, from lists and from a PIL image."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import MaskError
from cnnlg_tf.photos import as_mask, check_mask_size, decode_mask, read_mask
from tests.photos.examples import tiff

HOLE = np.zeros((12, 20), bool)
HOLE[3:7, 5:15] = HOLE[9, 2] = True


def png(array: np.ndarray, mode: str | None = None, **options: Any) -> bytes:
    image = Image.fromarray(array)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, "PNG", **options)
    return buffer.getvalue()


def with_alpha(colour: int | tuple[int, ...], alpha: np.ndarray) -> np.ndarray:
    layers = np.empty((*alpha.shape, 4), np.uint8)
    layers[..., :3], layers[..., 3] = colour, alpha
    return layers


def palette_png(dark: tuple[int, ...], bright: tuple[int, ...]) -> bytes:
    image = Image.fromarray(HOLE.astype(np.uint8)).convert("P")
    image.putpalette([*dark, *bright])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


WHITE = HOLE.astype(np.uint8) * 255
FILES: dict[str, Callable[[], bytes]] = {
    "0/255": lambda: png(WHITE),
    "0/1": lambda: png(HOLE.astype(np.uint8)),
    "0/128": lambda: png(HOLE.astype(np.uint8) * 128),
    "0/100": lambda: png(HOLE.astype(np.uint8) * 100),
    "10/200": lambda: png(np.where(HOLE, 200, 10).astype(np.uint8)),
    "1 bit": lambda: png(HOLE),
    "16 bit 0/65535": lambda: png(HOLE.astype(np.uint16) * 65535),
    "16 bit 0/255": lambda: png(HOLE.astype(np.uint16) * 255),
    "16 bit 0/1": lambda: png(HOLE.astype(np.uint16)),
    "RGB": lambda: png(WHITE, "RGB"),
    "RGB 0/1": lambda: png(np.repeat(HOLE.astype(np.uint8)[..., None], 3, -1)),
    "RGB 16 bit": lambda: cv2.imencode(".png", np.dstack([HOLE.astype(np.uint16) * 65535] * 3))[
        1
    ].tobytes(),
    "red on black": lambda: png(np.dstack([WHITE, WHITE * 0, WHITE * 0])),
    "white on red": lambda: png(np.dstack([WHITE * 0 + 255, WHITE, WHITE])),
    "palette": lambda: palette_png((0, 0, 0), (255, 255, 255)),
    "palette of dark colours": lambda: palette_png((0, 0, 0), (0, 0, 90)),
    "opaque": lambda: png(np.dstack([WHITE] * 3 + [WHITE * 0 + 255])),
    "white strokes on transparency": lambda: png(with_alpha(255, WHITE)),
    "black strokes on transparency": lambda: png(with_alpha(0, WHITE)),
    "soft white strokes": lambda: png(with_alpha(255, np.where(HOLE, 200, 20).astype(np.uint8))),
    "white under transparency": lambda: png(np.dstack([WHITE * 0 + 255] * 3 + [WHITE])),
    "grey with alpha": lambda: png(with_alpha(255, WHITE), "LA"),
    "JPEG": lambda: jpeg(WHITE),
    "GIF": lambda: other(WHITE, "GIF"),
    "BMP of 1 bit": lambda: other(HOLE, "BMP"),
    "WebP": lambda: other(WHITE, "WEBP", lossless=True),
    "PBM": lambda: other(HOLE, "PPM"),
    "AVIF": lambda: other(WHITE, "AVIF", quality=100),
    "TIFF fax": lambda: other(HOLE, "TIFF", compression="group4"),
    "TIFF min-is-white": lambda: tiff(255 - WHITE, photometric="miniswhite"),
    "TIFF 16 bit min-is-white": lambda: tiff(
        ~(HOLE.astype(np.uint16) * 65535), photometric="miniswhite"
    ),
    "TIFF bits min-is-white": lambda: tiff(~HOLE, photometric="miniswhite"),
    "TIFF int8 0/1": lambda: tiff(HOLE.astype(np.int8)),
    "TIFF int16 0/255": lambda: tiff(HOLE.astype(np.int16) * 255),
    "TIFF int32 0/255": lambda: tiff(HOLE.astype(np.int32) * 255),
    "TIFF int32 0/1": lambda: tiff(HOLE.astype(np.int32)),
    "TIFF uint32": lambda: tiff(HOLE.astype(np.uint32) * (2**32 - 1)),
    "TIFF uint32 0/1": lambda: tiff(HOLE.astype(np.uint32)),
    "TIFF float 0/1": lambda: tiff(HOLE.astype(np.float32)),
    "TIFF float 0/255": lambda: tiff(HOLE.astype(np.float32) * 255),
    "TIFF double": lambda: tiff(HOLE.astype(np.float64)),
    "TIFF half": lambda: tiff(HOLE.astype(np.float16)),
    "TIFF premultiplied": lambda: tiff(
        np.dstack([WHITE] * 4), photometric="rgb", extrasamples=["assocalpha"]
    ),
    "TIFF big-endian tiles": lambda: tiff(WHITE, byteorder=">", tile=(16, 16), compression="zlib"),
}


def jpeg(array: np.ndarray) -> bytes:
    return other(array, "JPEG", quality=95)


def other(array: np.ndarray, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", FILES)
def test_every_file_says_the_same(kind: str, tmp_path: Path) -> None:
    data = FILES[kind]()
    found = decode_mask(data, kind)
    assert found.dtype == bool and np.array_equal(found, HOLE)
    (tmp_path / "mask").write_bytes(data)
    assert np.array_equal(read_mask(tmp_path / "mask"), HOLE)
    assert np.array_equal(as_mask(tmp_path / "mask"), HOLE)
    assert np.array_equal(as_mask(data), HOLE)


@pytest.mark.parametrize("kind", [k for k in FILES if not k.startswith("TIFF") or "fax" in k])
def test_every_pil_image_says_the_same(kind: str) -> None:
    with Image.open(io.BytesIO(FILES[kind]())) as image:
        assert np.array_equal(as_mask(image), HOLE)


ARRAYS: dict[str, Any] = {
    "bool": HOLE,
    "lists of bool": HOLE.tolist(),
    "lists of 0/1": HOLE.astype(int).tolist(),
    "lists of floats": HOLE.astype(float).tolist(),
    "[h, w, 1]": WHITE[..., None],
    "RGB": np.dstack([WHITE] * 3),
    "RGBA of white": with_alpha(255, WHITE),
    "float RGBA": with_alpha(255, WHITE) / 255.0,
    "int64 0/255": HOLE * 255,
    "float 0/255": HOLE * 255.0,
    "soft floats": np.where(HOLE, 0.7, 0.1) + np.linspace(0, 0.1, 20),
    "8 bits in 16": np.where(HOLE, 200, 50).astype(np.uint16) + np.arange(20, dtype=np.uint16),
    "16 bits": np.where(HOLE, 50000, 9000).astype(np.uint16) + np.arange(20, dtype=np.uint16),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_every_array_says_the_same(kind: str) -> None:
    assert np.array_equal(as_mask(ARRAYS[kind]), HOLE)


@pytest.mark.parametrize(("value", "missing"), [(0, False), (1, True), (128, True), (255, True)])
def test_masks_of_one_value(value: int, missing: bool) -> None:
    array = np.full((12, 20), value, np.uint8)
    assert (as_mask(array) == missing).all() and (decode_mask(png(array), "a") == missing).all()


def test_greys_are_cut_at_half_and_told(caplog: pytest.LogCaptureFixture) -> None:
    greys = np.array([[0, 127, 128, 255]] * 4, np.uint8)
    for mask in (as_mask(greys), decode_mask(png(greys), "g.png"), as_mask(greys / 255.0)):
        assert mask[0].tolist() == [False, False, True, True]
    assert as_mask(greys.astype(np.uint16) * 257)[0].tolist() == [False, False, True, True]
    assert len(caplog.records) == 4
    assert "mask g.png is not black and white: values of 50 % and brighter" in caplog.text


def test_black_strokes_are_told(caplog: pytest.LogCaptureFixture) -> None:
    decode_mask(FILES["black strokes on transparency"](), "b.png")
    assert "mask b.png is black on a transparent layer: its opacity is the mask" in caplog.text
    assert not decode_mask(png(with_alpha(0, WHITE * 0)), "nothing.png").any()


def test_masks_are_turned_as_photos_are() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert np.array_equal(decode_mask(png(WHITE, exif=exif), "a"), np.rot90(HOLE, -1))


def test_animations_are_told(caplog: pytest.LogCaptureFixture) -> None:
    frames = [Image.fromarray(WHITE), Image.fromarray(255 - WHITE)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(decode_mask(buffer.getvalue(), "a.gif"), HOLE)
    assert "mask a.gif has 2 frames: the first is used" in caplog.text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.full((4, 4), np.nan), "finite values of 0 or more. Received: nan to nan"),
        (np.full((4, 4), -1), "finite values of 0 or more. Received: -1 to -1"),
        (np.zeros(4), r"must be \[height, width\] of numbers.* Received: shape \(4,\)"),
        (np.zeros((2, 4, 4, 1)), r"Received: shape \(2, 4, 4, 1\)"),
        (np.zeros((0, 4)), "must have pixels. Received: shape"),
        ([[1, 2], [3]], "mask must be an array .* a PIL image, a path"),
        (np.array([["a"]]), "mask must be an array .* Received: ndarray of <U1"),
        (None, "mask must be an array .* Received: NoneType"),
        ({"a": 1}, "mask must be an array .* Received: dict"),
        (b"", "mask mask is empty"),
        (b"hello", "mask mask is no image that can be read"),
    ],
)
def test_what_is_no_mask_is_refused(value: Any, message: str) -> None:
    with pytest.raises(MaskError, match=message):
        as_mask(value)


def test_files_of_impossible_values_are_refused() -> None:
    with pytest.raises(MaskError, match="mask a.tif must have finite values of 0 or more"):
        decode_mask(tiff(np.full((4, 4), -3, np.int16)), "a.tif")
    with pytest.raises(MaskError, match="mask a.tif must be .* 64-bit samples"):
        decode_mask(tiff(np.zeros((4, 4), np.int64)), "a.tif")


def test_sizes_are_compared() -> None:
    check_mask_size(HOLE, np.zeros((12, 20, 3)))
    with pytest.raises(
        MaskError, match=r"like the photo \(12, 21\). Received: mask.shape=\(12, 20\)"
    ):
        check_mask_size(HOLE, np.zeros((12, 21, 3)))
