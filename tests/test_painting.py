"""`cnnlg-tf paint`: files in, files out, contact sheets, and what is told of bad input."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cnnlg_tf.cli import main
from cnnlg_tf.errors import ImageError
from cnnlg_tf.evaluation.contact_sheet import contact_sheet, diversity
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.new_picture import in_colours_of
from cnnlg_tf.painting import read_references
from cnnlg_tf.photos import read_photo
from tests.conftest import make_photo
from tests.networks import MeanFill


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["paint", *map(str, args)])


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> MeanFill:
    network = MeanFill()
    monkeypatch.setattr("cnnlg_tf.inference.inpainter.open_network", lambda model: network)
    return network


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """photo.png 48 x 64, mask.png, sketch.png, and textures/ with two pictures and a text."""
    Image.fromarray(make_photo()).save(tmp_path / "photo.png")
    mask = np.zeros((48, 64), np.uint8)
    mask[10:40, 10:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    sketch = np.zeros((48, 64, 4), np.uint8)
    sketch[20:24, 20:40] = (200, 10, 10, 255)
    Image.fromarray(sketch).save(tmp_path / "sketch.png")
    (tmp_path / "textures").mkdir()
    for number in (1, 2):
        Image.fromarray(make_photo(40, 50, number)).save(tmp_path / "textures" / f"{number}.png")
    (tmp_path / "textures" / "notes.txt").write_text("no picture")
    return tmp_path


def test_extending_keeps_the_photo(stand_in: MeanFill, folder: Path) -> None:
    out = folder / "out.png"
    result = run(folder / "photo.png", "--extend", "left=25%,bottom=8", "-o", out)
    assert result.exit_code == 0 and result.output.strip() == str(out)
    np.testing.assert_array_equal(read_photo(out).pixels[:48, 16:], make_photo())
    result = run(folder / "photo.png", "--aspect", "2:1", "-o", out, "--quiet")
    assert read_photo(out).pixels.shape == (48, 96, 3) and result.output == ""


def test_a_sketch_references_and_samples_with_their_sheet(stand_in: MeanFill, folder: Path) -> None:
    result = run(
        *(folder / "photo.png", "--mask", folder / "mask.png", "--sketch", folder / "sketch.png"),
        *("--reference", folder / "textures", folder / "photo.png", "--samples", 2),
        *("-o", folder / "out.png"),
    )
    assert result.exit_code == 0, result.output
    names = {"out.png", "out_sample1.png", "out_sample2.png", "out_sheet.png"}
    assert names <= {file.name for file in folder.iterdir()}
    # photo.png shows all that is missing, and so nothing is left to paint
    np.testing.assert_array_equal(read_photo(folder / "out.png").pixels, make_photo())
    assert stand_in.seen == []


def test_a_new_picture_is_drawn_from_references(stand_in: MeanFill, folder: Path) -> None:
    textures = folder / "textures"
    out = folder / "new.jpg"
    result = run("--new", "200x160", "--reference", textures, "--samples", 2, "-o", out)
    assert result.exit_code == 0, result.output
    names = [folder / f"new{name}.jpg" for name in ("", "_sample1", "_sample2")]
    pictures = [read_photo(name).pixels for name in names]
    assert all(picture.shape == (160, 200, 3) for picture in pictures)
    assert (folder / "new_sheet.png").is_file()
    colours = np.concatenate([x.pixels.reshape(-1, 3) for x in read_references([textures])])
    drawn = pictures[0].reshape(-1, 3)
    # the stand-in brightens every second pixel at each resolution
    assert np.abs(drawn.mean(axis=0) - colours.mean(axis=0)).max() < 40
    again = Inpainter(stand_in)
    first, second = (again.new(64, 64, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(first, again.new(64, 64, seed=1))
    assert not np.array_equal(first, second)


def test_colours_are_those_of_the_references() -> None:
    rng = np.random.default_rng(0)
    layout = np.sort(rng.random((60, 60, 3), np.float32), axis=0)
    colours = rng.normal([0.2, 0.5, 0.8], [0.02, 0.1, 0.05], (500, 3)).clip(0, 1)
    shown = in_colours_of(layout, colours).reshape(-1, 3)
    np.testing.assert_allclose(shown.mean(axis=0), colours.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(np.cov(shown.T), np.cov(colours.T), atol=0.002)
    rows = in_colours_of(layout, colours).mean(axis=(1, 2))
    assert rows[-10:].mean() > rows[:10].mean()  # the layout stays


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["{f}/photo.png", "--extend", "left=0"], "extended by 1 pixel or more on some side"),
        (["{f}/photo.png", "--extend", "left=10x"], "must read like left=20%,top=300"),
        (["{f}/photo.png", "--extend", "left=1000%"], "at most 4 times its height and width"),
        (["{f}/photo.png", "--aspect", "4:3"], "another than the photo's 64:48"),
        (["{f}/photo.png", "--extend", "top=9", "--sketch", "{f}/sketch.png"], "sketch must be"),
        (
            ["{f}/photo.png", "--mask", "{f}/mask.png", "--sketch", "{f}/mask.png"],
            "sketch must have",
        ),
        (
            ["{f}/photo.png", "--mask", "{f}/mask.png", "--reference", "{f}/small.png"],
            "at least 16",
        ),
        (["{f}/photo.png", "--mask", "{f}/mask.png", "--reference", "{f}/empty"], "which has none"),
        (["{f}/none.png", "--extend", "top=9"], "does not exist"),
        (["--new", "8x64"], "sides from 16 to 4096 pixels. Received: 8x64"),
    ],
)
def test_bad_input_gets_one_clear_line(
    stand_in: MeanFill, folder: Path, args: list[str], message: str
) -> None:
    Image.fromarray(make_photo(12, 30)).save(folder / "small.png")
    (folder / "empty").mkdir()
    result = run(*(arg.format(f=folder) for arg in args), "-o", folder / "out.png")
    lines = result.output.strip().splitlines()
    assert result.exit_code == 1 and len(lines) == 1 and lines[0].startswith("Error: ")
    assert message in lines[0] and not (folder / "out.png").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["a.png"], "give one of --extend, --aspect, --mask, --new. Received: none"),
        (["a.png", "--extend", "top=9", "--mask", "m.png"], "Received: --extend and --mask"),
        (["--extend", "top=9"], "--extend needs a PHOTO"),
        (["a.png", "--new", "64x64"], "--new needs no PHOTO"),
        (["--new", "64"], "must read like 512x512"),
        (["--new", "64x64", "--sketch", "s.png"], "--sketch is for a hole"),
        (["--new", "64x64", "--reference"], "--reference needs a picture or a folder"),
    ],
)
def test_bad_usage(args: list[str], message: str) -> None:
    result = run("-o", "out.png", *args)
    assert result.exit_code == 2 and message in result.output


def test_the_photo_is_not_replaced_and_folders_hold_pictures(stand_in: Any, folder: Path) -> None:
    result = run(folder / "photo.png", "--extend", "top=9", "-o", folder / "photo.png")
    assert result.exit_code == 1 and "another file than the photo" in result.output
    assert len(read_references([folder / "textures", folder / "photo.png"])) == 3
    with pytest.raises(ImageError, match="none.png does not exist"):
        read_references([folder / "none.png"])


def test_sheets_begin_with_what_differs_most() -> None:
    base = make_photo(40, 60)
    odd = np.random.default_rng(0).integers(0, 256, base.shape, np.uint8)
    distances = diversity([base, base, odd])
    assert distances[2] > distances[0] == distances[1] > 0.0
    assert diversity([base]).tolist() == [0.0]
    sheet = contact_sheet([base, base, odd], ["a", "b", "c"])
    np.testing.assert_array_equal(sheet[6:46, 6:66], odd)
