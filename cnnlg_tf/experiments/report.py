"""What an experiment writes beside sweep.json: its tables, a plot, and the pictures side by side."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnnlg_tf.errors import MissingExtraError
from cnnlg_tf.evaluation.pictures import Pixels, draw_grid
from cnnlg_tf.evaluation.summary import TITLES
from cnnlg_tf.experiments.compare import mean_and_deviation, spread
from cnnlg_tf.experiments.one_run import HOLE, PHOTO, PICTURE_FOLDER
from cnnlg_tf.experiments.sweep import SWEEP, Sweep, save_sweep
from cnnlg_tf.experiments.tables import COMPARED, all_tables, compared
from cnnlg_tf.extras import require
from cnnlg_tf.files import atomic_path

COLUMNS = 3  # of the plot
NAMED = 8  # points that can have their names beside them
WIDE = 100.0  # times as much at most as at least: from here on an axis is logarithmic
MARKERS = "osv^DPX*"


def write_results(sweep: Sweep, out: Path) -> None:
    """Write sweep.json and results.md."""
    save_sweep(sweep, out / SWEEP)
    with atomic_path(out / "results.md") as path:
        path.write_text(as_markdown(sweep), encoding="utf-8")


def write_pictures(sweep: Sweep, out: Path) -> None:
    """Write pictures.png and, where matplotlib is installed, plot.png."""
    if not sweep.measured():
        return
    if rows := _picture_rows(sweep, out / PICTURE_FOLDER):
        with atomic_path(out / "pictures.png") as path:
            draw_grid(rows).save(path)
    try:
        pyplot = require("matplotlib.figure", "bench")
    except MissingExtraError:
        return
    with atomic_path(out / "plot.png") as path:
        _plot(sweep, pyplot.Figure).savefig(path, dpi=110)


def as_markdown(sweep: Sweep) -> str:
    """All tables under their names."""
    lines = [f"# Experiment {sweep.name}", ""]
    for title, text in all_tables(sweep).items():
        lines += [f"## {title}", "", text, ""]
    return "\n".join(lines).rstrip() + "\n"


def _picture_rows(sweep: Sweep, folder: Path) -> list[dict[str, Pixels]]:
    """A row a case: photo, hole, and each variant whose pictures are there."""
    if not folder.is_dir():
        return []
    titles = {PHOTO: PHOTO, HOLE: HOLE}
    titles |= {runs[0].folder.split("/")[0]: name for name, runs in sweep.measured().items()}
    places = sorted(folder.iterdir())
    kept = {name for name in titles if all((place / f"{name}.png").is_file() for place in places)}
    return [
        {title: _read(place / f"{name}.png") for name, title in titles.items() if name in kept}
        for place in places
    ]


def _read(path: Path) -> Pixels:
    with Image.open(path) as picture:
        return np.array(picture.convert("RGB"))


def _plot(sweep: Sweep, figure_class: Any) -> Any:
    """Scores and training figures by variant, bars for the seeds' spread; PSNR against LPIPS.

    Where there are more evaluations than variants to compare, scores are by evaluation, as differences to the
    first variant.
    """
    variants, evaluations = list(sweep.measured()), sweep.evaluations
    training = list(next(iter(sweep.measured().values()))[0].training)
    metrics = [each for each in COMPARED if all(each in compared(sweep, n) for n in evaluations)]
    crossed = len(evaluations) > len(variants) > 1
    count = len(metrics) + len(training) + (not crossed)
    rows = math.ceil(count / COLUMNS)
    height = max(3.4, 1.6 + 0.25 * len(evaluations if crossed else variants))
    figure = figure_class(figsize=(4.6 * COLUMNS, rows * height), layout="constrained")
    figure.suptitle(f"Experiment {sweep.name}")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    panels = iter(axes)
    for metric in metrics:
        (_by_evaluation if crossed else _by_variant)(next(panels), sweep, metric)
    if not crossed:
        _psnr_and_lpips(next(panels), sweep)
    for name in training:
        values = [
            mean_and_deviation([run.training[name] for run in runs])
            for runs in sweep.measured().values()
        ]
        _dots(next(panels), variants, values, name)
    for axis in panels:
        axis.set_axis_off()
    for axis in axes:
        if axis.get_xscale() == "linear":
            axis.locator_params(axis="x", nbins=5)
    handles, labels = axes[0].get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside right upper", fontsize=8)
    return figure


def _by_variant(axis: Any, sweep: Sweep, metric: str) -> None:
    """A line a variant, a colour an evaluation."""
    measured = sweep.measured()
    for name in sweep.evaluations:
        values = [spread(runs, name, "all", metric) for runs in measured.values()]
        _dots(axis, list(measured), values, TITLES[metric], name)


def _by_evaluation(axis: Any, sweep: Sweep, metric: str) -> None:
    """A line an evaluation, a colour a variant: what it differs from the first."""
    names = sweep.evaluations
    (first, reference), *others = sweep.measured().items()
    base = [spread(reference, name, "all", metric)[0] for name in names]
    axis.axvline(0, color="grey")
    for number, (variant, runs) in enumerate(others):
        found = [spread(runs, name, "all", metric) for name in names]
        values = [(mean - zero, each) for (mean, each), zero in zip(found, base, strict=True)]
        shift = 0.6 * (number / len(others) - 0.4)
        _dots(axis, names, values, f"{TITLES[metric]} against {first}", variant, shift)


def _psnr_and_lpips(axis: Any, sweep: Sweep) -> None:
    """A point a variant, with its name; many are told by colour (the first axis) and shape (the last) in its place."""
    measured = sweep.measured()
    named = len(measured) <= NAMED
    for name in sweep.evaluations:
        points = [
            tuple(spread(runs, name, "all", metric)[0] for metric in ("hole_psnr", "lpips"))
            for runs in measured.values()
        ]
        if not named:
            _coloured(axis, sweep, points)
            continue
        axis.scatter(*zip(*points, strict=True))
        if name == sweep.evaluations[0]:
            for title, point in zip(measured, points, strict=True):
                axis.annotate(title, point, (4, 3), textcoords="offset points", fontsize=7)
    if named:
        axis.margins(x=0.25)  # for the titles beside the points
    else:
        _key_to_colours(axis, sweep)
    axis.set(xlabel="hole PSNR dB (right is better)", ylabel="LPIPS (down is better)")


def _coloured(axis: Any, sweep: Sweep, points: Sequence[tuple[float, ...]]) -> None:
    """Points in the colours of the first axis's labels and the shapes of the last one's."""
    colours, shapes = _looks(sweep)
    for runs, point in zip(sweep.measured().values(), points, strict=True):
        labels = list(runs[0].labels.values())
        axis.scatter(*point, color=colours[labels[0]], marker=shapes.get(labels[-1], "o"))


def _key_to_colours(axis: Any, sweep: Sweep) -> None:
    colours, shapes = _looks(sweep)
    keys = [axis.scatter([], [], color=colour, marker="o") for colour in colours.values()]
    keys += [axis.scatter([], [], color="grey", marker=marker) for marker in shapes.values()]
    axis.legend(keys, [*colours, *shapes], fontsize=7)


def _looks(sweep: Sweep) -> tuple[dict[str, str], dict[str, str]]:
    """The first axis's labels -> colours, and the last one's -> markers; a single axis has colours alone."""
    first, *others = sweep.axes.values()
    colours = {label: f"C{number}" for number, label in enumerate(first)}
    last = others[-1] if others else []
    return colours, {label: MARKERS[n % len(MARKERS)] for n, label in enumerate(last)}


def _dots(
    axis: Any,
    names: Sequence[str],
    values: Sequence[tuple[float, float]],
    title: str,
    label: str | None = None,
    shift: float = 0.0,
) -> None:
    """A dot with its spread a name, the first name on top."""
    means, deviations = zip(*values, strict=True)
    places = [place + shift for place in range(len(names))]
    axis.errorbar(means, places, xerr=deviations, fmt="o", capsize=3, label=label)
    if min(means) > 0 and max(means) > WIDE * min(means):
        axis.set_xscale("log", nonpositive="clip")
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(alpha=0.3)
    axis.set_title(title, fontsize=10)
