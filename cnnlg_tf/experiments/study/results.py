"""A study's result as a table, JSON and a plot."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from cnnlg_tf.errors import MissingExtraError
from cnnlg_tf.experiments.study.analyse import Analysis
from cnnlg_tf.extras import require
from cnnlg_tf.files import atomic_path


def write_analysis(found: Analysis, out: Path) -> None:
    """Write analysis.json, analysis.md and, where matplotlib is installed, scores.png.

    Raises:
        OSError: the folder cannot be written.
    """
    for name, text in (("analysis.json", as_json(found)), ("analysis.md", as_markdown(found))):
        with atomic_path(out / name) as path:
            path.write_text(text, encoding="utf-8")
    try:
        pyplot = require("matplotlib.figure", "bench")
    except MissingExtraError:
        return
    with atomic_path(out / "scores.png") as path:
        _plot(found, pyplot.Figure).savefig(path, dpi=110)


def as_json(found: Analysis) -> str:
    """Everything that the analysis says."""
    low, high = (
        [_number(value) for value in ends] for ends in (found.scores.low, found.scores.high)
    )
    tree = {
        "methods": {
            method: {
                "title": title,
                "score": float(found.scores.value[i]),
                "low": low[i],
                "high": high[i],
                "preferred": _share(found, i),
            }
            for i, (method, title) in enumerate(found.methods.items())
        },
        "wins": found.wins.astype(int).tolist(),
        "judges": found.judges,
        "rejected": found.rejected,
        "agreement": _number(found.agreement),
        "left_share": found.left_share,
        "median_seconds": found.median_seconds,
    }
    return json.dumps(tree, indent=1, allow_nan=False) + "\n"


def as_markdown(found: Analysis) -> str:
    """The scores, who was preferred to whom, how judges agree, and who was rejected why."""
    answers = int(found.wins.sum())
    lines = [
        "# Study",
        "",
        f"{len(found.judges)} judges, {answers} comparisons.",
        "",
        "| method | score | 95 % interval | preferred |",
        "|---|--:|--:|--:|",
    ]
    for i, title in enumerate(found.methods.values()):
        ends = found.scores.low[i], found.scores.high[i]
        interval = "–" if np.isnan(ends[0]) else f"{ends[0]:+.2f} to {ends[1]:+.2f}"
        lines.append(
            f"| {title} | {found.scores.value[i]:+.2f} | {interval} | {_share(found, i):.0%} |"
        )
    lines += [
        "",
        "Score: Bradley-Terry, 0 is the average method; where two differ by 1, the better one is "
        "preferred 73 times of 100. Intervals are over judges, for these photos.",
        "",
        "How often the row's picture was preferred to the column's:",
        "",
        "| | " + " | ".join(found.methods.values()) + " |",
        "|---|" + "--:|" * len(found.methods),
    ]
    for i, title in enumerate(found.methods.values()):
        cells = [
            ""
            if i == j
            else f"{int(found.wins[i, j])} of {int(found.wins[i, j] + found.wins[j, i])}"
            for j in range(len(found.methods))
        ]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines.append("")
    if len(found.judges) < 2:
        lines += ["- One judge: no interval, and no agreement."]
    elif np.isnan(found.agreement):
        lines += ["- No two judges were asked the same."]
    else:
        lines += [f"- Two judges chose alike {found.agreement:.0%} of the time; chance gives 50 %."]
    lines += [
        f"- The left picture was chosen {found.left_share:.0%} of the time.",
        f"- An answer took {found.median_seconds:.1f} s (median).",
    ]
    lines += [f"- Judge {judge} was rejected: {why}." for judge, why in found.rejected.items()]
    return "\n".join(lines) + "\n"


def _share(found: Analysis, i: int) -> float:
    """How often a method was preferred where it was shown."""
    shown = found.wins[i].sum() + found.wins[:, i].sum()
    return float(found.wins[i].sum() / shown) if shown else 0.0


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _plot(found: Analysis, figure_class: Any) -> Any:
    """Scores with their intervals, the best on top."""
    names = list(found.methods.values())
    figure = figure_class(figsize=(6.4, 1.4 + 0.45 * len(names)), layout="constrained")
    axis = figure.subplots()
    value = found.scores.value
    half = np.nan_to_num(found.scores.high - value)
    axis.errorbar(value, range(len(names)), xerr=half, fmt="o", capsize=4, color="#1a6f8f")
    axis.axvline(0, color="#8888", linewidth=1)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel("Bradley-Terry score (right: preferred), 95 % intervals over judges")
    axis.grid(alpha=0.3, axis="x")
    return figure
