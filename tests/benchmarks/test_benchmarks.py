"""Benchmarks end errors in one line; what objects.py draws."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cnnlg_tf.inference import inpainter
from tests.benchmarks.loading import FOLDER, load_benchmark

NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_help(name: str) -> None:
    result = CliRunner().invoke(load_benchmark(name).main, ["--help"])
    assert result.exit_code == 0, result.output
    assert "Usage: main [OPTIONS]" in result.output


_NO_MODEL = "Received: /nowhere"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("before_after", ["--model", "/nowhere", "-o", "{out}.jpg"], _NO_MODEL),
        ("before_after", ["-o", "{out}.what"], "the output's name must end in one of"),
        ("bulk_plan", ["--ledger", "/nowhere.parquet"], "ledger /nowhere.parquet cannot be read"),
        ("bulk_speed", ["--photos", "/nowhere", "--mask", "m.png"], "mask m.png does not exist"),
        ("cold_start", ["--model", "/nowhere"], _NO_MODEL),
        ("failures", ["--photos", "{photos}", "--model", "/nowhere", "-o", "{out}.jpg"], _NO_MODEL),
        ("failures", ["--photos", "{photos}", "-o", "{out}.what"], "the output's name must end"),
        ("merge", ["--photos", "{photos}", "--model", "/nowhere"], _NO_MODEL),
        ("objects", ["--photos", "{empty}", "-o", "{out}.jpg"], "holds no photo"),
        ("objects", ["--photos", "{photos}", "-o", "{out}.what"], "the output's name must end"),
        ("painting", ["--photos", "{photos}", "--model", "/nowhere"], _NO_MODEL),
        ("painting_pictures", ["--model", "/nowhere", "-o", "{out}"], _NO_MODEL),
        ("speed", ["--model", "/nowhere"], _NO_MODEL),
        ("tradeoff", ["--photos", "{photos}", "--model", "/nowhere", "-o", "{out}"], _NO_MODEL),
        ("training", ["--set", "data.root=x"], "vgg_weights is needed"),
        ("training", ["--config", "none.yaml"], "none.yaml"),
    ],
)
def test_errors_end_in_one_line(
    name: str, options: list[str], message: str, tmp_path: Path, photo_folder: Callable[..., Path]
) -> None:
    places = {"photos": photo_folder(count=1), "empty": tmp_path / "empty", "out": tmp_path / "out"}
    places["empty"].mkdir()
    result = CliRunner().invoke(
        load_benchmark(name).main, [each.format(**places) for each in options]
    )
    assert result.exit_code == 1, result.output
    lines = result.output.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("Error: ") and message in lines[0]


def test_large_photo_tells_why_a_case_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each case is a process of its own, whose traceback or error comes back as one line."""
    module = load_benchmark("large_photo")
    ended = SimpleNamespace(returncode=1, stderr="noise of a runtime\nError: no such model\n")
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: ended)
    result = CliRunner().invoke(module.main, ["--only", "24 MP, half"])
    assert result.exit_code == 1
    assert result.output.splitlines()[1:] == ["Error: 24 MP, half missing: no such model"]


def test_objects_are_blobs_of_one_size() -> None:
    module = load_benchmark("objects")
    masks = [module.draw_object(256, np.random.default_rng(seed)) for seed in range(12)]
    for mask in masks:
        assert mask.mean() == pytest.approx(module.SHARE, rel=0.05)
        assert not (mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())
    assert not np.array_equal(masks[0], masks[1])
    np.testing.assert_array_equal(masks[3], module.draw_object(256, np.random.default_rng(3)))


