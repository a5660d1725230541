"""Differences between variants, paired over photos, with intervals that tell chance from effect.

What a label does is its effect in an additive model: score = reference + one effect for each axis, fitted by
least squares over all variants. With one axis it is the plain difference to the reference; in a fractional
design it compares like with like. The fit is made for each photo, so that what makes a photo hard cancels.
Where one axis's effect hangs on another's label, that fit mixes them; `pairs` takes only variants that differ
in nothing else. The interval has two parts: 95 % of 2,000 bootstrap resamples of the photos, and the t interval
of the seeds, whose variance is pooled over the variants because there are few of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnlg_tf.evaluation.summary import BUCKETS, bucket_of
from cnnlg_tf.experiments.outcome import Outcome
from cnnlg_tf.experiments.sweep import Sweep

RESAMPLES = 2000
CONFIDENCE = 0.95

Floats = npt.NDArray[np.float64]
Pick = Callable[[Outcome], list[float]]
"""A run's values of one metric, one a photo or case, in the same order for every run."""


@dataclass(frozen=True)
class Effect:
    """What a label changes against its axis's reference, with the ends of its interval."""

    axis: str
    label: str
    value: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval is on one side of 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Pairs:
    """What a label changes between variants that differ in nothing else: in the mean, and in each pair by the labels
    that its two variants share."""

    mean: Effect
    each: dict[str, Effect]


def of_photos(evaluation: str, metric: str, kind: str | None = None) -> Pick:
    """A value for each photo: of one kind of mask, or the mean over the kinds."""

    def pick(run: Outcome) -> list[float]:
        kinds = run.photos[evaluation]
        chosen = kinds.values() if kind is None else [kinds[kind]]
        mean = np.mean([scores[metric] for scores in chosen], axis=0)
        return [float(value) for value in mean]

    return pick


def of_shares(evaluation: str, metric: str, low: float, high: float) -> Pick:
    """A value for each case whose hole takes more than `low`, and up to `high`, of the photo."""

    def pick(run: Outcome) -> list[float]:
        return [
            value
            for scores in run.photos[evaluation].values()
            for value, share in zip(scores[metric], scores["hole_ratio"], strict=True)
            if low < share <= high
        ]

    return pick


def share_groups() -> dict[str, tuple[float, float]]:
    """Title, such as `10-20 %`, -> its bounds."""
    return {bucket_of(high): (low, high) for low, high in BUCKETS}


def effects(sweep: Sweep, pick: Pick) -> list[Effect]:
    """The effect of every label but the references, where the runs can tell it."""
    variants = sweep.complete()
    axes = sweep.axes
    labels = [(axis, label) for axis, found in axes.items() for label in found[1:]]
    if not variants:
        return []
    design = np.array(
        [
            [1.0, *(float(runs[0].labels[axis] == label) for axis, label in labels)]
            for runs in variants.values()
        ]
    )
    values = np.array([[pick(run) for run in runs] for runs in variants.values()])  # [v, seeds, n]
    if values.shape[-1] == 0:
        return []
    fit = np.linalg.pinv(design)  # [1 + labels, v]
    told = np.isclose(fit @ design, np.eye(design.shape[1]), atol=1e-8).all(axis=1)
    found = _estimates(values, fit)
    return [Effect(axis, label, *found[i]) for i, (axis, label) in enumerate(labels, 1) if told[i]]


def pairs(sweep: Sweep, pick: Pick) -> list[Pairs]:
    """Every label's pairs with the reference of its axis; labels without a pair are left out."""
    variants = {tuple(runs[0].labels.values()): runs for runs in sweep.complete().values()}
    found = []
    for place, (axis, labels) in enumerate(sweep.axes.items()):
        for label in labels[1:]:
            twins = {
                ", ".join(key[:place] + key[place + 1 :]): (runs, variants[twin])
                for key, runs in variants.items()
                if key[place] == label
                and (twin := (*key[:place], labels[0], *key[place + 1 :])) in variants
            }
            values = np.array(
                [[pick(run) for run in runs] for two in twins.values() for runs in two]
            )
            if values.size == 0:
                continue
            single = np.kron(np.eye(len(twins)), [1.0, -1.0])  # [pairs, variants]
            fit = np.vstack([single.mean(axis=0), single])
            mean, *each = [Effect(axis, label, *told) for told in _estimates(values, fit)]
            found.append(Pairs(mean, dict(zip(twins, each, strict=True))))
    return found


def _estimates(values: Floats, fit: Floats) -> list[tuple[float, float, float]]:
    """Effects with their intervals' ends: chance of photos and chance of seeds, added as squares.

    Args:
        values: [variants, seeds, photos].
        fit: [effects, variants], what makes effects of the variants' means.

    Returns:
        (value, low, high) of each effect.
    """
    variants, seeds, photos = values.shape
    found = fit @ values.mean(axis=(1, 2))
    rng = np.random.default_rng(0)
    picked = rng.multinomial(photos, np.full(photos, 1 / photos), RESAMPLES) / photos
    drawn = picked @ values.mean(axis=1).T @ fit.T  # [resamples, effects]; the same photos for all
    ends = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    by_seed = np.zeros(len(fit))
    if seeds > 1:
        error = np.sqrt(
            values.mean(axis=2).var(axis=1, ddof=1).mean() / seeds
        )  # of a variant's mean
        by_seed = student_quantile(variants * (seeds - 1)) * error * np.linalg.norm(fit, axis=1)
    low, high = (np.hypot(found - ends[0], by_seed), np.hypot(ends[1] - found, by_seed))
    return list(map(tuple, np.stack([found, found - low, found + high], axis=1).tolist()))


def spread(runs: Sequence[Outcome], evaluation: str, kind: str, metric: str) -> tuple[float, float]:
    """Mean of a score over seeds and their standard deviation."""
    return mean_and_deviation([run.scores[evaluation][kind][metric] for run in runs])


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1; 0 of one value)."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def smallest_difference(sweep: Sweep, evaluation: str, metric: str) -> float | None:
    """The least difference between two variants' means that their seeds can show, at 95 %.

    Half the width of the t interval of such a difference, with the seeds' variance pooled over
    the variants; None with one seed.
    """
    variants = list(sweep.complete().values())
    seeds = len(variants[0]) if variants else 0
    if seeds < 2:
        return None
    deviations = [spread(runs, evaluation, "all", metric)[1] for runs in variants]
    pooled = float(np.sqrt(np.mean(np.square(deviations))))
    return student_quantile(len(variants) * (seeds - 1)) * pooled * float(np.sqrt(2 / seeds))


def student_quantile(freedom: int) -> float:
    """The 97.5 % point of Student's t, within 1 % from 3 degrees of freedom on (Hill's expansion)."""
    z = 1.959964
    terms: tuple[float, ...] = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(float(term) / float(freedom**power) for power, term in enumerate(terms, 1))
