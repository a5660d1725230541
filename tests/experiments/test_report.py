"""Plots: what is on which axis, and that the values are the sweep's."""

from collections.abc import Callable
from dataclasses import replace

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
