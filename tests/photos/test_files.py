"""Every kind of photo and mask that a user may bring, and every bad one."""

import io
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from cnnlg_tf.errors import ImageError, MaskError, MissingExtraError
from cnnlg_tf.photos import (
    READABLE_SUFFIXES,
    WRITABLE,
    Metadata,
    Photo,
    is_photo_name,
    output_format,
    read_mask,
    read_photo,
    write_photo,
)
from cnnlg_tf.photos.common_reader import FORMATS
from cnnlg_tf.photos.raster import upright as turn
from tests.photos.examples import heic

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def deep(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65536, shape, np.uint16)


def save(path: Path, array: np.ndarray, **options: Any) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".webp"])
def test_lossless_formats_return_every_pixel(
    tmp_path: Path, photo: np.ndarray, suffix: str
) -> None:
    source = read_photo(save(tmp_path / "in.png", photo, icc_profile=SRGB))
    write_photo(tmp_path / f"out{suffix}", source)
    back = read_photo(tmp_path / f"out{suffix}")
    assert np.array_equal(back.pixels, photo)
    assert back.metadata.icc_profile == SRGB


def test_jpeg_is_close_and_full_colour(tmp_path: Path, photo: np.ndarray) -> None:
    write_photo(tmp_path / "out.jpg", Photo(photo, metadata=Metadata(SRGB)))
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.info["icc_profile"] == SRGB
        assert image.layer[1][1:3] == (1, 1)  # type: ignore[attr-defined]
    error = read_photo(tmp_path / "out.jpg").pixels.astype(int) - photo
    assert np.abs(error).mean() < 4


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA"])
def test_modes_come_back_exact(tmp_path: Path, photo: np.ndarray, mode: str) -> None:
    image = Image.fromarray(photo)
    if "A" in mode:
        image.putalpha(Image.fromarray(photo[..., 0]))
    image.convert(mode).save(tmp_path / "in.png")
    source = read_photo(tmp_path / "in.png")
    assert source.pixels.shape == (48, 64, 3) and source.pixels.dtype == np.uint8
    write_photo(tmp_path / "out.png", source)
    with Image.open(tmp_path / "in.png") as before, Image.open(tmp_path / "out.png") as after:
        assert np.array_equal(before.convert("RGBA"), after.convert("RGBA"))
        expected = {"1": "L", "P": "RGB"}.get(mode, mode)
        assert after.mode == expected


def test_transparent_palette_keeps_its_alpha(tmp_path: Path, photo: np.ndarray) -> None:
    image = Image.fromarray(photo).quantize(16)
    image.save(tmp_path / "in.png", transparency=3)
    source = read_photo(tmp_path / "in.png")
    assert source.alpha is not None and set(np.unique(source.alpha)) == {0, 255}


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_comes_back_exact(tmp_path: Path, channels: int, suffix: str) -> None:
    layers = deep((20, 30, 3 if channels >= 3 else 1))
    alpha = deep((20, 30), 1) if channels in (2, 4) else None
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x829A] = 0.5
    source = Photo(
        np.repeat(layers, 3, -1) if channels < 3 else layers,
        alpha,
        grey=channels < 3,
        metadata=Metadata(SRGB, exif.tobytes()),
    )
    write_photo(tmp_path / f"out{suffix}", source)
    back = read_photo(tmp_path / f"out{suffix}")
    assert np.array_equal(back.pixels, source.pixels)
    assert (back.alpha is None) == (alpha is None)
    if back.alpha is not None and alpha is not None:
        assert np.array_equal(back.alpha, alpha)
    assert back.metadata.icc_profile == SRGB
    assert back.grey == (channels == 1 or (channels == 2 and suffix == ".tiff"))
    if (channels, suffix) == (2, ".tiff"):
        return  # which Pillow cannot read
    with Image.open(tmp_path / f"out{suffix}") as image:
        image.load()
        assert image.getexif()[0x010F] == "Maker"
        assert image.getexif().get_ifd(0x8769)[0x829A] == 0.5


def test_16_bit_colour_of_another_writer(tmp_path: Path) -> None:
    layers = deep((20, 30, 3))
    for suffix in (".png", ".tiff"):
        cv2.imwrite(str(tmp_path / f"in{suffix}"), layers)
        assert np.array_equal(read_photo(tmp_path / f"in{suffix}").pixels, layers[..., ::-1])


def test_16_bit_is_rounded_in_jpeg_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_photo(tmp_path / "out.webp", Photo(np.full((20, 30, 3), 257 * 99, np.uint16)))
    assert "8 bits a channel" in caplog.text
    assert np.all(read_photo(tmp_path / "out.webp").pixels == 99)


