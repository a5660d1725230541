"""Effects are found where they were put, chance is not called effect, and seeds are told from photos."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from cnnlg_tf.experiments.compare import (
    effects,
    of_photos,
    of_shares,
    pairs,
    share_groups,
    smallest_difference,
    spread,
    student_quantile,
)
from cnnlg_tf.experiments.sweep import Sweep

MakeSweep = Callable[..., Sweep]

_GUIDES = {"guides": {"neither": 0.0, "latent": 0.1, "both": 0.5}}


def test_one_axis_is_the_paired_difference(make_sweep: MakeSweep) -> None:
    """Photos differ by 4 dB, and yet a tenth is seen: the difference is taken on each photo."""
    sweep = make_sweep(_GUIDES, [("neither",), ("latent",), ("both",)])
    latent, both = effects(sweep, of_photos("val", "hole_psnr"))
    assert (latent.axis, latent.label, both.label) == ("guides", "latent", "both")
    runs = sweep.measured()
    means = {name: spread(each, "val", "all", "hole_psnr")[0] for name, each in runs.items()}
    assert both.value == pytest.approx(means["both"] - means["neither"])
    assert both.low < 0.5 < both.high and both.certain and both.high - both.low < 0.1
    assert latent.low < 0.1 < latent.high and latent.certain


def test_effects_of_a_fractional_design(make_sweep: MakeSweep) -> None:
    """Each label meets each label of the other axes' not equally often; the fit takes that out."""
    axes = {
        "optimizer": {"adamw": 0.0, "lion": 0.3, "sgd": -1.0},
        "activation": {"silu": 0.0, "relu": -0.2},
        "loss": {"nll": 0.0, "all": 0.7},
    }
    rows = [
        ("adamw", "silu", "nll"),
        ("adamw", "relu", "all"),
        ("lion", "silu", "all"),
        ("lion", "relu", "nll"),
        ("sgd", "silu", "all"),
        ("sgd", "relu", "all"),
    ]
    found = {
        (each.axis, each.label): each
        for each in effects(make_sweep(axes, rows), of_photos("val", "hole_psnr", "box"))
    }
    for axis, labels in axes.items():
        for label, effect in list(labels.items())[1:]:
            assert found[axis, label].value == pytest.approx(effect, abs=0.06)


def test_an_effect_that_the_rows_cannot_tell_is_left_out(make_sweep: MakeSweep) -> None:
    axes = {"a": {"one": 0.0, "two": 1.0}, "b": {"one": 0.0, "two": 2.0}, "c": {"x": 0.0, "y": 1.0}}
    rows = [("one", "one", "x"), ("two", "two", "x"), ("one", "one", "y")]  # a and b go together
    (told,) = effects(make_sweep(axes, rows), of_photos("val", "hole_psnr"))
    assert (told.axis, told.label) == ("c", "y")


def test_pairs_differ_in_nothing_else(make_sweep: MakeSweep) -> None:
    """What a third of the variants does wildly, such as a loss that a score is not of, leaves pairs of others alone."""
    axes = {
        "optimizer": {"adamw": 0.0, "sgd": -1.0},
        "loss": {"nll": 0.0, "L1": 2.0},
        "penalty": {"none": 0.0, "exact": 0.4},
    }
    rows = [
        ("adamw", "nll", "none"),
        ("adamw", "nll", "exact"),
        ("adamw", "L1", "none"),
        ("sgd", "nll", "none"),
        ("sgd", "nll", "exact"),
    ]
    sweep = make_sweep(axes, rows)
    sgd, l1, penalty = pairs(sweep, of_photos("val", "hole_psnr"))
    assert (sgd.mean.label, l1.mean.label, penalty.mean.label) == ("sgd", "L1", "exact")
    assert set(sgd.each) == {"nll, none", "nll, exact"} and set(l1.each) == {"adamw, none"}
    assert l1.each["adamw, none"] == l1.mean
    for each in penalty.each.values():
        assert each.certain and each.value == pytest.approx(0.4, abs=0.05)
        assert each.high - each.low > penalty.mean.high - penalty.mean.low
    wild = {run.name: 50.0 * run.seed for run in sweep.runs if run.labels["loss"] == "L1"}
    runs = [
        replace(run, photos={"val": {"box": {**box, "hole_psnr": [wild[run.name]] * 30}}})
        if run.name in wild
        else run
        for run in sweep.runs
        for box in [run.photos["val"]["box"]]
    ]
    assert pairs(replace(sweep, runs=runs), of_photos("val", "hole_psnr"))[2] == penalty


