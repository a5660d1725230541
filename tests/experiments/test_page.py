"""docs/experiments.md says what its sweeps say, to the letter."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnlg_tf.errors import DataError
from cnnlg_tf.experiments.compare import effects, of_photos
from cnnlg_tf.experiments.definition import expand, load_experiment
from cnnlg_tf.experiments.page import fill_page, update_page
from cnnlg_tf.experiments.sweep import Sweep, load_sweep, save_sweep

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_committed_page_is_what_its_sweeps_make() -> None:
    """Run `python benchmarks/experiments_page.py` where this fails."""
    sweeps = {path.stem: load_sweep(path) for path in (DOCS / "experiments").glob("*.json")}
    page = (DOCS / "experiments.md").read_text(encoding="utf-8")
    assert sweeps and page.count("<!-- table: ") >= len(sweeps)
    assert page.count("<!-- table: ") == page.count("<!-- end -->")
    assert fill_page(page, sweeps) == page
    for sweep in sweeps.values():
        assert '"/' not in json.dumps(sweep.definition)  # no folder of the machine that it ran on
    wiped = re.sub(r"(\| .+? -->\n).*?(<!-- end -->)", r"\1\2", page, flags=re.DOTALL)
    assert len(wiped) < len(page) and fill_page(wiped, sweeps) == page


def test_update(make_sweep: Callable[..., Sweep], tmp_path: Path) -> None:
    sweep = make_sweep({"guides": {"neither": 0.0, "both": 0.5}}, [("neither",), ("both",)])
    save_sweep(sweep, tmp_path / "sweeps" / "made.json")
    page = tmp_path / "page.md"
    page.write_text("# A\n<!-- table: made | overview -->\nold\n<!-- end -->\nprose\n")
    assert update_page(page, tmp_path / "sweeps")
    text = page.read_text()
    assert "old" not in text and "| neither | " in text and text.endswith("<!-- end -->\nprose\n")
    assert not update_page(page, tmp_path / "sweeps")
    page.write_text("<!-- table: made | nothing -->\n<!-- end -->\n")
    with pytest.raises(DataError, match="asks for table made . nothing. There are: overview, scor"):
        update_page(page, tmp_path / "sweeps")
    page.write_text("<!-- table: other | overview -->\n<!-- end -->\n")
    with pytest.raises(DataError, match="table other . overview. There are: sweeps made"):
        update_page(page, tmp_path / "sweeps")


def test_the_optimisers_design_tells_every_label(make_sweep: Callable[..., Sweep]) -> None:
    """22 of 180 combinations: balanced, and enough for every effect of the additive model."""
    experiment = load_experiment(ROOT / "configs" / "experiments" / "optimizers.yaml")
    variants = expand(experiment)
    rows = [tuple(variant.labels.values()) for variant in variants]
    plain = [row for row in rows if row[3] == "none"]
    assert len(rows) == len(set(rows)) == 22 and len(plain) == 15
    assert {(row[0], row[2]) for row in plain} == {
        (optimizer, loss)
        for optimizer in experiment.axes["optimizer"]
        for loss in experiment.axes["loss"]
    }
    for row in rows:  # each penalty's variant has its twin
        assert (*row[:3], "none") in rows
    rng = np.random.default_rng(0)
    axes = {
        axis: {label: float(rng.normal()) if i else 0.0 for i, label in enumerate(labels)}
        for axis, labels in experiment.axes.items()
    }
    sweep = make_sweep(axes, rows, noise=0.01)
    found = effects(replace(sweep), of_photos("val", "hole_psnr"))
    assert len(found) == 4 + 3 + 2 + 2
    for effect in found:
        assert effect.value == pytest.approx(axes[effect.axis][effect.label], abs=0.02)


def test_no_variant_of_generalisation_has_seen_what_it_is_measured_on() -> None:
    experiment = load_experiment(ROOT / "configs" / "experiments" / "generalisation.yaml")
    trained = {config.data.root for each in expand(experiment) for config in each.configs.values()}
    for variant in expand(experiment):
        assert {tuple(config.data.exclude) for config in variant.configs.values()} == {("*7.*",)}
    for name, measure in experiment.evaluations.items():
        inside = any(root == measure.photos or root in measure.photos.parents for root in trained)
        assert inside == (not name.startswith("val"))
        assert measure.only == (["*7.*"] if inside else [])
    sizes = {measure.size for measure in experiment.evaluations.values()}
    assert sizes == {128, 256, 512, 1024} and len(experiment.evaluations) == 20
