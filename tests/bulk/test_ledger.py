"""One row an id out of the parts that runs, repeats and ends leave."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cnnlg_tf.bulk.ledger import CHECKPOINT, PARTS, as_parquet, as_rows, forget, gathered, in_order
from cnnlg_tf.bulk.storage import Folder
from cnnlg_tf.errors import CnnlgError


def result(name: str, status: str = "ok", second: int = 0) -> dict[str, Any]:
    error = None if status == "ok" else f"error {second}"
    finished = datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)
    return {"id": name, "status": status, "error": error, "finished": finished}


@pytest.fixture(params=["here", "memory"])
def folder(request: Any, tmp_path: Path) -> Folder:
    return Folder(str(tmp_path) if request.param == "here" else f"memory:/{tmp_path}")


def test_one_row_an_id(folder: Folder) -> None:
    folder.write(f"{PARTS}/1.parquet", as_parquet(as_rows([result("b"), result("a", "error", 1)])))
    folder.write(f"{PARTS}/2.parquet", as_parquet(as_rows([result("a", "error", 2)])))
    folder.write(f"{PARTS}/3.parquet", as_parquet(as_rows([result("b", "error", 9)])))
    folder.write(f"{PARTS}/4.parquet", as_parquet(as_rows([result("c")]))[:-20])  # cut off
    rows = gathered(folder).to_pylist()
    assert [(row["id"], row["error"]) for row in rows] == [("a", "error 2"), ("b", None)]
    plan = pa.table({"id": ["b", "z", "a"]})
    assert in_order(gathered(folder), plan)["id"].to_pylist() == ["b", "a"]


def test_nothing_yet(folder: Folder) -> None:
    assert gathered(folder).num_rows == 0
    forget(folder, pa.array(["a"]))


def test_forgetting(folder: Folder) -> None:
    for name, ids in (("1", ["a", "b"]), ("2", ["c"]), ("3", ["d"]), ("4.pending", ["a"])):
        folder.write(f"{CHECKPOINT}/{name}.parquet", as_parquet(pa.table({"id": ids})))
    untouched = folder.read(f"{CHECKPOINT}/3.parquet")
    forget(folder, pa.array(["a", "c"]))
    left = [name.rpartition("/")[2] for name in folder.names(CHECKPOINT, "")]
    assert left == ["1.parquet", "3.parquet", "4.pending.parquet"]
    assert folder.read(f"{CHECKPOINT}/1.parquet") == as_parquet(pa.table({"id": ["b"]}))
    assert folder.read(f"{CHECKPOINT}/3.parquet") == untouched
    folder.write(f"{CHECKPOINT}/5.parquet", b"PAR1")
    with pytest.raises(
        CnnlgError, match=r"checkpoint \.bulk/checkpoint/5\.parquet in .* is damaged"
    ):
        forget(folder, pa.array(["a"]))
