"""A study of small photos: what is written, that the page is blind, and an artist's files."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cnnlg_tf.cli import main
from cnnlg_tf.errors import ConfigError, ImageError
from cnnlg_tf.evaluation.cases import CaseSet
from cnnlg_tf.experiments.study.answers import Key, load_key
from cnnlg_tf.experiments.study.design import INTACT, SPOILT
from cnnlg_tf.experiments.study.make import StudyOptions, make_study, spoil
from cnnlg_tf.inference.inpainter import Inpainter
from tests.networks import MeanFill

OPTIONS = StudyOptions(size=40, questions=6, catches=2)


@pytest.fixture
def made(tmp_path: Path, photo_folder: Callable[..., Path]) -> tuple[Path, Key]:
    out = tmp_path / "study"
    key = make_study(
        photo_folder(count=4),
        out,
        methods=("original", "telea", "cnnlg"),
        inpainter=lambda: Inpainter(MeanFill()),
        options=OPTIONS,
    )
    return out, key


def _data(out: Path) -> dict:
    page = (out / "study.html").read_text(encoding="utf-8")
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)
    assert found is not None
    return json.loads(found[1])


def _picture(uri: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as opened:
        return np.asarray(opened.convert("RGB")).astype(int)


def test_the_page_shows_what_the_key_says(made: tuple[Path, Key]) -> None:
    out, key = made
    assert load_key(out) == key and list(key.methods) == ["original", "telea", "cnnlg"]
    data = _data(out)
    assert data["study"] == key.study and len(data["sheets"]) == len(key.sheets) == 4
    pictures = [_picture(uri) for uri in data["pictures"]]
    seen = {}
    for shown, sheet in zip(data["sheets"], key.sheets, strict=True):
        assert len(shown) == len(sheet) == 8
        for numbers, question in zip(shown, sheet, strict=True):
            for number, method in zip(numbers, (question.left, question.right), strict=True):
                seen.setdefault((question.photo, method), set()).add(number)
    assert all(len(numbers) == 1 for numbers in seen.values())
    place = {name: numbers.pop() for name, numbers in seen.items()}
    assert sorted(set(place.values())) == list(range(len(pictures)))  # none that is not asked
    for photo in {name for name, _ in place}:
        with Image.open(out / "cases" / f"{photo}.mask.png") as opened:
            hole = np.asarray(opened) > 127
        with Image.open(out / "cases" / f"{photo}.png") as opened:
            damaged = np.asarray(opened.convert("RGB")).astype(int)
        assert (damaged[hole] == (235, 60, 120)).all()
        original, ours = (pictures[place[photo, name]] for name in ("original", "cnnlg"))
        for picture in (original, ours):
            assert np.abs(picture[~hole] - damaged[~hole]).mean() < 6  # JPEG, beside a hard edge
        inner = np.ptp(ours[hole], axis=0)
        assert (inner < np.ptp(original[hole], axis=0) + 40).all()
        if (photo, SPOILT) in place:
            assert np.abs(pictures[place[photo, SPOILT]] - original).mean() > 8
            assert place[photo, INTACT] == place[photo, "original"]


def test_the_page_is_blind_and_whole(made: tuple[Path, Key]) -> None:
    """Neither methods nor photos are named; nothing is fetched from elsewhere."""
    page = (made[0] / "study.html").read_text(encoding="utf-8").lower()
    text = re.sub(r"data:image/jpeg;base64,[a-z0-9+/=]+", "", page)
    for word in (
        "telea",
        "cnnlg",
        "original",
        ".png",
        "catch:",
        "intact",
        "spoilt",
        "http:",
        "https:",
    ):
        assert word not in text, word
    assert not re.search(r"(src|href)=\"?(?!data:)[a-z/]", text)


def test_masks_take_turns(made: tuple[Path, Key], tmp_path: Path) -> None:
    """They are the masks that `cnnlg-tf evaluate` draws."""
    expected = {
        (case.photo, case.kind): case for case in CaseSet(tmp_path / "photos", ("wide", "box"), 40)
    }
    for number, path in enumerate(sorted((made[0] / "cases").glob("*.mask.png"))):
        with Image.open(path) as opened:
            assert opened.mode == "L"
            hole = np.asarray(opened) > 127
        case = expected[f"00{number}.png", ("wide", "box")[number % 2]]
        np.testing.assert_array_equal(hole, case.mask)


def test_an_artist_takes_part(made: tuple[Path, Key], tmp_path: Path) -> None:
    folder = tmp_path / "artist"
    folder.mkdir()
    for path in (made[0] / "cases").glob("*.png"):
        if not path.name.endswith(".mask.png"):
            Image.new("RGB", (40, 40), (10, 200, 30)).save(folder / path.name)
    arguments = {"methods": ("original",), "retouched": {"Ann": folder}, "options": OPTIONS}
    photos = tmp_path / "photos"
    key = make_study(photos, tmp_path / "second", **arguments)
    assert key.methods == {"original": "original photo", "Ann": "Ann"}
    data = _data(tmp_path / "second")
    (number,) = {
        number
        for shown, question in zip(data["sheets"][0], key.sheets[0], strict=True)
        for number, name in zip(shown, (question.left, question.right), strict=True)
        if (question.photo, name) == ("000", "Ann")
    } or {None}
    with Image.open(tmp_path / "second" / "cases" / "000.mask.png") as opened:
        hole = np.asarray(opened) > 127
    if number is not None:
        green = np.abs(_picture(data["pictures"][number]) - (10, 200, 30)).sum(axis=-1) < 60
        assert green[hole].mean() > 0.8 and green[~hole].mean() < 0.2  # around it: the photo
    (folder / "000.png").unlink()
    with pytest.raises(ImageError, match=r"artist/000.png does not exist"):
        make_study(photos, tmp_path / "third", **arguments)
    Image.new("RGB", (41, 40)).save(folder / "000.png")
    with pytest.raises(ImageError, match=r"must have the size of its case, \(40, 40\). Received: "):
        make_study(photos, tmp_path / "third", **arguments)


def test_photos_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "photos" / "x").mkdir(parents=True)
    for name in ("a.png", "a.jpg", "x_a.png", "x/a.png"):
        pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / name)
    methods = ("original", "telea")
    key = make_study(tmp_path / "photos", tmp_path / "study", methods=methods, options=OPTIONS)
    names = {question.photo for sheet in key.sheets for question in sheet}
    assert len(names) == 4 == len(list((tmp_path / "study" / "cases").glob("*.mask.png")))


def test_spoilt_pictures_are_seen_at_once() -> None:
    """Of flat photos too."""
    for image in (np.full((96, 96, 3), 128, np.uint8), np.zeros((96, 96, 3), np.uint8) + 250):
        assert np.abs(spoil(image).astype(int) - image)[24:72, 24:72].mean() > 15
        np.testing.assert_array_equal(spoil(image)[:24], image[:24])


def test_errors(made: tuple[Path, Key], tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    with pytest.raises(ConfigError, match="must not hold a study yet"):
        make_study(photos, made[0], methods=("original", "telea"), options=OPTIONS)
    with pytest.raises(ConfigError, match="a method must be one of original, cnnlg, telea"):
        make_study(photos, tmp_path / "x", methods=("original", "lama"), options=OPTIONS)
    with pytest.raises(ConfigError, match="at least two methods. Received: original"):
        make_study(photos, tmp_path / "x", methods=("original",), options=OPTIONS)
    with pytest.raises(ConfigError, match="a name of their own and a folder. Received: original="):
        make_study(photos, tmp_path / "x", methods=("original",), retouched={"original": tmp_path})
    assert not (tmp_path / "x").exists()


def test_command(tmp_path: Path, photo_folder: Callable[..., Path]) -> None:
    out = str(tmp_path / "study")
    options = ["study", "make", "--photos", str(photo_folder(count=2)), "--size", "40", "-o", out]
    result = CliRunner().invoke(
        main, [*options, "--methods", "original, telea", "--questions", "2"]
    )
    assert result.exit_code == 0, result.output
    assert "2 sheets of 8 to 8 pairs" in result.output and "study.html" in result.output
    result = CliRunner().invoke(main, [*options, "--retouched", "Ann"])
    assert result.exit_code == 2 and "--retouched must read NAME=FOLDER" in result.output
    result = CliRunner().invoke(main, [*options, "--methods", "original,telea"])
    assert result.exit_code == 1 and "must not hold a study yet" in result.output
