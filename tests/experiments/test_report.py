"""Plots: what is on which axis, and that the values are the sweep's."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from cnnlg_tf.experiments import report
from cnnlg_tf.experiments.sweep import Sweep

Figure = pytest.importorskip("matplotlib.figure", reason="the extra bench is not there").Figure

MakeSweep = Callable[..., Sweep]

_AXES = {"guides": {"neither": 0.0, "both": 0.5}}
_ROWS = [("neither",), ("both",)]


def _with_evaluations(sweep: Sweep, names: list[str]) -> Sweep:
    runs = [
        replace(
            run,
            scores={name: run.scores["val"] for name in names},
            photos={name: run.photos["val"] for name in names},
        )
        for run in sweep.runs
    ]
    return Sweep("made", {**sweep.definition, "evaluations": {name: {} for name in names}}, runs)


def _ticks(axis: object) -> list[str]:
    return [label.get_text() for label in axis.get_yticklabels()]  # type: ignore[attr-defined]


def test_variants_are_lines_and_evaluations_colours(make_sweep: MakeSweep) -> None:
    sweep = _with_evaluations(make_sweep(_AXES, _ROWS), ["val", "large"])
    psnr, lpips, both, seconds, *rest = report._plot(sweep, Figure).axes
    assert _ticks(psnr) == _ticks(lpips) == _ticks(seconds) == ["neither", "both"]
    assert psnr.get_legend_handles_labels()[1] == ["val", "large"]
    dots = psnr.lines[0]
    means = [
        np.mean([run.scores["val"]["all"]["hole_psnr"] for run in runs])
        for runs in sweep.measured().values()
    ]
    np.testing.assert_allclose(dots.get_xdata(orig=False), means)
    assert both.get_xlabel().startswith("hole PSNR")
    assert not any(axis.axison for axis in rest)


def test_more_evaluations_than_variants_are_lines(make_sweep: MakeSweep) -> None:
    """Then colours are variants, and the values what they differ from the first."""
    names = ["a", "b", "c"]
    sweep = _with_evaluations(make_sweep(_AXES, _ROWS), names)
    psnr, lpips, seconds, *_ = report._plot(sweep, Figure).axes
    assert psnr.get_title() == "hole PSNR dB against neither"
    assert lpips.get_title() == "LPIPS against neither"
    assert _ticks(psnr) == names and _ticks(seconds) == ["neither", "both"]
    assert psnr.get_legend_handles_labels()[1] == ["both"]
    zero, dots, *_ = psnr.lines
    assert list(zero.get_xdata(orig=False)) == [0, 0]
    np.testing.assert_allclose(dots.get_xdata(orig=False), [0.5] * 3, atol=0.05)


def test_one_variant_is_drawn_by_itself(make_sweep: MakeSweep) -> None:
    """There is nothing that it could differ from."""
    sweep = _with_evaluations(make_sweep(_AXES, _ROWS[:1]), ["a", "b", "c"])
    psnr, *_ = report._plot(sweep, Figure).axes
    assert psnr.get_title() == "hole PSNR dB" and _ticks(psnr) == ["neither"]
    assert psnr.get_legend_handles_labels()[1] == ["a", "b", "c"]


def test_many_variants_are_told_by_colour_and_shape(make_sweep: MakeSweep) -> None:
    """Their names would lie on each other."""
    axes = {
        "optimizer": {name: 0.1 * number for number, name in enumerate("abc")},
        "activation": {"silu": 0.0, "relu": 0.3},
        "penalty": {"none": 0.0, "exact": 0.5},
    }
    rows = list(product(*axes.values()))
    *_, both, _, _ = report._plot(make_sweep(axes, rows), Figure).axes[:5]
    assert both.get_xlabel().startswith("hole PSNR") and not both.texts
    names = [text.get_text() for text in both.get_legend().get_texts()]
    assert names == ["a", "b", "c", "none", "exact"]
    dots = [each for each in both.collections if len(each.get_offsets())]
    assert len(dots) == len(rows) and len({tuple(each.get_facecolor()[0]) for each in dots}) == 3
    assert len({each.get_paths()[0].vertices.tobytes() for each in dots}) == 2
    alone = {"a": {str(number): 0.0 for number in range(9)}}
    one = report._plot(make_sweep(alone, list(product(*alone.values()))), Figure).axes[2]
    shapes = {
        each.get_paths()[0].vertices.tobytes()
        for each in one.collections
        if len(each.get_offsets())
    }
    assert len(shapes) == 1, "the legend of a single axis shows colours"
    few = report._plot(make_sweep(axes, rows[:8]), Figure).axes[2]
    assert len(few.texts) == 8 and few.get_legend() is None


def test_values_of_many_sizes_stand_on_a_logarithmic_axis(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(_AXES, _ROWS)
    values = {"neither": 3e4, "both": 53.0}
    runs = [
        replace(run, training={"norm": values[run.labels["guides"]], "seconds": 0.0})
        for run in sweep.runs
    ]
    panels = report._plot(replace(sweep, runs=runs), Figure).axes
    scales = {axis.get_title(): axis.get_xscale() for axis in panels}
    assert (scales["norm"], scales["seconds"], scales["hole PSNR dB"]) == (
        "log",
        "linear",
        "linear",
    )
