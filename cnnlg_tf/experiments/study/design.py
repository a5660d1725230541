"""Which pairs are asked, in which order and on which side: random, and balanced all the same.

A *sheet* is the list of questions that one judge answers. Every photo meets every pair of methods once in
a set of sheets; within a sheet each pair of methods is asked equally often, each photo about equally often.
Each set comes twice, the second time with the sides changed, so that no method profits from a side.
Catch trials, whose right answer anybody sees, stand between the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from cnnlg_tf.errors import ConfigError

Side = Literal["left", "right"]


@dataclass(frozen=True)
class Question:
    """Two pictures of one photo.

    Attributes:
        photo: whose pictures they are.
        left: the method whose picture is on the left, or INTACT or SPOILT in a catch trial.
        right: the other one.
    """

    photo: str
    left: str
    right: str

    @property
    def catch(self) -> bool:
        return INTACT in (self.left, self.right)

    @property
    def sides(self) -> dict[Side, str]:
        return {"left": self.left, "right": self.right}


INTACT, SPOILT = "catch: intact", "catch: spoilt"

Sheet = list[Question]


def make_sheets(
    photos: Sequence[str], methods: Sequence[str], questions: int, catches: int, seed: int
) -> list[Sheet]:
    """Sheets of about `questions` questions and `catches` catch trials each.

    Args:
        photos: their names.
        methods: at least two; each pair of them is compared on every photo.
        questions: how many a judge is asked at most, the catch trials apart.
        catches: catch trials a sheet.
        seed: of what is random.

    Raises:
        ConfigError: fewer than two methods, no photo, or fewer questions than pairs of methods.
    """
    pairs = list(combinations(methods, 2))
    if len(set(methods)) != len(methods) or not pairs:
        raise ConfigError(f"a study needs two methods or more, all distinct. Received: {methods}")
    if not photos:
        raise ConfigError("a study needs a photo. Received: none")
    if questions < len(pairs):
        raise ConfigError(
            f"questions must be at least {len(pairs)}, one for each pair of methods. "
            f"Received: {questions}"
        )
    rng = np.random.default_rng(seed)
    count = -(-len(photos) * len(pairs) // questions)
    order = rng.permutation(len(photos))
    sheets: list[Sheet] = [[] for _ in range(count)]
    for number, pair in enumerate(pairs):
        for at in range(count):
            asked = [photos[i] for place, i in enumerate(order) if (place + number) % count == at]
            for photo, as_named in zip(asked, _balanced(len(asked), rng), strict=True):
                sheets[at].append(Question(photo, *(pair if as_named else pair[::-1])))
    finished = []
    for sheet in sheets:
        for mirrored in (False, True):
            asked = [_mirror(question) if mirrored else question for question in sheet]
            finished.append(_with_catches(_shuffled(asked, rng), photos, catches, rng))
    return finished


def _balanced(count: int, rng: np.random.Generator) -> list[bool]:
    """Half of them true, or one more, in random order."""
    return [bool(each) for each in rng.permutation(np.arange(count) % 2 == 0)]


def _mirror(question: Question) -> Question:
    return Question(question.photo, question.right, question.left)


def _shuffled(questions: Sheet, rng: np.random.Generator) -> Sheet:
    """In random order, and no photo twice in a row where that can be."""
    rest = [questions[i] for i in rng.permutation(len(questions))]
    found: Sheet = []
    while rest:
        last = found[-1].photo if found else None
        at = next((i for i, question in enumerate(rest) if question.photo != last), 0)
        found.append(rest.pop(at))
    return found


def _with_catches(
    questions: Sheet, photos: Sequence[str], catches: int, rng: np.random.Generator
) -> Sheet:
    """Catch trials spread over the sheet, one in each stretch of it, the intact side balanced."""
    found = list(questions)
    chosen = rng.choice(len(photos), catches, replace=catches > len(photos))
    ends = np.linspace(0, len(questions), catches + 1).astype(int)
    left = _balanced(catches, rng)
    for number in reversed(range(catches)):  # from the end, so that places stay
        at = int(rng.integers(ends[number], max(ends[number] + 1, ends[number + 1])))
        sides = (INTACT, SPOILT) if left[number] else (SPOILT, INTACT)
        found.insert(at, Question(photos[chosen[number]], *sides))
    return found
