"""Averages of an evaluation by kind of mask, size of hole and kind of photo, and who wins where."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cnnlg_tf.evaluation.results import OURS, Ffd, Row

TITLES = {
    "psnr": "PSNR dB",
    "hole_psnr": "hole PSNR dB",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "ffd_4": "FFD 1/4",
    "ffd_8": "FFD 1/8",
    "ffd_16": "FFD 1/16",
    "nll": "NLL nats",
    "sharpness_8": "sharp to 8 px",
    "sharpness_24": "sharp 8 to 24 px",
    "sharpness_deep": "sharp deeper",
    "seconds": "seconds",
}
"""Metric -> its column's title, in the tables' order."""

DECIMALS = {"ssim": 4, "lpips": 4, "ffd_4": 3, "ffd_8": 3, "ffd_16": 3, "nll": 3, "seconds": 3}
"""Digits after the point where a metric has not two."""

FFD = ("ffd_4", "ffd_8", "ffd_16")
SHARPNESS = ("sharpness_8", "sharpness_24", "sharpness_deep")
"""Mean gradient in the hole over the photo's at the same pixels, by depth; 1 is as sharp as it."""

LOWER_IS_BETTER = frozenset({"lpips", *FFD, "nll", "seconds"})
BUCKETS = ((0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 1.0))

TEXTURES = ("smooth photos", "mixed photos", "textured photos")

Means = dict[str, dict[str, dict[str, float]]]
"""group -> method -> metric -> mean; `photos` counts the cases.

FFD is there for kinds of mask only, and a metric that nothing could measure is left out: no pixel as
deep, too few cells.
"""


@dataclass(frozen=True)
class Verdict:
    """Ours against the best peer on one metric. `margin` is positive where ours is better.

    `ratio` is ours over the best peer's.
    """

    metric: str
    ours: float
    best_peer: str
    best: float
    margin: float
    ratio: float

    @property
    def wins(self) -> bool:
        return self.margin > 0


def merit(metric: str, value: float) -> float:
    """A number that is higher where the metric's value is better."""
    if metric in SHARPNESS:
        return -abs(value - 1)
    return -value if metric in LOWER_IS_BETTER else value


def bucket_of(hole_ratio: float) -> str:
    """The bucket's name, such as `10-20 %`. Buckets hold their upper bound."""
    for low, high in BUCKETS:
        if hole_ratio <= high:
            return f"{low * 100:.0f}-{high * 100:.0f} %"
    raise ValueError(f"hole_ratio must lie in [0, 1]. Received: {hole_ratio}")


def by_kind(rows: Iterable[Row], ffd: Ffd | None = None) -> Means:
    """Means by kind of mask, in the order in which the kinds come, with FFD where it is given."""
    means = _means(rows, lambda row: row.kind)
    for kind, methods in (ffd or {}).items():
        for method, distances in methods.items():
            found = zip(FFD, distances, strict=True)
            means[kind][method] |= {name: value for name, value in found if math.isfinite(value)}
    return means


def by_ratio(rows: Iterable[Row]) -> Means:
    """Means by the hole's share of the photo, smallest first."""
    rows = sorted(rows, key=lambda row: row.hole_ratio)
    return _means(rows, lambda row: bucket_of(row.hole_ratio))


def by_texture(rows: Iterable[Row]) -> Means:
    """Means over three groups of photos as large as each other: smooth, mixed, textured."""
    rows = list(rows)
    photos = {row.photo: row.texture for row in rows}
    order = sorted(photos, key=lambda photo: photos[photo])
    thirds = {photo: TEXTURES[3 * place // len(order)] for place, photo in enumerate(order)}
    return _means(sorted(rows, key=lambda row: row.texture), lambda row: thirds[row.photo])


def verdicts(means: Means) -> dict[str, list[Verdict]]:
    """For each group that has both: ours against the best peer on each metric that has a winner."""
    found: dict[str, list[Verdict]] = {}
    for group, methods in means.items():
        peers = [method for method in methods if method != OURS]
        if OURS not in methods or not peers:
            continue
        found[group] = []
        for metric in ("psnr", "hole_psnr", "ssim", "lpips", *FFD):
            values = {method: m[metric] for method, m in methods.items() if metric in m}
            rivals = [peer for peer in peers if peer in values]
            if OURS not in values or not rivals:
                continue
            best_peer = max(rivals, key=lambda peer: merit(metric, values[peer]))
            ours, best = values[OURS], values[best_peer]
            margin = merit(metric, ours) - merit(metric, best)
            ratio = ours / max(best, 1e-12)
            found[group].append(Verdict(metric, ours, best_peer, best, margin, ratio))
    return found


def say(verdict: Verdict, titles: dict[str, str]) -> str:
    """One verdict as words, such as `PSNR +0.62 dB over Telea`."""
    peer = titles.get(verdict.best_peer, verdict.best_peer)
    if verdict.metric == "lpips" or verdict.metric in FFD:
        return f"{TITLES[verdict.metric]} {verdict.ratio:.2f} times {peer}'s"
    relation = "over" if verdict.wins else "against"
    if verdict.metric == "ssim":
        return f"SSIM {verdict.margin:+.4f} {relation} {peer}"
    name = TITLES[verdict.metric].removesuffix(" dB")
    return f"{name} {verdict.margin:+.2f} dB {relation} {peer}"


def as_plain(means: Means) -> dict[str, Any]:
    """Means and verdicts as what JSON can hold."""
    told = {
        group: [{**asdict(v), "wins": v.wins} for v in vs] for group, vs in verdicts(means).items()
    }
    return {"means": means, "verdicts": told}


def _means(rows: Iterable[Row], group_of: Callable[[Row], str]) -> Means:
    grouped: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        grouped.setdefault(group_of(row), {}).setdefault(row.method, []).append(row)
    return {
        group: {method: _mean(found) for method, found in methods.items()}
        for group, methods in grouped.items()
    }


def _mean(rows: Sequence[Row]) -> dict[str, float]:
    plain = ("psnr", "hole_psnr", "ssim", "lpips")
    means = {metric: float(np.mean([getattr(r, metric) for r in rows])) for metric in plain}
    for band, metric in enumerate(SHARPNESS):
        repaired = sum(row.gradients[band].repaired for row in rows)
        true = sum(row.gradients[band].true for row in rows)
        if true > 0:
            means[metric] = repaired / true
    return means | {
        "seconds": float(np.mean([row.seconds for row in rows])),
        "photos": float(len(rows)),
    }
