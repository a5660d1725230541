"""Scores of simulated judges: true strengths are found, intervals cover them, bad judges are found out."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import DataError
from cnnlg_tf.experiments.study.analyse import agreement_of, analyse, why_rejected
from cnnlg_tf.experiments.study.answers import Answers, Key
from cnnlg_tf.experiments.study.bradley_terry import fit, fit_with_intervals
from cnnlg_tf.experiments.study.results import as_markdown, write_analysis
from tests.experiments.study.judges import STRENGTHS, judge, made_key

TRUTH = {name: value - np.mean(list(STRENGTHS.values())) for name, value in STRENGTHS.items()}


@pytest.fixture(scope="module")
def key() -> Key:
    return made_key()


def _panel(key: Key, count: int, rng: np.random.Generator, **taste: float) -> list[Answers]:
    return [judge(key, f"judge{i}", i % len(key.sheets), rng, **taste) for i in range(count)]


def test_fit_of_known_chances() -> None:
    """As many wins as the scores say: the scores come back, shrunk a little by the prior."""
    scores = np.array([1.0, 0.25, -0.5, -0.75])
    chance = 1 / (1 + np.exp(scores[None, :] - scores[:, None]))
    wins = 1e5 * chance * (1 - np.eye(4))
    np.testing.assert_allclose(fit(wins), scores, atol=1e-4)
    np.testing.assert_allclose(fit(np.stack([wins, wins.T])), [scores, -scores], atol=1e-4)


def test_a_method_that_never_loses_has_a_finite_score() -> None:
    found = fit(np.array([[0.0, 30.0], [0.0, 0.0]]))
    assert 1 < found[0] < 5 and found.sum() == pytest.approx(0)
    np.testing.assert_allclose(fit(np.zeros((3, 3))), 0)


@pytest.mark.parametrize("judges", [6, 16])
def test_intervals_cover_the_truth(key: Key, judges: int) -> None:
    """In 90 to 99 % of 200 simulated studies, for each method and over all."""
    rng = np.random.default_rng(judges)
    held = []
    for _ in range(200):
        found = analyse(key, _panel(key, judges, rng))
        truth = np.array([TRUTH[name] for name in found.methods])
        held.append((found.scores.low <= truth) & (truth <= found.scores.high))
    assert 0.90 <= np.mean(held) <= 0.99
    assert (np.mean(held, axis=0) >= 0.88).all()


def test_judges_of_different_taste_widen_the_intervals(key: Key) -> None:
    """Answers of one judge belong together: the intervals are over judges, not over answers."""
    rng = np.random.default_rng(0)
    same = analyse(key, _panel(key, 12, rng))
    tastes = [
        {name: value + rng.normal(0, 1.5) for name, value in STRENGTHS.items()} for _ in range(12)
    ]
    split = [judge(key, f"j{i}", i % 8, rng, strengths=taste) for i, taste in enumerate(tastes)]
    wide = analyse(key, split)
    assert np.mean(wide.scores.high - wide.scores.low) > 1.8 * np.mean(
        same.scores.high - same.scores.low
    )


def test_order_wins_and_titles(key: Key) -> None:
    found = analyse(key, _panel(key, 16, np.random.default_rng(0)))
    assert list(found.methods) == ["original", "cnnlg", "patchmatch", "telea"]
    assert found.wins.sum() == 16 * 60 and (np.diag(found.wins) == 0).all()
    games = found.wins + found.wins.T
    assert (games[~np.eye(4, dtype=bool)] == 160).all()
    assert 0.45 < found.left_share < 0.55
    assert 0.5 < found.agreement < 0.9


def test_bad_judges_are_rejected_with_the_reason(key: Key) -> None:
    rng = np.random.default_rng(0)
    good = judge(key, "good", 0, rng)
    blind = judge(key, "blind", 1, rng, care=0.3)
    hasty = judge(key, "hasty", 2, rng, seconds=0.3)
    short = good.model_copy(update={"judge": "short", "answers": good.answers[:9]})
    plain = made_key(catches=0)
    left = [answer.model_copy(update={"choice": "left"}) for answer in good.answers[:60]]
    lazy = good.model_copy(update={"judge": "lazy", "answers": left})
    assert why_rejected(key, good) == ""
    assert "of 6 catch trials right, fewer than 80%" in why_rejected(key, blind)
    assert why_rejected(key, hasty) == "0.30 s an answer (median), less than 0.4"
    assert why_rejected(key, short) == "9 answers, fewer than 10"
    assert why_rejected(plain, lazy) == "chose the left picture 60 times of 60"
    found = analyse(key, [good, blind, hasty, short])
    assert found.judges == ["good"] and set(found.rejected) == {"blind", "hasty", "short"}
    text = as_markdown(found)
    assert "One judge: no interval" in text and "| – |" in text
    assert "Judge hasty was rejected: 0.30 s an answer" in text
    with pytest.raises(DataError, match="no judge counts: all 2 are rejected .*blind: "):
        analyse(key, [blind, hasty])
    with pytest.raises(DataError, match="needs answers to be analysed. Received: none"):
        analyse(key, [])


def test_agreement(key: Key) -> None:
    """Of the mirrored twin of a sheet too: what counts is the method, not the side."""
    always = {name: 50.0 * i for i, name in enumerate(STRENGTHS)}
    rng = np.random.default_rng(0)
    first, twin, other = (judge(key, f"j{i}", i, rng, strengths=always) for i in range(3))
    assert agreement_of(key, [first, twin]) == 1.0
    assert np.isnan(agreement_of(key, [first, other]))  # nothing was asked of both
    against = judge(key, "against", 0, rng, {name: -value for name, value in always.items()})
    assert agreement_of(key, [first, against]) == 0.0


def test_few_judges_have_wide_intervals(key: Key) -> None:
    rng = np.random.default_rng(0)
    by_judge = np.tile(np.array([[0.0, 30.0], [10.0, 0.0]]), (20, 1, 1))
    by_judge += rng.integers(0, 10, by_judge.shape) * (1 - np.eye(2))
    few, many = (fit_with_intervals(by_judge[:n]) for n in (3, 20))
    assert np.isnan(fit_with_intervals(by_judge[:1]).low).all()
    assert (few.high - few.low)[0] > 2 * (many.high - many.low)[0] > 0


def test_files(key: Key, tmp_path: Path) -> None:
    found = analyse(key, _panel(key, 8, np.random.default_rng(0)))
    write_analysis(found, tmp_path / "out")
    tree = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert list(tree["methods"]) == list(found.methods)
    best = tree["methods"]["original"]
    assert best["low"] < best["score"] < best["high"] and 0.5 < best["preferred"] < 1
    text = (tmp_path / "out" / "analysis.md").read_text()
    assert text.startswith("# Study\n\n8 judges, 480 comparisons.")
    assert "| Original | +1." in text and " of 80 |" in text
    with Image.open(tmp_path / "out" / "scores.png") as plot:
        assert plot.width > 500
