"""From answers to a result: which judges count, how methods score, how far judges agree."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

from cnnlg_tf.errors import DataError
from cnnlg_tf.experiments.study.answers import Answers, Key
from cnnlg_tf.experiments.study.bradley_terry import Scores, fit_with_intervals
from cnnlg_tf.experiments.study.design import INTACT, Question

FEWEST = 10  # answers without which a judge says too little
CATCH_SHARE = 0.8  # of the catch trials that must be right
HASTE = 0.4  # seconds; nobody compares two pictures in less
ONE_SIDE = 1e-6  # chance of so many answers on one side by tossing a coin

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Analysis:
    """A study's result.

    Attributes:
        methods: method -> title, the best score first.
        scores: Bradley-Terry scores in that order.
        wins: [methods, methods] in that order: how often the row's was preferred to the column's.
        judges: names of those that count.
        rejected: judge -> why not.
        agreement: how often two judges chose alike where both were asked; a half is chance. Or NaN.
        left_share: how often the left picture was chosen.
        median_seconds: an answer's.
    """

    methods: dict[str, str]
    scores: Scores
    wins: Floats
    judges: list[str]
    rejected: dict[str, str]
    agreement: float
    left_share: float
    median_seconds: float


def analyse(key: Key, answers: Sequence[Answers]) -> Analysis:
    """Judge the judges, then score the methods by those who count.

    Raises:
        DataError: nobody answered, or no judge counts.
    """
    if not answers:
        raise DataError("a study needs answers to be analysed. Received: none; see `study collect`")
    reasons = {each.judge: why_rejected(key, each) for each in answers}
    rejected = {judge: why for judge, why in reasons.items() if why}
    counted = [each for each in answers if each.judge not in rejected]
    if not counted:
        why = "; ".join(f"{judge}: {why}" for judge, why in list(rejected.items())[:3])
        raise DataError(f"no judge counts: all {len(rejected)} are rejected ({why})")
    names = list(key.methods)
    by_judge = np.stack([_wins(key, each, names) for each in counted])
    scores = fit_with_intervals(by_judge)
    order = np.argsort(-scores.value, kind="stable")
    every = [answer for each in counted for answer in each.answers]
    return Analysis(
        {names[i]: key.methods[names[i]] for i in order},
        Scores(scores.value[order], scores.low[order], scores.high[order]),
        by_judge.sum(axis=0)[np.ix_(order, order)],
        [each.judge for each in counted],
        rejected,
        agreement_of(key, counted),
        float(np.mean([answer.choice == "left" for answer in every])),
        float(np.median([answer.seconds for answer in every])),
    )


def why_rejected(key: Key, answers: Answers) -> str:
    """Why a judge does not count, or nothing."""
    sheet = key.sheets[answers.sheet]
    if len(answers.answers) < FEWEST:
        return f"{len(answers.answers)} answers, fewer than {FEWEST}"
    caught = [
        sheet[answer.question].sides[answer.choice] == INTACT
        for answer in answers.answers
        if sheet[answer.question].catch
    ]
    if caught and np.mean(caught) < CATCH_SHARE:
        return f"{sum(caught)} of {len(caught)} catch trials right, fewer than {CATCH_SHARE:.0%}"
    median = float(np.median([answer.seconds for answer in answers.answers]))
    if median < HASTE:
        return f"{median:.2f} s an answer (median), less than {HASTE}"
    side, most = Counter(answer.choice for answer in answers.answers).most_common(1)[0]
    if _tossed(most, len(answers.answers)) < ONE_SIDE:
        return f"chose the {side} picture {most} times of {len(answers.answers)}"
    return ""


def _tossed(most: int, count: int) -> float:
    """The chance that `count` tosses show one side `most` times or more."""
    return float(min(1.0, 2 * sum(comb(count, i) for i in range(most, count + 1)) / 2**count))


def _wins(key: Key, answers: Answers, names: list[str]) -> Floats:
    wins = np.zeros((len(names), len(names)))
    for question, chosen in _choices(key, answers):
        other = question.left if chosen == question.right else question.right
        wins[names.index(chosen), names.index(other)] += 1
    return wins


def _choices(key: Key, answers: Answers) -> list[tuple[Question, str]]:
    """Each question that is no catch trial, with the method that was chosen."""
    sheet = key.sheets[answers.sheet]
    asked = ((sheet[answer.question], answer.choice) for answer in answers.answers)
    return [(each, each.sides[choice]) for each, choice in asked if not each.catch]


def agreement_of(key: Key, answers: Sequence[Answers]) -> float:
    """How often two judges chose alike where both were asked, whatever the sides; NaN if never."""
    chosen: dict[tuple[str, frozenset[str]], list[str]] = {}
    for each in answers:
        for question, method in _choices(key, each):
            pair = frozenset((question.left, question.right))
            chosen.setdefault((question.photo, pair), []).append(method)
    alike = [a == b for methods in chosen.values() for a, b in combinations(methods, 2)]
    return float(np.mean(alike)) if alike else float("nan")
