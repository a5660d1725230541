"""Bradley-Terry scores of methods from who was preferred to whom, with intervals over judges.

The chance that method i is preferred to j is 1 / (1 + exp(s_j - s_i)); the scores s add up to 0. They are
the most likely ones under a weak prior (normal, deviation 3), which keeps them finite where a method never
loses. Intervals: judges are drawn again with replacement (a judge's answers belong together), and the
spread of the scores that come out, widened for few judges as Student's t is, gives the interval.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnlg_tf.experiments.compare import student_quantile

PRIOR_DEVIATION = 3.0
RESAMPLES = 1000
_STEPS = 50

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """`value`, `low`, `high`: [methods]; the ends of 95 % intervals are NaN with one judge."""

    value: Floats
    low: Floats
    high: Floats


def fit(wins: Floats) -> Floats:
    """Scores of one or many tables of wins.

    Args:
        wins: [..., methods, methods]; how often the row's method was preferred to the column's.

    Returns:
        [..., methods], adding up to 0.
    """
    methods = wins.shape[-1]
    games = wins + np.swapaxes(wins, -1, -2)
    scores = np.zeros(wins.shape[:-1])
    diagonal = np.eye(methods)
    for _ in range(_STEPS):  # Newton's method; the function is concave
        chance = 1 / (1 + np.exp(scores[..., None, :] - scores[..., :, None]))
        slope = (wins - games * chance).sum(axis=-1) - scores / PRIOR_DEVIATION**2
        weight = games * chance * (1 - chance)
        curve = diagonal * (weight.sum(axis=-1)[..., None] + PRIOR_DEVIATION**-2) - weight
        step = np.linalg.solve(curve, slope[..., None])[..., 0]
        scores = scores + step.clip(-2, 2)
        if np.abs(step).max() < 1e-10:
            break
    return np.asarray(scores - scores.mean(axis=-1, keepdims=True))


def fit_with_intervals(by_judge: Floats, resamples: int = RESAMPLES) -> Scores:
    """Scores over all judges, and their intervals.

    Args:
        by_judge: [judges, methods, methods], each judge's wins.
        resamples: how often the judges are drawn again.
    """
    judges = len(by_judge)
    value = fit(by_judge.sum(axis=0))
    if judges < 2:
        nothing = np.full_like(value, np.nan)
        return Scores(value, nothing, nothing)
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(judges, np.full(judges, 1 / judges), resamples).astype(np.float64)
    spread = fit(np.einsum("rj,jab->rab", drawn, by_judge)).std(axis=0, ddof=1)
    half = student_quantile(judges - 1) * np.sqrt(judges / (judges - 1)) * spread
    return Scores(value, value - half, value + half)
