"""A study's folder, its key, and the files of answers that judges give."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from cnnlg_tf.config import Section
from cnnlg_tf.errors import DataError
from cnnlg_tf.experiments.study.design import Question, Sheet
from cnnlg_tf.files import atomic_path

PAGE, KEY, ANSWERS = "study.html", "key.json", "answers"
LARGEST = 1_000_000
"""Bytes that a file of answers may have."""


@dataclass(frozen=True)
class Key:
    """What the page does not tell: which method made which picture.

    Attributes:
        study: a random name of the study, in the page and in each file of answers.
        methods: method -> its title for readers.
        sheets: all sheets.
        settings: how the study was made.
    """

    study: str
    methods: dict[str, str]
    sheets: list[Sheet]
    settings: dict[str, Any]


class Answer(Section):
    """`question`: its place in the sheet; `seconds`: from its appearance to the choice."""

    question: int = Field(ge=0)
    choice: Literal["left", "right"]
    seconds: float = Field(ge=0)


class Answers(Section):
    """One judge's file. `judge`: a random name that the page makes up; nothing else tells who it is."""

    study: str
    sheet: int = Field(ge=0)
    judge: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    answers: list[Answer]


def save_key(key: Key, folder: Path) -> None:
    """Write a study's key."""
    with atomic_path(folder / KEY) as path:
        path.write_text(json.dumps(asdict(key), indent=1) + "\n", encoding="utf-8")


def load_key(folder: str | Path) -> Key:
    """Read a study's key.

    Raises:
        DataError: the folder holds no study.
    """
    path = Path(folder) / KEY
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        sheets = [[Question(**question) for question in sheet] for sheet in tree["sheets"]]
        return Key(tree["study"], tree["methods"], sheets, tree["settings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder} must be a folder that `cnnlg-tf study make` wrote: {error}"
        ) from error


def parse_answers(data: bytes, key: Key, name: str) -> Answers:
    """Check a file of answers against the study.

    Raises:
        DataError: it is too large, no file of answers, of another study, or answers what was not asked.
    """
    if len(data) > LARGEST:
        raise DataError(f"{name} must have {LARGEST} bytes at most. Received: {len(data)}")
    try:
        found = Answers.model_validate(json.loads(data))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "file"
        raise DataError(f"{name} must be a judge's answers: {place}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} must be a judge's answers in JSON: {error}") from error
    if found.study != key.study:
        raise DataError(f"{name} must be of study {key.study}. Received: study {found.study}")
    if found.sheet >= len(key.sheets):
        raise DataError(
            f"{name}: sheet must be from 0 to {len(key.sheets) - 1}. Received: {found.sheet}"
        )
    asked = [answer.question for answer in found.answers]
    length = len(key.sheets[found.sheet])
    if len(set(asked)) != len(asked) or max(asked, default=0) >= length:
        raise DataError(
            f"{name} must answer each of the sheet's {length} questions once at most. "
            f"Received: questions {_short(asked)}"
        )
    return found


def store_answers(found: Answers, folder: Path) -> Path:
    """Keep a judge's answers in the study's folder; a longer file of the same judge stays."""
    path = folder / ANSWERS / f"{found.judge}.json"
    try:
        before = Answers.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        before = None
    if before is None or len(before.answers) <= len(found.answers):
        with atomic_path(path) as temporary:
            temporary.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return path


def collect(folder: str | Path, files: Iterable[str | Path]) -> tuple[list[str], dict[str, str]]:
    """Take judges' files into a study's folder.

    Args:
        folder: the study's.
        files: JSON files, or folders of them.

    Returns:
        The names of what was taken, and for each other file the reason why it was not.

    Raises:
        DataError: the folder holds no study, or there is no file.
    """
    key = load_key(folder)
    paths = [
        path
        for each in map(Path, files)
        for path in (sorted(each.rglob("*.json")) if each.is_dir() else [each])
    ]
    if not paths:
        raise DataError("collect needs files of answers (.json). Received: none")
    taken: list[str] = []
    refused: dict[str, str] = {}
    for path in paths:
        try:
            found = parse_answers(path.read_bytes(), key, path.name)
        except (OSError, DataError) as error:
            refused[str(path)] = str(error)
            continue
        store_answers(found, Path(folder))
        taken.append(str(path))
    return taken, refused


def load_answers(folder: str | Path, key: Key) -> list[Answers]:
    """All judges' answers that a study's folder holds, by the judges' names."""
    paths = sorted((Path(folder) / ANSWERS).glob("*.json"))
    return [parse_answers(path.read_bytes(), key, path.name) for path in paths]


def _short(numbers: list[int]) -> str:
    text = ", ".join(map(str, numbers))
    return text if len(text) < 80 else re.sub(r", [^,]*$", ", ...", text[:80])
