"""Write an evaluation as JSON, Markdown, picture grids and one self-contained HTML page."""

import base64
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image
from rich.console import Group
from rich.table import Table

from cnnlg_tf.evaluation.pictures import columns, draw_grid
from cnnlg_tf.evaluation.results import OURS, Evaluation, Shown
from cnnlg_tf.evaluation.summary import (
    DECIMALS,
    FFD,
    SHARPNESS,
    TITLES,
    Means,
    as_plain,
    by_kind,
    by_ratio,
    by_texture,
    merit,
    say,
    verdicts,
)
from cnnlg_tf.files import atomic_path


def write_report(evaluation: Evaluation, out: Path) -> None:
    """Write evaluation.json, evaluation.md, report.html and grid-KIND.png into `out`.

    Raises:
        OSError: the folder cannot be written.
    """
    for name, text in (
        ("evaluation.json", as_json(evaluation)),
        ("evaluation.md", as_markdown(evaluation)),
        ("report.html", as_html(evaluation)),
    ):
        with atomic_path(out / name) as path:
            path.write_text(text, encoding="utf-8")
    for kind, shown in _shown_by_kind(evaluation).items():
        with atomic_path(out / f"grid-{kind}.png") as path:
            draw_grid([columns(each, evaluation.titles) for each in shown]).save(path)


def as_json(evaluation: Evaluation) -> str:
    """Settings, averages, verdicts and every score."""
    tree = {
        "settings": evaluation.settings,
        "titles": evaluation.titles,
        "by_kind": as_plain(by_kind(evaluation.rows, evaluation.ffd)),
        "by_hole_ratio": as_plain(by_ratio(evaluation.rows)),
        "by_texture": as_plain(by_texture(evaluation.rows)),
        "skipped": evaluation.skipped,
        "missing": evaluation.missing,
        "rows": [asdict(row) for row in evaluation.rows],
    }
    return json.dumps(tree, indent=1, allow_nan=False) + "\n"


def as_markdown(evaluation: Evaluation) -> str:
    """The tables, what they say, and what was left out."""
    settings = evaluation.settings
    lines = [
        "# Evaluation",
        "",
        f"Model {settings['model']}; {settings['photo_count']} photos of {settings['photos']}, "
        f"{settings['size']} px ({settings['fit']}), seed {settings['seed']}.",
        "",
    ]
    for title, means in _tables(evaluation).items():
        metrics = _measured(means)
        head = ["group", "method", *(TITLES[metric] for metric in metrics), "photos"]
        lines += [f"## {title}", "", "| " + " | ".join(head) + " |"]
        lines.append("|---|---" + "|--:" * (len(metrics) + 1) + "|")
        for line in _lines(means, evaluation.titles, metrics):
            texts = [f"**{cell.text}**" if cell.best else cell.text for cell in line.cells]
            lines.append(
                f"| {line.group} | {line.method} | " + " | ".join(texts) + f" | {line.photos} |"
            )
        lines.append("")
    lines += [*(f"- {line}" for line in conclusions(evaluation)), ""]
    return "\n".join(lines)


def as_table(evaluation: Evaluation) -> Group:
    """The scores by kind of mask, for a terminal: how close to the photos, then how like photos."""
    means = by_kind(evaluation.rows, evaluation.ffd)
    measured = _measured(means)
    close = [metric for metric in measured if metric not in FFD + SHARPNESS]
    real = [metric for metric in measured if metric in FFD + SHARPNESS]
    photos = f"{evaluation.settings['photo_count']} photos"
    return Group(
        *(
            _terminal_table(f"{photos}: {words}", means, evaluation.titles, metrics)
            for words, metrics in (("how close", close), ("how like a photo", real))
            if metrics
        )
    )


def _terminal_table(
    title: str, means: Means, titles: Mapping[str, str], metrics: list[str]
) -> Table:
    table = Table("hole", title=title)
    table.add_column("method", no_wrap=True)
    for metric in metrics:
        table.add_column(TITLES[metric], justify="right")
    for line in _lines(means, titles, metrics):
        if line.first and table.row_count:
            table.add_section()
        texts = [f"[bold green]{cell.text}[/]" if cell.best else cell.text for cell in line.cells]
        table.add_row(line.group if line.first else "", line.method, *texts)
    return table