def test_objects_shows_hole_peer_and_ours(
    tmp_path: Path, photo_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("patchmatch", reason="needs pypatchmatch (extra `bench`)")

    class Grey:
        def __init__(self, model: object) -> None:
            assert model == "my-model"

        def repair(self, photo: np.ndarray, mask: np.ndarray) -> SimpleNamespace:
            return SimpleNamespace(photo=np.where(mask[..., None], np.uint8(128), photo))

    monkeypatch.setattr(inpainter, "Inpainter", Grey)
    module = load_benchmark("objects")
    monkeypatch.setattr(module, "SIZE", 128)
    monkeypatch.setattr(module, "SHOWN", 96)
    out = tmp_path / "new" / "objects.png"
    options = ["--photos", str(photo_folder(count=2)), "--model", "my-model", "--tile", "48"]
    result = CliRunner().invoke(module.main, [*options, "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "000.png: LPIPS" in result.output and "FFD" in result.output
    with Image.open(out) as opened:
        sheet = np.asarray(opened.convert("RGB")).astype(int)
    assert sheet.shape == (3 * 48, 2 * 48 + module.GAP, 3)
    hole = (np.abs(sheet[:48, :48] - (235, 60, 120)) < 3).all(axis=-1)
    assert hole.mean() > 0.05
    assert (np.abs(sheet[96:, :48][hole] - 128) < 12).mean() > 0.9  # ours stands below
    assert (np.abs(sheet[48:96, :48][hole] - 128) < 12).mean() < 0.9


def test_a_simulated_run_adds_up() -> None:
    """Equal photos and workers: what can be counted by hand; then what each trouble adds."""
    module = load_benchmark("bulk_plan")
    one = np.array([2.0])

    def fleet(**values: float) -> object:
        usual = {
            "workers": 4,
            "start": 5.0,
            "lifetime": np.inf,
            "slow_share": 0.0,
            "slow_factor": 2.0,
        }
        return module.Fleet(**{**usual, **values})

    calm = module.simulate(one, 6400, 64, fleet(), 0)
    assert calm.ideal == pytest.approx(3200) and calm.seconds == pytest.approx(3205)
    assert (calm.tail, calm.redone, calm.deaths) == (0.0, 0.0, 0)
    uneven = module.simulate(one, 6401, 64, fleet(), 0)
    assert uneven.seconds == pytest.approx(3207) and uneven.ideal == pytest.approx(3200.5)
    coarse = module.simulate(one, 6400, 3200, fleet(), 0)  # two blocks for four workers
    assert coarse.seconds == pytest.approx(6405)
    slow = module.simulate(one, 6400, 64, fleet(slow_share=1.0), 0)
    assert slow.seconds == pytest.approx(6405)
    deadly = module.simulate(one, 6400, 64, fleet(lifetime=1000.0), 0)
    assert deadly.deaths > 3 and 0 < deadly.redone < 64 * deadly.deaths
    lost = (2.0 * deadly.redone + 5.0 * deadly.deaths) / 4
    assert deadly.seconds == pytest.approx(3205 + lost, abs=200)  # a block at the end
    finer = module.simulate(one, 6400, 8, fleet(lifetime=1000.0), 0)
    assert finer.redone < deadly.redone


def test_a_plan_from_a_ledger(tmp_path: Path) -> None:
    ledger = pytest.importorskip("cnnlg_tf.bulk.ledger", reason="needs pyarrow (extra `bulk`)")
    rows = [
        {"id": "a", "status": "ok", "seconds": 3.0},
        {"id": "b", "status": "error", "seconds": 9.0},
    ]
    (tmp_path / "ledger.parquet").write_bytes(ledger.as_parquet(ledger.as_rows(rows)))
    options = ["--ledger", str(tmp_path / "ledger.parquet"), "--photos", "64000", "--workers", "10"]
    result = CliRunner().invoke(load_benchmark("bulk_plan").main, [*options, "--slow-share", "0"])
    assert result.exit_code == 0, result.output
    told = dict(line.split("  ", 1) for line in result.output.splitlines())
    assert told["a photo"].strip() == "3 s (median 3, longest 3)"
    assert told["all equal, none dies"].strip() == "5 h 20 min"
    assert told["photos done again"].strip().startswith("0 ")
