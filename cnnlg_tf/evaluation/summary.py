"""Averages of an evaluation by kind of mask, size of hole and kind of photo, and who wins where."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cnnlg_tf.evaluation.results import OURS, Row

METRICS = ("psnr", "hole_psnr", "ssim", "lpips", "seconds")
TITLES = {
    "psnr": "PSNR dB",
    "hole_psnr": "hole PSNR dB",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "seconds": "seconds",
}
LOWER_IS_BETTER = frozenset({"lpips", "seconds"})
BUCKETS = ((0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 1.0))

TEXTURES = ("smooth photos", "mixed photos", "textured photos")

Means = dict[str, dict[str, dict[str, float]]]
"""group -> method -> metric -> mean; `photos` counts the cases."""


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


def bucket_of(hole_ratio: float) -> str:
    """The bucket's name, such as `10-20 %`. Buckets hold their upper bound."""
    for low, high in BUCKETS:
        if hole_ratio <= high:
            return f"{low * 100:.0f}-{high * 100:.0f} %"
    raise ValueError(f"hole_ratio must lie in [0, 1]. Received: {hole_ratio}")


def by_kind(rows: Iterable[Row]) -> Means:
    """Means by kind of mask, in the order in which the kinds come."""
    return _means(rows, lambda row: row.kind)


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
    """For each group that has both: ours against the best peer on each metric but seconds."""
    found: dict[str, list[Verdict]] = {}
    for group, methods in means.items():
        peers = [method for method in methods if method != OURS]
        if OURS not in methods or not peers:
            continue
        found[group] = []
        for metric in ("psnr", "hole_psnr", "ssim", "lpips"):
            sign = -1 if metric in LOWER_IS_BETTER else 1
            best_peer = max(peers, key=lambda peer: sign * methods[peer][metric])
            ours, best = methods[OURS][metric], methods[best_peer][metric]
            ratio = ours / max(best, 1e-12)
            found[group].append(Verdict(metric, ours, best_peer, best, sign * (ours - best), ratio))
    return found


def say(verdict: Verdict, titles: dict[str, str]) -> str:
    """One verdict as words, such as `PSNR +0.62 dB over Telea`."""
    peer = titles.get(verdict.best_peer, verdict.best_peer)
    if verdict.metric == "lpips":
        return f"LPIPS {verdict.ratio:.2f} times {peer}'s"
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
        group: {
            method: {
                **{
                    metric: float(np.mean([getattr(r, metric) for r in found]))
                    for metric in METRICS
                },
                "photos": float(len(found)),
            }
            for method, found in methods.items()
        }
        for group, methods in grouped.items()
    }