@pytest.mark.parametrize(
    ("guides", "rows"),
    [(_GUIDES, [("neither",), ("both",)]), (_GUIDES, [("latent",), ("both",)]), (_GUIDES, [])],
    ids=["reference and one", "no reference", "nothing"],
)
def test_labels_without_a_pair_are_left_out(
    make_sweep: MakeSweep, guides: dict[str, dict[str, float]], rows: list[tuple[str, ...]]
) -> None:
    found = pairs(make_sweep(guides, rows), of_photos("val", "hole_psnr"))
    assert [each.mean.label for each in found] == (["both"] if ("neither",) in rows else [])


@pytest.mark.parametrize(
    ("seeds", "noise"),
    [({"seeds": 1}, {"noise": 0.5}), ({"seeds": 3}, {"noise": 0.1, "seed_noise": 0.3})],
    ids=["photos", "three seeds"],
)
def test_intervals_cover_the_truth(
    make_sweep: MakeSweep, seeds: dict[str, int], noise: dict[str, float]
) -> None:
    """About 95 % of them hold what was put in, by three seeds too."""
    rng = np.random.default_rng(3)
    axes, rows = {"g": {"a": 0.0, "b": 0.2}}, [("a",), ("b",)]
    held = []
    for _ in range(80):
        sweep = make_sweep(axes, rows, rng=rng, **seeds, **noise)
        (effect,) = effects(sweep, of_photos("val", "hole_psnr"))
        held.append(effect.low <= 0.2 <= effect.high)
    assert 0.88 <= np.mean(held) <= 1.0


def test_seeds_widen_intervals(make_sweep: MakeSweep) -> None:
    rows = [("neither",), ("latent",), ("both",)]
    calm, wild = (make_sweep(_GUIDES, rows, seed_noise=noise) for noise in (0.0, 0.5))
    first, second = (effects(each, of_photos("val", "hole_psnr"))[0] for each in (calm, wild))
    assert second.high - second.low > 3 * (first.high - first.low)
    least = smallest_difference(wild, "val", "hole_psnr")
    assert least is not None and 0.4 < least < 2.5  # t(6) * .5 * sqrt(2 / 3) is 1.0
    one = make_sweep(_GUIDES, rows, seeds=1)
    assert smallest_difference(one, "val", "hole_psnr") is None


def test_a_variant_that_lacks_a_seed_is_not_compared(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(_GUIDES, [("neither",), ("latent",), ("both",)])
    runs = [replace(run, error="nan") if run.folder == "both/seed-1" else run for run in sweep.runs]
    broken = replace(sweep, runs=runs)
    assert [each.label for each in effects(broken, of_photos("val", "hole_psnr"))] == ["latent"]
    assert len(broken.measured()["both"]) == 2
    assert effects(replace(sweep, runs=[]), of_photos("val", "hole_psnr")) == []


def test_shares_take_the_cases_of_their_bounds(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(_GUIDES, list(product(_GUIDES["guides"])))
    run = sweep.runs[0]
    groups = share_groups()
    assert list(groups)[0] == "0-10 %"
    parts = [of_shares("val", "hole_psnr", *bounds)(run) for bounds in groups.values()]
    assert sum(parts, []) == run.photos["val"]["box"]["hole_psnr"]
    assert of_shares("val", "hole_psnr", 0.9, 1.0)(run) == []
    assert effects(sweep, of_shares("val", "hole_psnr", 0.9, 1.0)) == []


@pytest.mark.parametrize(("freedom", "quantile"), [(4, 2.776), (10, 2.228), (100, 1.984)])
def test_student_quantile(freedom: int, quantile: float) -> None:
    assert student_quantile(freedom) == pytest.approx(quantile, rel=0.01)
