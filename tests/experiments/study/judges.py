"""Simulated judges of known taste, who answer a study's sheets."""

import numpy as np

from cnnlg_tf.experiments.study.answers import Answer, Answers, Key
from cnnlg_tf.experiments.study.design import INTACT, make_sheets

STRENGTHS = {"original": 1.2, "cnnlg": 0.2, "patchmatch": -0.1, "telea": -1.3}


def made_key(questions: int = 60, catches: int = 6, photos: int = 40, seed: int = 0) -> Key:
    """A study without pictures."""
    names = [f"photo{i:02}" for i in range(photos)]
    sheets = make_sheets(names, list(STRENGTHS), questions, catches, seed)
    return Key("study1", {name: name.title() for name in STRENGTHS}, sheets, {})


def judge(
    key: Key,
    name: str,
    sheet: int,
    rng: np.random.Generator,
    strengths: dict[str, float] = STRENGTHS,
    care: float = 0.98,
    seconds: float = 3.0,
) -> Answers:
    """Prefers a to b with the chance 1 / (1 + exp(b - a)); sees through catch trials with `care`."""
    answers = []
    for number, question in enumerate(key.sheets[sheet]):
        if question.catch:
            chance = care if question.left == INTACT else 1 - care
        else:
            chance = 1 / (1 + np.exp(strengths[question.right] - strengths[question.left]))
        choice = "left" if rng.random() < chance else "right"
        answers.append(Answer(question=number, choice=choice, seconds=seconds))
    return Answers(study=key.study, sheet=sheet, judge=name, answers=answers)
