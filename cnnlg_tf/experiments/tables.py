"""The tables of an experiment as Markdown, each made from sweep.json alone and by the same words for ever."""

from collections.abc import Sequence

import numpy as np

from cnnlg_tf.evaluation.summary import DECIMALS, TITLES, merit
from cnnlg_tf.experiments.compare import (
    Effect,
    Pick,
    effects,
    of_photos,
    of_shares,
    pairs,
    share_groups,
    smallest_difference,
    spread,
)
from cnnlg_tf.experiments.outcome import NLL, Outcome
from cnnlg_tf.experiments.sweep import Sweep

SCORES = ("hole_psnr", "ssim", "lpips", "ffd_4", "ffd_8", "ffd_16", "sharpness_24", NLL)
COMPARED = ("hole_psnr", "lpips", NLL)
"""Metrics whose differences are told, the last where it is measured."""


def all_tables(sweep: Sweep) -> dict[str, str]:
    """Every table by its name: `overview`, `training`, `failures`, with several evaluations `across METRIC`, and of
    each evaluation E `scores E`, `power E`, `effects E METRIC`, `shares E METRIC`, with several axes `pairs E METRIC`.
    """
    tables = {}
    if sweep.measured():
        tables["overview"] = overview(sweep)
        for metric in COMPARED if len(sweep.evaluations) > 1 else ():
            tables[f"across {metric}"] = effects_by_evaluation(sweep, metric)
    for name in sweep.evaluations if sweep.measured() else ():
        tables[f"scores {name}"] = scores(sweep, name)
        tables[f"power {name}"] = power(sweep, name)
        for metric in compared(sweep, name):
            tables[f"effects {name} {metric}"] = effects_by_kind(sweep, name, metric)
            tables[f"shares {name} {metric}"] = effects_by_share(sweep, name, metric)
            tables[f"pairs {name} {metric}"] = (
                paired(sweep, name, metric) if len(sweep.axes) > 1 else ""
            )
    tables["training"] = training(sweep)
    tables["failures"] = failures(sweep)
    return {name: text for name, text in tables.items() if text}


def overview(sweep: Sweep) -> str:
    """Variants by evaluations: hole PSNR in dB / LPIPS, means over kinds and seeds."""
    axes = list(sweep.axes)
    lines = _head([*axes, *sweep.evaluations], len(axes))
    for runs in sweep.measured().values():
        cells = []
        for name in sweep.evaluations:
            psnr, lpips = (spread(runs, name, "all", each)[0] for each in ("hole_psnr", "lpips"))
            cells.append(f"{psnr:.2f} / {lpips:.4f}")
        lines.append(_line([*runs[0].labels.values(), *cells]))
    return "\n".join(
        ["Hole PSNR in dB / LPIPS, averaged over kinds of mask and seeds:", "", *lines]
    )


def scores(sweep: Sweep, evaluation: str) -> str:
    """Each variant's scores over all kinds of mask: mean and spread over seeds; the best mean bold."""
    axes, measured = list(sweep.axes), sweep.measured()
    metrics = [
        metric
        for metric in SCORES
        if all(metric in r.scores[evaluation]["all"] for runs in measured.values() for r in runs)
    ]
    found = {
        name: {metric: spread(runs, evaluation, "all", metric) for metric in metrics}
        for name, runs in measured.items()
    }
    best = {
        metric: max(merit(metric, each[metric][0]) for each in found.values()) for metric in metrics
    }
    lines = _head([*axes, *(TITLES[metric] for metric in metrics), "seeds"], len(axes))
    for name, runs in measured.items():
        cells = []
        for metric in metrics:
            mean, deviation = found[name][metric]
            digits = DECIMALS.get(metric, 2)
            text = f"{mean:.{digits}f}"
            text = f"**{text}**" if merit(metric, mean) == best[metric] else text
            cells.append(f"{text} ± {deviation:.{digits}f}" if len(runs) > 1 else text)
        lines.append(_line([*runs[0].labels.values(), *cells, str(len(runs))]))
    return "\n".join(lines)


def power(sweep: Sweep, evaluation: str) -> str:
    """What the seeds can show at all."""
    parts = []
    for metric in compared(sweep, evaluation):
        least = smallest_difference(sweep, evaluation, metric)
        if least is None:
            return "One seed: differences between variants may be chance of the training."
        parts.append(f"{least:.{DECIMALS.get(metric, 2)}f} in {TITLES[metric]}")
    seeds = max(len(runs) for runs in sweep.complete().values())
    return f"The smallest difference between two variants that {seeds} seeds can show: {', '.join(parts)}."


def effects_by_kind(sweep: Sweep, evaluation: str, metric: str) -> str:
    """What each label changes against its axis's first label, over all kinds of mask and on each."""
    return _effects_table(sweep, metric, _kinds(sweep, evaluation, metric))


