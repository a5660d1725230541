"""`cnnlg-tf bulk`: what is told before Ray is started, and how a run is told."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("ray.data", reason="needs ray[data] (extra `bulk`)")

from cnnlg_tf.bulk import run as module
from cnnlg_tf.bulk.run import Summary
from cnnlg_tf.cli import main
from cnnlg_tf.errors import DataError


def bulk(*arguments: object) -> Any:
    return CliRunner().invoke(main, ["bulk", *map(str, arguments)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photos", "-o", "out"], "give a FOLDER either --mask MASK (or --mask-suffix) or --blind"),
        (["photos", "-o", "out", "--blind", "--mask", "m"], "give a FOLDER either"),
        (["m.csv", "-o", "out", "--mask", "m"], "are for a FOLDER: a manifest names its masks"),
        (["m.csv", "-o", "out", "--blind"], "are for a FOLDER"),
        (["m.csv"], "Missing option '-o'"),
        (["m.csv", "-o", "out", "--workers", "0"], "Invalid value for '--workers'"),
    ],
)
def test_usage(arguments: list[str], message: str) -> None:
    result = bulk(*arguments)
    assert result.exit_code == 2 and message in result.output


def test_faults_of_a_manifest_are_lines(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("id,photo\na,a.png\na,b.png\n../b,c.png\n")
    result = bulk(path, "-o", tmp_path / "out")
    assert result.exit_code == 1
    first, *lines = result.output.splitlines()
    assert first == f"Error: {path} has 2 kinds of faults; nothing was done"
    assert [line[:4] for line in lines] == ["  id", "  id"]


def test_a_run_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def run(source: str, out: str, repairing: Any, **options: Any) -> Summary:
        given.update(options, source=source, out=out, repairing=repairing)
        return summary

    monkeypatch.setattr(module, "run_bulk", run)
    summary = Summary(80, 80, 0, 20, 30.0)
    result = bulk("m.csv", "-o", "s3://b/o", "--detail", 0.5, "--format", "webp", "--retry-errors")
    told = "s3://b/o: 80 of 80 photos repaired, 20 of them by earlier runs; 30 s, 2 photos/s\n"
    assert (result.exit_code, result.output) == (0, told)
    assert given["repairing"].detail == 0.5 and given["repairing"].form == "WEBP"
    assert given["retry_errors"] and given["workers"] is None and given["out"] == "s3://b/o"
    assert bulk("m.csv", "-o", "out", "--quiet").output == ""
    assert '"photos": 80' in bulk("m.csv", "-o", "out", "--json").output

    summary = Summary(80, 78, 2, 0, 30.0, ("photo a.png does not exist",))
    result = bulk("photos", "--blind", "-o", "out")
    assert result.exit_code == 1
    assert "Error: photo a.png does not exist\n" in result.output
    assert "Error: 2 of 80 photos were not repaired: ledger.parquet says why" in result.output


def test_a_run_that_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run_bulk", stopped)
    result = bulk("m.csv", "-o", "out")
    assert result.exit_code == 1
    assert result.output == "Error: stopped; the same command goes on from what is done\n"

    def empty(*_: Any, **__: Any) -> None:
        raise DataError("m.csv must name photos. Received: none")

    monkeypatch.setattr(module, "run_bulk", empty)
    assert bulk("m.csv", "-o", "out").output == "Error: m.csv must name photos. Received: none\n"
