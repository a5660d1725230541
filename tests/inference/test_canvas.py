"""Outpainting: extensions, their canvas and rings, and what becomes of the photo."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import ConfigError
from cnnlg_tf.inference.canvas import (
    Extension,
    extended,
    extension_to_aspect,
    parse_extension,
    rings,
)
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.network import Network
from cnnlg_tf.inference.windows import Box
from cnnlg_tf.photos import Photo, read_photo
from tests.conftest import make_photo
from tests.networks import MeanFill


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("left=20%,top=300", Extension(left=40, top=300)),
        ("right=33.3%, bottom=7px", Extension(right=67, bottom=7)),
        ("top=1%,left=1,right=2,bottom=3", Extension(1, 1, 2, 3)),
    ],
)
def test_extensions_are_in_percent_of_their_side_or_pixels(text: str, expected: Extension) -> None:
    assert parse_extension(text, 100, 200) == expected


@pytest.mark.parametrize(
    "text", ["", "20%", "left", "left=-3", "left=1,left=2", "up=3", "left=1;top=2"]
)
def test_other_words_are_no_extension(text: str) -> None:
    with pytest.raises(ConfigError, match=r"must read like left=20%,top=300 .*Received: '"):
        parse_extension(text, 100, 200)


def test_an_aspect_grows_one_side_evenly() -> None:
    assert extension_to_aspect("16:9", 90, 100) == Extension(left=30, right=30)
    assert extension_to_aspect("1:1", 90, 101) == Extension(top=5, bottom=6)
    assert extension_to_aspect("4:2.5", 25, 20) == Extension(left=10, right=10)
    for text in ("16/9", "16:0", "x:9", "16"):
        with pytest.raises(ConfigError, match="an aspect must read like 16:9"):
            extension_to_aspect(text, 90, 100)
    with pytest.raises(ConfigError, match=r"another than the photo's 160:90\. Received: '16:9'"):
        extension_to_aspect("16:9", 90, 160)


@pytest.mark.parametrize(
    ("extension", "message"),
    [
        ("left=0", "by 1 pixel or more on some side"),
        (Extension(left=-1, top=4), "by 1 pixel or more on some side"),
        (
            "right=1000%",
            r"at most 4 times its height and width, here 192 x 256\. Received: 48 x 704",
        ),
        ("top=73,bottom=72", r"Received: 193 x 64"),
    ],
)
def test_nothing_and_too_much_are_told(extension: str | Extension, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        extended(Photo(make_photo()), extension)


def test_rings_are_at_most_a_third_of_what_they_surround() -> None:
    extension = Extension(left=100, top=10, bottom=200)
    boxes = rings(extension, 90, 60)
    assert boxes[-1] == Box(0, 0, 300, 160) and len(boxes) > 3
    before = extension.inner(90, 60)
    for box in boxes:
        height, width = before.bottom - before.top, before.right - before.left
        assert before.top - box.top <= height // 3 and box.bottom - before.bottom <= height // 3
        assert before.left - box.left <= width // 3 and box.right == before.right
        before = box


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_photo_stays_exactly_and_what_is_new_is_painted(
    mean_fill: MeanFill, dtype: type[np.generic]
) -> None:
    photo = make_photo(48, 64)
    photo = photo.astype(np.uint16) * 257 if dtype is np.uint16 else photo
    photo = (photo / 255.0).astype(np.float32) if dtype is np.float32 else photo
    result = Inpainter(mean_fill).extend(photo, "left=50%,bottom=10", samples=1)
    assert result.photo.shape == (58, 96, 3) and result.photo.dtype == dtype
    for picture in (result.photo, *result.samples):
        np.testing.assert_array_equal(picture[:48, 32:], photo)
        assert (picture[result.mask] > 0).mean() > 0.9
    assert result.mask.sum() == 58 * 96 - 48 * 64 and not result.mask[:48, 32:].any()
    assert (result.uncertainty[result.mask] > 0).all()
    assert len(mean_fill.seen) == 4  # two rings, twice


def test_a_sketch_is_as_large_as_the_canvas(mean_fill: MeanFill) -> None:
    sketch = np.zeros((48, 80, 4), np.uint8)
    sketch[20:30, 2:6] = (255, 0, 0, 255)
    result = Inpainter(mean_fill).extend(make_photo(48, 64), "left=16", sketch=sketch)
    np.testing.assert_array_equal(result.photo[20:30, 2:6], sketch[20:30, 2:6, :3])


def test_alpha_profile_and_exif_stay_and_sizes_are_the_new_ones(
    mean_fill: MeanFill, tmp_path: Path
) -> None:
    rgba = np.dstack([make_photo(48, 64), np.full((48, 64), 200, np.uint8)])
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003] = 64, 48
    profile = b"profile" * 20
    Image.fromarray(rgba).save(tmp_path / "a.png", exif=exif, icc_profile=profile)
    out = tmp_path / "b.png"
    assert Inpainter(mean_fill).extend_file(tmp_path / "a.png", "right=16", out) == [out]
    written = read_photo(out)
    assert written.alpha is not None and written.metadata.icc_profile == profile
    assert (written.alpha[:, :64] == 200).all() and (written.alpha[:, 64:] == 255).all()
    with Image.open(out) as image:
        found = image.getexif()
        sizes = [found.get_ifd(0x8769)[tag] for tag in (0xA002, 0xA003)]
        assert image.size == (80, 48) and found[0x010F] == "Maker" and sizes == [80, 48]


def test_a_border_of_real_weights_is_seamless(tiny_network: Network) -> None:
    """Steps across the old border are no larger than those within the photo."""
    photo = make_photo(64, 64, seed=3)
    repaired = Inpainter(tiny_network).extend(photo, "right=16").photo.astype(int)
    steps = np.abs(np.diff(repaired, axis=1)).mean(axis=(0, 2))
    assert steps[63] < 1.5 * steps[:63].mean()