def conclusions(evaluation: Evaluation) -> list[str]:
    """Sentences: ours against the best peer on each kind, changed pixels, what was left out."""
    means = by_kind(evaluation.rows, evaluation.ffd)
    found = verdicts(means)
    lines = []
    for kind, each in found.items():
        words = ", ".join(say(verdict, evaluation.titles) for verdict in each)
        won = sum(verdict.wins for verdict in each)
        sharp = [f"{means[kind][OURS][m]:.2f}" for m in SHARPNESS if m in means[kind][OURS]]
        lines.append(
            f"{kind}: ours is better on {won} of {len(each)}: {words}; "
            f"sharpness {' / '.join(sharp)} of the photo's."
        )
    if found:
        ratios = [v.ratio for each in found.values() for v in each if v.metric == "lpips"]
        lines.append(f"LPIPS over the best peer's, averaged over the kinds: {np.mean(ratios):.2f}.")
        changed = sum(not row.known_exact for row in evaluation.rows if row.method == OURS)
        lines.append(f"Known pixels changed by ours: in {changed} repairs.")
    lines += [f"Peer {name} was left out: {why}" for name, why in evaluation.missing.items()]
    lines += [f"Photo {name} was left out: {why}" for name, why in evaluation.skipped.items()]
    return lines


def as_html(evaluation: Evaluation) -> str:
    """One page with everything in it; it needs no other file and no network."""
    settings = {**evaluation.settings, **evaluation.settings["peers"]}
    settings["mask_kinds"] = ", ".join(settings["mask_kinds"])
    settings["only"] = ", ".join(settings["only"]) or "all photos"
    del settings["peers"]
    tables = [
        (title, [TITLES[metric] for metric in metrics], _lines(means, evaluation.titles, metrics))
        for title, means in _tables(evaluation).items()
        for metrics in [_measured(means)]
    ]
    environment = Environment(
        loader=PackageLoader("cnnlg_tf.evaluation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        conclusions=conclusions(evaluation),
        tables=tables,
        pictures={
            kind: [(each.case.photo, _figures(evaluation, each)) for each in shown]
            for kind, shown in _shown_by_kind(evaluation).items()
        },
        settings=settings,
    )


@dataclass(frozen=True)
class _Cell:
    text: str
    best: bool


@dataclass(frozen=True)
class _Line:
    """A line of a table. `first`: of its group; `ours`: of the model that is measured."""

    group: str
    method: str
    cells: list[_Cell]
    photos: int
    first: bool
    ours: bool


def _tables(evaluation: Evaluation) -> dict[str, Means]:
    return {
        "By kind of mask": by_kind(evaluation.rows, evaluation.ffd),
        "By the hole's share of the photo": by_ratio(evaluation.rows),
        "By how busy the photo is": by_texture(evaluation.rows),
    }


def _measured(means: Means) -> list[str]:
    """The metrics that any method has in any group, in the tables' order."""
    found = {metric for methods in means.values() for m in methods.values() for metric in m}
    return [metric for metric in TITLES if metric in found]


def _lines(means: Means, titles: Mapping[str, str], metrics: list[str]) -> Iterator[_Line]:
    for group, methods in means.items():
        best = {
            metric: max(merit(metric, m[metric]) for m in methods.values() if metric in m)
            for metric in metrics
            if any(metric in m for m in methods.values())
        }
        for number, (method, scores) in enumerate(methods.items()):
            cells = [
                _Cell(
                    f"{scores[metric]:.{DECIMALS.get(metric, 2)}f}",
                    merit(metric, scores[metric]) == best[metric],
                )
                if metric in scores
                else _Cell("–", False)
                for metric in metrics
            ]
            photos = int(scores["photos"])
            yield _Line(group, titles[method], cells, photos, number == 0, method == OURS)


def _figures(evaluation: Evaluation, shown: Shown) -> list[tuple[str, str, str]]:
    """Title, note and data URI of each picture of one case."""
    case = shown.case
    rows = {
        row.method: row
        for row in evaluation.rows
        if (row.photo, row.kind) == (case.photo, case.kind)
    }
    notes = ["", f"{case.hole_ratio * 100:.0f} % missing"]
    notes += [
        f"{rows[method].psnr:.2f} dB · LPIPS {rows[method].lpips:.3f}"
        for method in evaluation.titles
    ]
    pictures = columns(shown, evaluation.titles)
    return [
        (title, note, _data_uri(pixels))
        for (title, pixels), note in zip(pictures.items(), notes, strict=True)
    ]


def _shown_by_kind(evaluation: Evaluation) -> dict[str, list[Shown]]:
    kinds: dict[str, list[Shown]] = {}
    for each in evaluation.shown:
        kinds.setdefault(each.case.kind, []).append(each)
    return kinds


def _data_uri(pixels: npt.NDArray[np.uint8]) -> str:
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=92, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode()