def effects_by_evaluation(sweep: Sweep, metric: str) -> str:
    """What each label changes in every evaluation: a line for each of them."""
    names = [name for name in sweep.evaluations if metric in compared(sweep, name)]
    found = _effects(sweep, {name: of_photos(name, metric) for name in names})
    if not found:
        return ""
    titles = [_against(sweep, each) for each in next(iter(found.values()))]
    lines = [_key(metric), "", *_head(["evaluation", *titles, "seeds can show"], 1)]
    for name, line in found.items():
        least = smallest_difference(sweep, name, metric)
        digits = DECIMALS.get(metric, 2)
        shown = "-" if least is None else f"{least:.{digits}f}"
        lines.append(_line([name, *(_effect(each, digits) for each in line), shown]))
    return "\n".join(lines)


def effects_by_share(sweep: Sweep, evaluation: str, metric: str) -> str:
    """The same by the hole's share of the photo."""
    groups = {
        title: of_shares(evaluation, metric, *bounds) for title, bounds in share_groups().items()
    }
    return _effects_table(sweep, metric, groups)


def paired(sweep: Sweep, evaluation: str, metric: str) -> str:
    """What each label changes between variants that differ in nothing else, a line a pair and one for their mean."""
    kinds = _kinds(sweep, evaluation, metric)
    columns = [pairs(sweep, pick) for pick in kinds.values()]
    if not columns[0]:
        return ""
    lines = [_key(metric), "", *_head(["axis", "label", "everything else", *kinds], 3)]
    digits = DECIMALS.get(metric, 2)
    for found in zip(*columns, strict=True):  # one label, in each column
        start = (found[0].mean.axis, _against(sweep, found[0].mean))
        rows = {rest: [each.each[rest] for each in found] for rest in found[0].each}
        if len(rows) > 1:
            rows[f"mean of {len(rows)} pairs"] = [each.mean for each in found]
        lines += [
            _line([*start, rest, *(_effect(each, digits) for each in row)])
            for rest, row in rows.items()
        ]
    return "\n".join(lines)


def compared(sweep: Sweep, evaluation: str) -> list[str]:
    """Those of `COMPARED` that every run has there."""
    runs = [run for runs in sweep.measured().values() for run in runs]
    return [
        metric
        for metric in COMPARED
        if all(metric in run.scores[evaluation]["all"] for run in runs)
    ]


def _kinds(sweep: Sweep, evaluation: str, metric: str) -> dict[str, Pick]:
    """All kinds of mask together, and each."""
    first = next(iter(sweep.measured().values()))[0]
    groups = {"all": of_photos(evaluation, metric)}
    return groups | {kind: of_photos(evaluation, metric, kind) for kind in first.photos[evaluation]}


def _effects_table(sweep: Sweep, metric: str, groups: dict[str, Pick]) -> str:
    found = _effects(sweep, groups)
    if not found:
        return ""
    digits = DECIMALS.get(metric, 2)
    lines = [
        _key(metric),
        "",
        *_head(["axis", "label", *found], 2),
    ]
    for number, each in enumerate(next(iter(found.values()))):
        cells = [_effect(column[number], digits) for column in found.values()]
        lines.append(_line([each.axis, _against(sweep, each), *cells]))
    return "\n".join(lines)


def _effects(sweep: Sweep, groups: dict[str, Pick]) -> dict[str, list[Effect]]:
    """Title -> the effects of all labels; what the runs cannot tell is left out."""
    return {title: each for title, pick in groups.items() if (each := effects(sweep, pick))}


def _key(metric: str) -> str:
    return f"{TITLES[metric]} against the first of each axis [95 % interval]; bold: not chance."


def _against(sweep: Sweep, effect: Effect) -> str:
    return f"{effect.label} against {sweep.axes[effect.axis][0]}"


def _effect(effect: Effect, digits: int) -> str:
    text = f"{effect.value:+.{digits}f}"
    text = f"**{text}**" if effect.certain else text
    return f"{text} [{effect.low:+.{digits}f}, {effect.high:+.{digits}f}]"


def training(sweep: Sweep) -> str:
    """Figures of the trainings, means over seeds."""
    axes, measured = list(sweep.axes), sweep.measured()
    names = list(next(iter(measured.values()), [Outcome({}, 0, "")])[0].training)
    if not names:
        return ""
    lines = _head([*axes, *names], len(axes))
    for runs in measured.values():
        means = [float(np.mean([run.training[name] for run in runs])) for name in names]
        lines.append(_line([*runs[0].labels.values(), *(f"{mean:.4g}" for mean in means)]))
    return "\n".join(lines)


def failures(sweep: Sweep) -> str:
    """Which runs failed, and why."""
    return "\n".join(
        f"- {run.name}, seed {run.seed} failed: {run.error}" for run in sweep.runs if run.error
    )


def _head(titles: Sequence[str], words: int) -> list[str]:
    return [_line(titles), "|" + "---|" * words + "--:|" * (len(titles) - words)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