def test_alpha_is_left_out_of_jpeg_with_a_note(
    tmp_path: Path, photo: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    write_photo(tmp_path / "out.jpg", Photo(photo, alpha=photo[..., 0]))
    assert "out.jpg (JPEG) cannot hold its transparency: left out" in caplog.text
    assert read_photo(tmp_path / "out.jpg").alpha is None


def test_grey_webp_drops_the_grey_profile(tmp_path: Path, photo: np.ndarray) -> None:
    grey = np.repeat(photo[..., :1], 3, -1)
    write_photo(
        tmp_path / "out.webp", Photo(grey, grey=True, metadata=Metadata(bytes(16) + b"GRAY"))
    )
    back = read_photo(tmp_path / "out.webp")
    assert back.metadata.icc_profile is None and np.array_equal(back.pixels, grey)


@pytest.mark.parametrize("profile", [None, b"broken"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg"])
def test_cmyk_becomes_rgb(
    tmp_path: Path, photo: np.ndarray, compression: str, profile: bytes | None, caplog: Any
) -> None:
    cmyk = Image.fromarray(photo).convert("CMYK")
    cmyk.save(tmp_path / "in.tiff", icc_profile=profile, compression=compression)
    with Image.open(tmp_path / "in.tiff") as image:
        expected = np.asarray(image.convert("RGB"))
    source = read_photo(tmp_path / "in.tiff")
    assert np.array_equal(source.pixels, expected)
    assert source.metadata.icc_profile is None
    assert ("colours may shift" in caplog.text) == (profile is not None)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied_once(tmp_path: Path, photo: np.ndarray, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Maker"
    upright = turn(photo, {6: 8, 8: 6}.get(orientation, orientation))
    save(tmp_path / "in.png", upright, exif=exif)
    source = read_photo(tmp_path / "in.png")
    assert np.array_equal(source.pixels, photo)
    write_photo(tmp_path / "out.jpg", source)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.size == (64, 48)
        assert image.getexif().get(0x0112) is None
        assert image.getexif()[0x010F] == "Maker"


def test_tiff_layout_tags_stay_out_of_exif(tmp_path: Path, photo: np.ndarray) -> None:
    save(tmp_path / "in.tiff", photo, compression="tiff_lzw", description="a tree")
    write_photo(tmp_path / "out.png", read_photo(tmp_path / "in.tiff"))
    with Image.open(tmp_path / "out.png") as image:
        exif = image.getexif()
        assert exif[0x010E] == "a tree"
        assert not {256, 259, 273, 279} & set(exif)


def test_animation_uses_the_first_frame_and_says_so(
    tmp_path: Path, photo: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [Image.fromarray(f).quantize(64) for f in (photo, photo[::-1])]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:])
    pixels = read_photo(tmp_path / "in.gif").pixels
    assert np.array_equal(pixels, np.asarray(frames[0].convert("RGB")))
    assert "has 2 frames: the first is used" in caplog.text


def bomb(width: int, height: int) -> bytes:
    """A PNG header that claims a size, and nothing behind it."""
    body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + body
    head = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    tail = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + head + tail


def half_png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(
        buffer, "PNG"
    )
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


BAD_FILES = [
    (b"", r"x\.png is empty: expected an image, received 0 bytes"),
    (b"hello", r"x\.png is no image that can be read \(PNG, JPEG"),
    (half_png(), r"x\.png is truncated or damaged"),
    (bomb(13000, 12000), r"must have at most 150 megapixels\. Received: 13000 x 12000"),
    (bomb(40000, 40000), r"must have at most 150 megapixels\. Received: Image size"),
]


@pytest.mark.parametrize(("data", "message"), BAD_FILES)
def test_bad_files(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=f"photo .*{message}"):
        read_photo(path)
    with pytest.raises(MaskError, match=f"mask .*{message}"):
        read_mask(path)


def test_missing_directory_and_forbidden(tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(ImageError, match="photo .*none.png does not exist"):
        read_photo(tmp_path / "none.png")
    with pytest.raises(MaskError, match="mask must be an image file. Received: the directory"):
        read_mask(tmp_path)

    def forbidden(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(ImageError, match="photo .* cannot be read: Permission denied"):
        read_photo(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.gif", r"must end in one of \.png, \.jpg.* Received: out\.gif"),
        ("out", "must end in one of"),
        ("", "must be a file name. Received: the directory"),
    ],
)
def test_output_names(tmp_path: Path, photo: np.ndarray, name: str, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        write_photo(tmp_path / name, Photo(photo))


def test_unwritable_output_leaves_nothing(tmp_path: Path, photo: np.ndarray) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ImageError, match=r"output .*out\.png cannot be written"):
        write_photo(tmp_path / "file" / "out.png", Photo(photo))
    wide = Photo(np.zeros((1, 20000, 3), np.uint8))
    with pytest.raises(ImageError, match="cannot be encoded as WEBP"):
        write_photo(tmp_path / "out.webp", wide)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_every_suffix_that_pillow_has_for_what_is_read() -> None:
    Image.init()
    registered = {s for s, form in Image.registered_extensions().items() if form in FORMATS}
    assert registered <= READABLE_SUFFIXES
    assert READABLE_SUFFIXES - registered <= {".heic", ".heif", ".hif", ".mpo"}
    assert set(WRITABLE) <= READABLE_SUFFIXES


@pytest.mark.parametrize("name", ["a.jpg", "A.JFIF", "b.heic", "c.avif", "d.jpe", "e.tif"])
def test_names_of_photos(name: str) -> None:
    assert is_photo_name(Path(name))
    assert not is_photo_name(Path(f"._{name}")) and not is_photo_name(Path(f".{name}"))
    assert not is_photo_name(Path(f"{name}.txt"))


def test_heic_without_its_library_names_file_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.heic").write_bytes(heic())
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(
        MissingExtraError, match=r"photo .*a.heic is a HEIC file: .*cnnlg-tf\[heic\]"
    ):
        read_photo(tmp_path / "a.heic")
    with pytest.raises(MissingExtraError, match=r"cnnlg-tf\[heic\]"):
        output_format("b.heic")  # told before the work
