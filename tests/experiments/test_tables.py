"""Tables come from sweep.json alone and are the same each time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cnnlg_tf.errors import DataError
from cnnlg_tf.experiments.sweep import SWEEP, Sweep, load_sweep, save_sweep
from cnnlg_tf.experiments.tables import all_tables

MakeSweep = Callable[..., Sweep]

_AXES = {"guides": {"neither": 0.0, "both": 0.5}, "loss": {"nll": 0.0, "all": 0.0}}
_ROWS = [("neither", "nll"), ("neither", "all"), ("both", "nll"), ("both", "all")]


def test_tables(make_sweep: MakeSweep) -> None:
    tables = all_tables(make_sweep(_AXES, _ROWS, seed_noise=0.05))
    assert list(tables) == [
        "overview",
        "scores val",
        "power val",
        "effects val hole_psnr",
        "shares val hole_psnr",
        "pairs val hole_psnr",
        "effects val lpips",
        "shares val lpips",
        "pairs val lpips",
        "training",
    ]
    assert "| guides | loss | val |" in tables["overview"]
    assert "| guides | loss | hole PSNR dB | SSIM | LPIPS | FFD 1/4 |" in tables["scores val"]
    assert " ± 0.0" in tables["scores val"] and tables["scores val"].count("**") >= 4
    assert "| guides | both against neither | **+0.4" in tables["effects val hole_psnr"]
    assert "| axis | label | all | box |" in tables["effects val hole_psnr"]
    assert "| 0-10 % | 10-20 % |" in tables["shares val hole_psnr"]
    pairs = tables["pairs val hole_psnr"].splitlines()
    assert pairs[2] == "| axis | label | everything else | all | box |"
    assert pairs[4].startswith("| guides | both against neither | nll | **+0.4")
    assert pairs[6].startswith("| guides | both against neither | mean of 2 pairs | **+0.4")
    assert tables["power val"].startswith(
        "The smallest difference between two variants that 3 seed"
    )
    assert "| neither | nll | 0.5 |" in tables["training"]


def test_effects_across_evaluations(make_sweep: MakeSweep) -> None:
    """A line for each evaluation, with what that one shows."""
    first = make_sweep(_AXES, _ROWS)
    second = make_sweep({**_AXES, "guides": {"neither": 0.0, "both": -0.7}}, _ROWS, seed_noise=0.05)
    runs = [
        replace(
            run,
            scores={**run.scores, "large": other.scores["val"]},
            photos={**run.photos, "large": other.photos["val"]},
        )
        for run, other in zip(first.runs, second.runs, strict=True)
    ]
    definition = {**first.definition, "evaluations": {"val": {}, "large": {}}}
    table = all_tables(Sweep("made", definition, runs))["across hole_psnr"].splitlines()
    assert "| both against neither | all against nll | seeds can show |" in table[2]
    assert table[4].startswith("| val | **+0.") and table[5].startswith("| large | **-0.")
    assert float(table[5].split("|")[-2]) > float(table[4].split("|")[-2])


def test_likelihood_is_told_where_it_was_measured(make_sweep: MakeSweep) -> None:
    first = make_sweep(_AXES, _ROWS)
    runs = []
    for run in first.runs:
        scores, photos = run.scores["val"], run.photos["val"]
        psnr = photos["box"]["hole_psnr"]
        measured = {
            kind: {**means, "nll": 4 - means["hole_psnr"] / 10} for kind, means in scores.items()
        }
        each = {"box": {**photos["box"], "nll": [4 - value / 10 for value in psnr]}}
        runs.append(
            replace(
                run,
                scores={"val": scores, "large": measured},
                photos={"val": photos, "large": each},
            )
        )
    definition = {**first.definition, "evaluations": {"val": {}, "large": {}}}
    tables = all_tables(Sweep("made", definition, runs))
    assert [name for name in tables if "nll" in name] == [
        "across nll",
        "effects large nll",
        "shares large nll",
        "pairs large nll",
    ]
    (line,) = tables["across nll"].splitlines()[4:]
    assert line.startswith("| large | **-0.05")
    assert tables["power large"].endswith(" in NLL nats.") and "NLL" not in tables["power val"]
    assert "| NLL nats |" in tables["scores large"] and "NLL" not in tables["scores val"]


def test_one_seed_is_told(make_sweep: MakeSweep) -> None:
    tables = all_tables(make_sweep(_AXES, _ROWS, seeds=1))
    assert tables["power val"].startswith("One seed: differences between variants may be chance")
    assert "±" not in tables["scores val"]


def test_failures_are_told(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(_AXES, _ROWS)
    runs = [replace(run, error="loss is nan") if run.seed == 2 else run for run in sweep.runs]
    tables = all_tables(replace(sweep, runs=runs))
    assert tables["failures"].count("seed 2 failed: loss is nan") == 4
    nothing = all_tables(replace(sweep, runs=[replace(run, error="no") for run in runs]))
    assert "failures" in nothing and "training" not in nothing


def test_a_sweep_is_read_as_it_was_written(make_sweep: MakeSweep, tmp_path: Path) -> None:
    sweep = make_sweep(_AXES, _ROWS)
    save_sweep(sweep, tmp_path / SWEEP)
    again = load_sweep(tmp_path / SWEEP)
    assert again == sweep and all_tables(again) == all_tables(sweep)
    assert len((tmp_path / SWEEP).read_text().splitlines()) > len(sweep.runs)  # one run a line
    save_sweep(replace(sweep, runs=[]), tmp_path / SWEEP)
    assert load_sweep(tmp_path / SWEEP).runs == []


def test_what_is_no_sweep_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sweep .*none.json cannot be read"):
        load_sweep(tmp_path / "none.json")
    (tmp_path / "other.json").write_text('{"runs": []}')
    with pytest.raises(DataError, match="sweep .*other.json cannot be read: 'name'"):
        load_sweep(tmp_path / "other.json")
