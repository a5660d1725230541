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
from cnnlg_tf.experiments.compare import spread
from cnnlg_tf.experiments.one_run import HOLE, PHOTO, PICTURE_FOLDER
from cnnlg_tf.experiments.sweep import SWEEP, Sweep, save_sweep
from cnnlg_tf.experiments.tables import all_tables
from cnnlg_tf.extras import require
from cnnlg_tf.files import atomic_path

COLUMNS = 3  # of the plot


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
    """PSNR, LPIPS and training figures by variant, bars for the seeds' spread; PSNR against LPIPS."""
    measured, evaluations = sweep.measured(), sweep.evaluations
    training = list(next(iter(measured.values()))[0].training)
    rows = math.ceil((3 + len(training)) / COLUMNS)
    height = max(3.4, 1.6 + 0.25 * len(measured))
    figure = figure_class(figsize=(4.6 * COLUMNS, rows * height), layout="constrained")
    figure.suptitle(f"Experiment {sweep.name}")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    for axis in axes:
        axis.locator_params(axis="x", nbins=5)
    psnr, lpips, scatter, *others = axes
    for axis, metric in ((psnr, "hole_psnr"), (lpips, "lpips")):
        for name in evaluations:
            values = [spread(runs, name, "all", metric) for runs in measured.values()]
            _dots(axis, TITLES[metric], list(measured), values, name)
    figure.legend(*psnr.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    for axis, name in zip(others, training, strict=False):
        values = [
            (float(np.mean(each)), float(np.std(each, ddof=1)) if len(each) > 1 else 0.0)
            for runs in measured.values()
            for each in [[run.training[name] for run in runs]]
        ]
        _dots(axis, name, list(measured), values, name)
    for name in evaluations:
        points = [
            tuple(spread(runs, name, "all", metric)[0] for metric in ("hole_psnr", "lpips"))
            for runs in measured.values()
        ]
        scatter.scatter(*zip(*points, strict=True))
        if name == evaluations[0]:
            for title, point in zip(measured, points, strict=True):
                scatter.annotate(title, point, (4, 3), textcoords="offset points", fontsize=7)
    scatter.margins(x=0.25)  # for the titles beside the points
    scatter.set(xlabel="hole PSNR dB (right is better)", ylabel="LPIPS (down is better)")
    for axis in others[len(training) :]:
        axis.set_axis_off()
    return figure


def _dots(
    axis: Any, title: str, names: Sequence[str], values: Sequence[tuple[float, float]], label: str
) -> None:
    """A dot with its spread a variant, the first variant on top."""
    means, deviations = zip(*values, strict=True)
    axis.errorbar(means, range(len(names)), xerr=deviations, fmt="o", capsize=3, label=label)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(alpha=0.3)
    axis.set_title(title, fontsize=10)
