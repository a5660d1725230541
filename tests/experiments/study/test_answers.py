"""Files of answers: what is taken, what is refused and why, and what is kept."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cnnlg_tf.cli import main
from cnnlg_tf.errors import DataError
from cnnlg_tf.experiments.study.answers import (
    ANSWERS,
    LARGEST,
    Key,
    collect,
    load_answers,
    load_key,
    parse_answers,
    save_key,
    store_answers,
)
from tests.experiments.study.judges import judge, made_key


@pytest.fixture
def key(tmp_path: Path) -> Key:
    key = made_key()
    save_key(key, tmp_path / "study")
    return key


def test_a_key_is_read_as_it_was_written(key: Key, tmp_path: Path) -> None:
    assert load_key(tmp_path / "study") == key
    with pytest.raises(DataError, match="must be a folder that `cnnlg-tf study make` wrote"):
        load_key(tmp_path)


def test_collect(key: Key, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sent = tmp_path / "sent"
    sent.mkdir()
    for i in range(3):
        (sent / f"{i}.json").write_text(judge(key, f"judge{i}", i, rng).model_dump_json())
    (sent / "other.json").write_text('{"study": "another"}')
    (tmp_path / "lone.json").write_text(judge(key, "lone", 3, rng).model_dump_json())
    taken, refused = collect(tmp_path / "study", [sent, tmp_path / "lone.json", tmp_path / "none"])
    assert len(taken) == 4
    assert "sheet: Field required" in refused[str(sent / "other.json")]
    assert "No such file" in refused[str(tmp_path / "none")]
    assert [each.judge for each in load_answers(tmp_path / "study", key)] == [
        "judge0",
        "judge1",
        "judge2",
        "lone",
    ]
    with pytest.raises(DataError, match="needs files of answers"):
        collect(tmp_path / "study", [tmp_path / "study" / "nothing"][:0])


def test_of_two_files_of_a_judge_the_longer_stays(key: Key, tmp_path: Path) -> None:
    whole = judge(key, "me", 0, np.random.default_rng(0))
    part = whole.model_copy(update={"answers": whole.answers[:20]})
    for order in ((part, whole), (whole, part)):
        for each in order:
            path = store_answers(each, tmp_path / "study")
        assert path == tmp_path / "study" / ANSWERS / "me.json"
        assert len(load_answers(tmp_path / "study", key)[0].answers) == 66
        path.unlink()


Change = Callable[[dict[str, object]], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update(study="x"), "must be of study study1. Received: study x"),
        (lambda t: t.update(sheet=8), "sheet must be from 0 to 7. Received: 8"),
        (lambda t: t.update(sheet=-1), "sheet: Input should be greater than or equal to 0"),
        (lambda t: t.update(judge="../../up"), "judge: String should match"),
        (lambda t: t.update(extra=1), "extra: Extra inputs are not permitted"),
        (lambda t: t["answers"].append(t["answers"][0]), "each of the sheet's 66 questions once"),
        (lambda t: t["answers"][0].update(question=66), "66 questions once at most. Received: q"),
        (lambda t: t["answers"][0].update(choice="up"), "answers.0.choice: Input should be 'left'"),
        (lambda t: t["answers"][0].update(seconds=-1), "answers.0.seconds: Input should be great"),
        (lambda t: t["answers"][0].update(seconds=float("nan")), "seconds: Input should be"),
    ],
)
def test_what_is_refused(key: Key, change: Change, message: str) -> None:
    tree = judge(key, "me", 0, np.random.default_rng(0)).model_dump()
    change(tree)
    with pytest.raises(DataError, match=f"file.json.*{message}"):
        parse_answers(json.dumps(tree).encode(), key, "file.json")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_what_is_no_file_of_answers(key: Key, data: bytes) -> None:
    with pytest.raises(DataError, match="file.json must be a judge's answers"):
        parse_answers(data, key, "file.json")


def test_what_is_too_large(key: Key) -> None:
    with pytest.raises(DataError, match=f"must have {LARGEST} bytes at most"):
        parse_answers(b" " * (LARGEST + 1), key, "file.json")


def test_commands(key: Key, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    study, files = str(tmp_path / "study"), []
    for i in range(6):
        files.append(tmp_path / f"{i}.json")
        files[-1].write_text(judge(key, f"judge{i}", i, rng).model_dump_json())
    (tmp_path / "bad.json").write_text("no")
    run = CliRunner()
    result = run.invoke(main, ["study", "analyse", study])
    assert result.exit_code == 1 and "Error: a study needs answers" in result.output
    result = run.invoke(main, ["study", "collect", study, *map(str, files)])
    assert result.exit_code == 0 and "taken: 6" in result.output
    result = run.invoke(main, ["study", "collect", study, str(tmp_path / "bad.json")])
    assert result.exit_code == 1 and "Error: 1 of 1 files were not taken" in result.output
    assert "refused: bad.json must be a judge's answers in JSON" in result.output
    result = run.invoke(main, ["study", "analyse", study, "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "| Original | +" in result.output and "6 judges, 360 comparisons" in result.output
    assert (tmp_path / "out" / "scores.png").is_file()
    result = run.invoke(main, ["study", "analyse", str(tmp_path / "out")])
    assert result.exit_code == 1 and "must be a folder that" in result.output
