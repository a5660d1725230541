"""What an experiment writes: tables as JSON and Markdown, a plot, and the pictures side by side."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnnlg_tf.errors import MissingExtraError
from cnnlg_tf.evaluation.pictures import Pixels, draw_grid
from cnnlg_tf.evaluation.summary import LOWER_IS_BETTER, TITLES
from cnnlg_tf.extras import require
from cnnlg_tf.files import atomic_path

PICTURE_FOLDER, PHOTO, HOLE = "pictures", "photo", "hole"

_METRICS = ("psnr", "hole_psnr", "ssim", "lpips")
_FORMATS = {"psnr": ".2f", "hole_psnr": ".2f", "ssim": ".4f", "lpips": ".4f"}


@dataclass(frozen=True)
class Outcome:
    """One variant's results.

    Attributes:
        name: its labels, for readers.
        labels: its label on each axis.
        folder: the name of its folder.
        scores: evaluation -> kind of mask, or `all` for their mean -> metric -> mean.
        training: figures of the training run by name, such as the likelihood of validation photos.
        error: why the training failed; then there are no scores.
    """

    name: str
    labels: dict[str, str]
    folder: str
    scores: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    training: dict[str, float] = field(default_factory=dict)
    error: str | None = None

    def brief(self) -> str:
        """One line: PSNR and LPIPS of each evaluation, or the error."""
        if self.error is not None:
            return f"failed: {self.error}"
        each = (
            f"{name}: PSNR {kinds['all']['psnr']:.2f} dB, LPIPS {kinds['all']['lpips']:.4f}"
            for name, kinds in self.scores.items()
        )
        return "; ".join(each)


def write_experiment_report(outcomes: Sequence[Outcome], out: Path, title: str) -> None:
    """Write results.json, results.md, pictures.png and, where matplotlib is installed, plot.png."""
    with atomic_path(out / "results.json") as path:
        path.write_text(json.dumps([asdict(each) for each in outcomes], indent=1) + "\n", "utf-8")
    with atomic_path(out / "results.md") as path:
        path.write_text(as_markdown(outcomes, title), encoding="utf-8")
    measured = [outcome for outcome in outcomes if outcome.error is None]
    if not measured:
        return
    with atomic_path(out / "pictures.png") as path:
        draw_grid(_picture_rows(measured, out / PICTURE_FOLDER)).save(path)
    try:
        pyplot = require("matplotlib.figure", "bench")
    except MissingExtraError:
        return
    with atomic_path(out / "plot.png") as path:
        _plot(measured, pyplot.Figure, title).savefig(path, dpi=110)


def as_markdown(outcomes: Sequence[Outcome], title: str) -> str:
    """A table for each evaluation, one of the training runs, and the failures."""
    axes = list(outcomes[0].labels)
    measured = [outcome for outcome in outcomes if outcome.error is None]
    lines = [f"# {title}", ""]
    for name in measured[0].scores if measured else ():
        kinds = list(measured[0].scores[name])
        lines += [f"## {name}", ""]
        lines += _head([*axes, *(TITLES[metric] for metric in _METRICS)], len(axes))
        lines += _body(axes, measured, {o.folder: o.scores[name]["all"] for o in measured})
        lines += ["", "PSNR dB / LPIPS by kind of mask:", ""]
        lines += _head([*axes, *kinds], len(axes))
        for outcome in measured:
            by_kind = outcome.scores[name]
            cells = [
                f"{by_kind[kind]['psnr']:.2f} / {by_kind[kind]['lpips']:.4f}" for kind in kinds
            ]
            lines.append(_line([*outcome.labels.values(), *cells]))
        lines.append("")
    training = list(measured[0].training) if measured else []
    if training:
        lines += ["## training", "", *_head([*axes, *training], len(axes))]
        for outcome in measured:
            values = [f"{outcome.training[name]:.4g}" for name in training]
            lines.append(_line([*outcome.labels.values(), *values]))
        lines.append("")
    lines += [f"- {outcome.name} failed: {outcome.error}" for outcome in outcomes if outcome.error]
    return "\n".join(lines).rstrip() + "\n"


def _head(titles: Sequence[str], words: int) -> list[str]:
    return [_line(titles), "|" + "---|" * words + "--:|" * (len(titles) - words)]


def _body(
    axes: Sequence[str], outcomes: Sequence[Outcome], scores: Mapping[str, Mapping[str, float]]
) -> list[str]:
    best = {
        metric: (min if metric in LOWER_IS_BETTER else max)(s[metric] for s in scores.values())
        for metric in _METRICS
    }
    lines = []
    for outcome in outcomes:
        cells = []
        for metric in _METRICS:
            value = scores[outcome.folder][metric]
            text = format(value, _FORMATS[metric])
            cells.append(f"**{text}**" if value == best[metric] else text)
        lines.append(_line([*outcome.labels.values(), *cells]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _picture_rows(outcomes: Sequence[Outcome], folder: Path) -> list[dict[str, Pixels]]:
    titles = {PHOTO: PHOTO, HOLE: HOLE, **{each.folder: each.name for each in outcomes}}
    return [
        {title: _read(place / f"{name}.png") for name, title in titles.items()}
        for place in sorted(folder.iterdir())
    ]


def _read(path: Path) -> Pixels:
    with Image.open(path) as picture:
        return np.array(picture.convert("RGB"))


def _plot(outcomes: Sequence[Outcome], figure_class: Any, title: str) -> Any:
    """Each metric and training figure by variant, and PSNR against LPIPS."""
    names = [outcome.name for outcome in outcomes]
    evaluations = list(outcomes[0].scores)
    panels: list[tuple[str, dict[str, list[float]]]] = [
        (TITLES[metric], {e: [o.scores[e]["all"][metric] for o in outcomes] for e in evaluations})
        for metric in ("psnr", "lpips")
    ]
    panels += [
        (name, {"training": [outcome.training[name] for outcome in outcomes]})
        for name in outcomes[0].training
    ]
    height = 1.6 + 0.25 * len(names)
    figure = figure_class(figsize=(4.6 * (len(panels) + 1), max(3.4, height)), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(1, len(panels) + 1, squeeze=False)[0]
    for axis, (label, series) in zip(axes, panels, strict=False):
        _dots(axis, label, names, series)
    scatter = axes[-1]
    for name in evaluations:
        scores = [outcome.scores[name]["all"] for outcome in outcomes]
        scatter.scatter([s["psnr"] for s in scores], [s["lpips"] for s in scores], label=name)
    for outcome in outcomes:
        score = outcome.scores[evaluations[0]]["all"]
        place = (score["psnr"], score["lpips"])
        scatter.annotate(outcome.name, place, (4, 3), textcoords="offset points", fontsize=7)
    scatter.set(xlabel="PSNR dB (right is better)", ylabel="LPIPS (down is better)")
    scatter.legend(fontsize=8)
    return figure


def _dots(axis: Any, label: str, names: Sequence[str], series: Mapping[str, list[float]]) -> None:
    """One dot a variant and series, the first variant on top."""
    for name, values in series.items():
        axis.plot(values, range(len(names)), "o", label=name)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.grid(alpha=0.3)
    axis.set_title(label, fontsize=10)
    if len(series) > 1:
        axis.legend(fontsize=8)
