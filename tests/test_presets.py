"""Presets and other ways to keep a model: each comes back with the same repairs."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml

import cnnlg_tf
from cnnlg_tf import presets
from cnnlg_tf.checkpoint import SHIPPED, WEIGHTS, find_checkpoint
from cnnlg_tf.errors import CheckpointError
from cnnlg_tf.presets import PRESETS, Preset, card_head, load_preset, preset_folder

ROOT = Path(__file__).parent.parent
IMAGE = np.random.default_rng(0).random((1, 32, 48, 3), np.float32)
MASK = np.zeros((1, 32, 48, 1), np.float32)
MASK[:, 8:20, 10:30] = 1.0


def repairs(model: Any) -> list[np.ndarray]:
    return [x.numpy() for x in model.repair(IMAGE, MASK)]


def assert_same(model: Any, other: Any) -> None:
    assert type(other) is cnnlg_tf.CNNLG and other.config == model.config
    for one, two in zip(repairs(model), repairs(other), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_preset_s_folder_comes_back(untrained: Any, tmp_path: Path) -> None:
    untrained.save_to_preset(tmp_path / "mine", licence="CC0-1.0")
    assert_same(untrained, cnnlg_tf.CNNLG.from_preset(tmp_path / "mine"))
    assert_same(untrained, cnnlg_tf.load(tmp_path / "mine"))
    assert json.loads((tmp_path / "mine" / "checkpoint.json").read_text())["licence"] == "CC0-1.0"


def test_a_keras_file_comes_back(untrained: Any, tmp_path: Path) -> None:
    untrained.save(tmp_path / "model.keras")
    assert_same(untrained, keras.saving.load_model(tmp_path / "model.keras"))


def test_a_name_is_the_preset_even_beside_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    assert find_checkpoint("photos") == SHIPPED == preset_folder("photos")


def test_unknown_presets_are_told(tmp_path: Path) -> None:
    for name in ("faces", str(tmp_path / "none")):
        with pytest.raises(
            CheckpointError, match=f"one of photos, or a folder. Received: '{name}'"
        ):
            load_preset(name)
    with pytest.raises(
        CheckpointError, match="or the name of a preset .photos.. Received: .*faces"
    ):
        cnnlg_tf.load("faces")


def test_a_preset_from_a_url_is_fetched_once_and_checked(
    untrained: Any, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "preset.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in checkpoint.iterdir():
            archive.write(file, f"../../folder/{file.name}")  # nothing is written outside
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    right = hashlib.sha256(packed.read_bytes()).hexdigest()
    made = {
        "mine": Preset("", packed.as_uri(), right, "CC0-1.0"),
        "altered": Preset("", packed.as_uri(), "0" * 64, "CC0-1.0"),
        "gone": Preset("", (tmp_path / "none.zip").as_uri(), "1" * 64, "CC0-1.0"),
    }
    monkeypatch.setattr(presets, "PRESETS", made)
    assert_same(untrained, load_preset("mine"))
    for name, message in (
        ("altered", f"must have the sha256 0.*Received: {right}"),
        ("gone", "zip file at"),
    ):
        with pytest.raises(CheckpointError, match=message):
            load_preset(name)
    packed.unlink()
    assert_same(untrained, load_preset("mine"))
    assert [p.name for p in (tmp_path / "cache" / "cnnlg-tf" / "presets").iterdir()] == [right]


@pytest.mark.parametrize("name", PRESETS)
def test_what_a_preset_says_is_true(name: str) -> None:
    """After shipping other weights: set sha256 and figures in presets.py, then `python -m cnnlg_tf.presets`."""
    preset = PRESETS[name]
    weights = (preset_folder(name) / WEIGHTS).read_bytes()
    assert hashlib.sha256(weights).hexdigest() == preset.sha256
    assert (presets.WEIGHTS / f"{preset.source}.LICENSE").is_file()
    card = (ROOT / "docs" / "model-card.md").read_text(encoding="utf-8")
    assert card.startswith(card_head(name)), "run `python -m cnnlg_tf.presets` for the card's head"
    _, head, body = card.split("---\n", 2)
    assert yaml.safe_load(head)["library_name"] == "keras"
    for kind, figures in preset.figures.items():
        for metric, value in figures.items():
            shown = f"{value:.2f}" if metric == "psnr" else f"{value:.4f}".lstrip("0")
            assert shown in body, f"{kind} {metric} {shown} must stand in the card's table"
