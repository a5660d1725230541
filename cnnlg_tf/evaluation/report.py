"""Write an evaluation as JSON, Markdown, picture grids and one self-contained HTML page."""

import base64
import html
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.table import Table

from cnnlg_tf.evaluation.pictures import columns, draw_grid
from cnnlg_tf.evaluation.results import OURS, Evaluation, Shown
from cnnlg_tf.evaluation.summary import (
    LOWER_IS_BETTER,
    METRICS,
    TITLES,
    Means,
    as_plain,
    by_kind,
    by_ratio,
    by_texture,
    say,
    verdicts,
)
from cnnlg_tf.files import atomic_path

_DECIMALS = {"psnr": 2, "hole_psnr": 2, "ssim": 4, "lpips": 4, "seconds": 3}


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
    for kind, shown in _by_kind(evaluation).items():
        with atomic_path(out / f"grid-{kind}.png") as path:
            draw_grid([columns(each, evaluation.titles) for each in shown]).save(path)


def as_json(evaluation: Evaluation) -> str:
    """Settings, averages, verdicts and every score."""
    tree = {
        "settings": evaluation.settings,
        "titles": evaluation.titles,
        "by_kind": as_plain(by_kind(evaluation.rows)),
        "by_hole_ratio": as_plain(by_ratio(evaluation.rows)),
        "by_texture": as_plain(by_texture(evaluation.rows)),
        "skipped": evaluation.skipped,
        "missing": evaluation.missing,
        "rows": [asdict(row) for row in evaluation.rows],
    }
    return json.dumps(tree, indent=1) + "\n"


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
    for title, means in (
        ("By kind of mask", by_kind(evaluation.rows)),
        ("By the hole's share of the photo", by_ratio(evaluation.rows)),
        ("By how busy the photo is", by_texture(evaluation.rows)),
    ):
        head = ["group", "method", *TITLES.values(), "photos"]
        lines += [f"## {title}", "", "| " + " | ".join(head) + " |", "|---|---" + "|--:" * 6 + "|"]
        for group, method, cells, count in _table(means, evaluation.titles):
            texts = [f"**{text}**" if best else text for text, best in cells]
            lines.append(f"| {group} | {method} | " + " | ".join(texts) + f" | {count} |")
        lines.append("")
    lines += [*(f"- {line}" for line in conclusions(evaluation)), ""]
    return "\n".join(lines)


def as_table(evaluation: Evaluation) -> Table:
    """The scores by kind of mask, for a terminal."""
    table = Table("hole", "method", title=f"{evaluation.settings['photo_count']} photos")
    for title in TITLES.values():
        table.add_column(title, justify="right")
    last = ""
    for group, method, cells, _ in _table(by_kind(evaluation.rows), evaluation.titles):
        if last and group != last:
            table.add_section()
        shown_group, last = ("" if group == last else group), group
        texts = [f"[bold green]{text}[/]" if best else text for text, best in cells]
        table.add_row(shown_group, method, *texts)
    return table


def conclusions(evaluation: Evaluation) -> list[str]:
    """Sentences: ours against the best peer on each kind, changed pixels, what was left out."""
    means = by_kind(evaluation.rows)
    found = verdicts(means)
    lines = []
    for kind, each in found.items():
        words = ", ".join(say(verdict, evaluation.titles) for verdict in each)
        won = sum(verdict.wins for verdict in each)
        lines.append(f"{kind}: ours is better on {won} of {len(each)}: {words}.")
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
    source = resources.files("cnnlg_tf.evaluation") / "report.html"
    settings = {**evaluation.settings, **evaluation.settings["peers"]}
    settings["mask_kinds"] = ", ".join(settings["mask_kinds"])
    del settings["peers"]
    return Template(source.read_text(encoding="utf-8")).substitute(
        conclusions="".join(f"<li>{html.escape(line)}</li>" for line in conclusions(evaluation)),
        by_kind=_html_table(by_kind(evaluation.rows), evaluation.titles),
        by_ratio=_html_table(by_ratio(evaluation.rows), evaluation.titles),
        by_texture=_html_table(by_texture(evaluation.rows), evaluation.titles),
        pictures="".join(_html_pictures(evaluation)),
        settings="".join(
            f"<dt>{html.escape(str(key))}</dt><dd>{html.escape(str(value))}</dd>"
            for key, value in settings.items()
        ),
    )


def _table(
    means: Means, titles: Mapping[str, str]
) -> Iterator[tuple[str, str, list[tuple[str, bool]], int]]:
    """Rows of a table: group, method's title, one (text, is best) a metric, number of photos."""
    for group, methods in means.items():
        best = {
            metric: (min if metric in LOWER_IS_BETTER else max)(m[metric] for m in methods.values())
            for metric in METRICS
        }
        for method, scores in methods.items():
            cells = [
                (f"{scores[metric]:.{_DECIMALS[metric]}f}", scores[metric] == best[metric])
                for metric in METRICS
            ]
            yield group, titles[method], cells, int(scores["photos"])


def _html_table(means: Means, titles: Mapping[str, str]) -> str:
    head = "".join(f"<th>{title}</th>" for title in ("hole", "method", *TITLES.values(), "photos"))
    body = []
    last = ""
    for group, method, cells, count in _table(means, titles):
        row = "".join(
            f'<td class="number{" best" if best else ""}">{text}</td>' for text, best in cells
        )
        kinds = (["first"] if group != last else []) + (
            ["ours"] if method == titles.get(OURS) else []
        )
        name = "" if group == last else html.escape(group)
        body.append(
            f'<tr class="{" ".join(kinds)}"><th>{name}</th><td>{html.escape(method)}</td>'
            f'{row}<td class="number">{count}</td></tr>'
        )
        last = group
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _html_pictures(evaluation: Evaluation) -> Iterator[str]:
    scores = {(row.photo, row.kind, row.method): row for row in evaluation.rows}
    for kind, shown in _by_kind(evaluation).items():
        yield f"<h3>{html.escape(kind)}</h3>"
        for each in shown:
            case = each.case
            figures = []
            notes = ["", f"{case.hole_ratio * 100:.0f} % missing"]
            for method in evaluation.titles:
                row = scores[case.photo, kind, method]
                notes.append(f"{row.psnr:.2f} dB · LPIPS {row.lpips:.3f}")
            pictures = columns(each, evaluation.titles)
            for (title, pixels), note in zip(pictures.items(), notes, strict=True):
                figures.append(
                    f'<figure><img alt="{html.escape(case.photo)}: {html.escape(title)}" '
                    f'src="{_data_uri(pixels)}"><figcaption><b>{html.escape(title)}</b> {note}'
                    "</figcaption></figure>"
                )
            yield f'<h4>{html.escape(case.photo)}</h4><div class="row">{"".join(figures)}</div>'


def _by_kind(evaluation: Evaluation) -> dict[str, list[Shown]]:
    kinds: dict[str, list[Shown]] = {}
    for each in evaluation.shown:
        kinds.setdefault(each.case.kind, []).append(each)
    return kinds


def _data_uri(pixels: npt.NDArray[np.uint8]) -> str:
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=92, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode()
