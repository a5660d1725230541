"""Sheets are balanced in pairs, photos, sides and catch trials."""

from collections import Counter
from itertools import combinations, pairwise

import pytest

from cnnlg_tf.errors import ConfigError
from cnnlg_tf.experiments.study.design import INTACT, SPOILT, make_sheets

PHOTOS = [f"p{i}" for i in range(40)]
METHODS = ["a", "b", "c", "d"]


def test_sheets_together_ask_everything_on_both_sides() -> None:
    sheets = make_sheets(PHOTOS, METHODS, 60, 6, seed=1)
    assert len(sheets) == 8  # 40 photos x 6 pairs / 60, twice
    asked = Counter((q.photo, q.left, q.right) for sheet in sheets for q in sheet if not q.catch)
    expected = {
        (p, *sides)
        for p in PHOTOS
        for a, b in combinations(METHODS, 2)
        for sides in ((a, b), (b, a))
    }
    assert asked == Counter(expected)


def test_each_sheet_is_balanced() -> None:
    for sheet in make_sheets(PHOTOS, METHODS, 60, 6, seed=1):
        assert len(sheet) == 66
        asked = [q for q in sheet if not q.catch]
        pairs = Counter(frozenset((q.left, q.right)) for q in asked)
        assert set(pairs.values()) == {10}
        assert max(Counter(q.photo for q in asked).values()) == 2  # 60 questions on 40 photos
        for method in METHODS:
            left = sum(q.left == method for q in asked)
            assert left == sum(q.right == method for q in asked) == 15
        assert sum(q.photo == other.photo for q, other in pairwise(asked)) == 0


def test_catch_trials_are_spread_and_on_both_sides() -> None:
    for sheet in make_sheets(PHOTOS, METHODS, 60, 6, seed=2):
        places = [i for i, q in enumerate(sheet) if q.catch]
        assert len(places) == 6
        assert all(place // 11 == i for i, place in enumerate(places)), places
        assert Counter(sheet[i].left for i in places) == {INTACT: 3, SPOILT: 3}


def test_the_seed_decides() -> None:
    first, again, other = (make_sheets(PHOTOS, METHODS, 60, 6, seed) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("photos", "methods", "questions", "catches"),
    [(1, 2, 1, 0), (3, 3, 3, 9), (7, 5, 11, 2), (2, 4, 100, 3)],
)
def test_odd_sizes(photos: int, methods: int, questions: int, catches: int) -> None:
    sheets = make_sheets(PHOTOS[:photos], [*METHODS, "e"][:methods], questions, catches, 0)
    pairs = methods * (methods - 1) // 2
    assert sum(not q.catch for sheet in sheets for q in sheet) == 2 * photos * pairs
    for sheet in sheets:
        assert sum(q.catch for q in sheet) == catches
        assert len(sheet) <= questions + pairs + catches


def test_errors() -> None:
    with pytest.raises(ConfigError, match=r"two methods or more, all distinct. Received: \['a'\]"):
        make_sheets(PHOTOS, ["a"], 60, 6, 0)
    with pytest.raises(ConfigError, match="all distinct"):
        make_sheets(PHOTOS, ["a", "b", "a"], 60, 6, 0)
    with pytest.raises(ConfigError, match="needs a photo. Received: none"):
        make_sheets([], METHODS, 60, 6, 0)
    with pytest.raises(ConfigError, match="questions must be at least 6, .*Received: 5"):
        make_sheets(PHOTOS, METHODS, 5, 6, 0)
