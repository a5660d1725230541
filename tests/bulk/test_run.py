"""Whole runs on Ray: nothing is lost and nothing doubled, whoever is killed, whenever."""

import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cnnlg_tf.bulk.run import run_bulk
from cnnlg_tf.bulk.state import only_run
from cnnlg_tf.bulk.storage import Folder
from cnnlg_tf.bulk.worker import PhotoWork, Repairing
from cnnlg_tf.errors import CheckpointError, ConfigError
from cnnlg_tf.inference.inpainter import Inpainter
from tests.bulk.conftest import write_photo
from tests.bulk.deadly import ALWAYS, ONCE, DeadlyFill
from tests.networks import MeanFill

ROOT = Path(__file__).parents[2]
Rows = list[dict[str, Any]]
OPTIONS: dict[str, Any] = {"workers": 2, "cpus_per_worker": 1, "rows_per_block": 5}

pytest.importorskip("ray.data", reason="needs ray[data] (extra `bulk`)")


def ledger(out: Path) -> Rows:
    rows: Rows = pq.read_table(out / "ledger.parquet").to_pylist()
    return rows


def outputs(out: Path) -> dict[str, bytes]:
    """All files of a run but its ledger and state."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and ".bulk" not in path.parts and path.name != "ledger.parquet"
    }


def count(out: Path) -> int:
    """How many outputs there are, while they are being written."""
    walk = (names for folder, _, names in os.walk(out) if not re.search(r"/\.(bulk|new-)", folder))
    return sum(name.endswith(".png") for names in walk for name in names)


def expected(rows: Rows, folder: Path) -> dict[str, bytes]:
    """What an unbroken run writes, from the work itself, without Ray."""
    inpainter, out = Inpainter(MeanFill()), folder / "expected"
    work = PhotoWork(Repairing(), Folder(str(out)), lambda: inpainter)
    for row in rows:
        places = {name: row[name] and str(folder / row[name]) for name in ("photo", "mask")}
        whole = {**row, **places, "name": row["id"] + ".png", "reference": [], "error": None}
        assert work.result(whole)["status"] == "ok"
    return outputs(out)


def test_a_run_with_a_death_and_a_resume(
    tmp_path: Path, photos: Callable[[int], Rows], manifest: Callable[[Rows], Path]
) -> None:
    rows = photos(12)
    write_photo(tmp_path / "photos/010.png", seed=10, corner=ONCE)
    sound = expected(rows, tmp_path)
    absent = {"id": "absent", "photo": "photos/absent.png", "mask": None}
    path, out = manifest([*rows, absent]), tmp_path / "out"
    seen: list[Any] = []
    repairing = Repairing(DeadlyFill(tmp_path))
    summary = run_bulk(str(path), str(out), repairing, progress=seen.append, **OPTIONS)
    assert (summary.photos, summary.repaired, summary.failed, summary.before) == (13, 12, 1, 0)
    assert summary.errors == (f"photo {tmp_path}/photos/absent.png does not exist",)
    assert (tmp_path / "1-2-3").read_text() == "x" and outputs(out) == sound
    found = ledger(out)
    assert [row["id"] for row in found] == [row["id"] for row in [*rows, absent]]
    assert [row["id"] for row in found if row["error"]] == ["absent"]
    assert seen and seen[-1].total == 13
    again = run_bulk(str(path), str(out), repairing, **OPTIONS)  # nothing is left: no Ray
    assert (again.before, again.repaired, again.failed) == (13, 12, 1)


@pytest.mark.slow
def test_a_photo_at_which_workers_always_die_and_a_retry(
    tmp_path: Path, photos: Callable[[int], Rows], manifest: Callable[[Rows], Path]
) -> None:
    rows = photos(24)
    sound = expected(rows, tmp_path)
    write_photo(tmp_path / "photos/deadly.png", corner=ALWAYS)
    more = [
        {"id": "deadly", "photo": "photos/deadly.png", "mask": "masks/one.png"},
        {"id": "absent", "photo": "photos/absent.png", "mask": None},
    ]
    path, out = manifest([*rows, *more]), tmp_path / "out"
    repairing = Repairing(DeadlyFill(tmp_path))
    summary = run_bulk(str(path), str(out), repairing, **OPTIONS)
    assert (summary.photos, summary.repaired, summary.failed) == (26, 24, 2)
    assert (tmp_path / "3-2-1").read_text() == "xx" and outputs(out) == sound
    errors = {row["id"]: row["error"] for row in ledger(out) if row["status"] == "error"}
    assert "its worker died 2 times at photo" in errors["deadly"]
    assert errors.keys() == {"deadly", "absent"}

    write_photo(tmp_path / "photos/absent.png")
    write_photo(tmp_path / "photos/deadly.png")
    before = {name: (out / name).stat().st_mtime_ns for name in sound}
    retried = run_bulk(str(path), str(out), repairing, retry_errors=True, **OPTIONS)
    assert (retried.before, retried.repaired, retried.failed) == (24, 26, 0)
    assert {name: (out / name).stat().st_mtime_ns for name in sound} == before
    assert all(row["status"] == "ok" for row in ledger(out)) and len(ledger(out)) == 26


def test_what_a_folder_holds_must_be_of_the_same_run(
    tmp_path: Path, photos: Callable[[int], Rows], manifest: Callable[[Rows], Path]
) -> None:
    from cnnlg_tf.bulk.ledger import PARTS, as_parquet, as_rows
    from cnnlg_tf.bulk.manifest import read_plan
    from cnnlg_tf.bulk.state import write_run

    rows = photos(3)
    path, out = manifest(rows), tmp_path / "out"
    folder, model = Folder(str(out)), MeanFill()
    write_run(folder, Repairing(model), read_plan(str(path), str(out)))
    inpainter = Inpainter(model)
    work = PhotoWork(Repairing(model), folder, lambda: inpainter)
    plan = read_plan(str(path), str(out)).to_pylist()
    folder.write(f"{PARTS}/1.parquet", as_parquet(as_rows(work.result(row) for row in plan)))
    assert run_bulk(str(path), str(out), Repairing(model)).before == 3
    with pytest.raises(
        ConfigError, match="other options: detail 1.0, not 0.5. Take another folder"
    ):
        run_bulk(str(path), str(out), Repairing(model, detail=0.5))
    with pytest.raises(ConfigError, match="other photos, masks or references.*'set1/001'"):
        run_bulk(str(manifest([rows[0], {**rows[1], "mask": None}])), str(out), Repairing(model))
    fewer = run_bulk(str(manifest(rows[:2])), str(out), Repairing(model))
    assert fewer.photos == 2 and len(ledger(out)) == 2
    with only_run(folder), pytest.raises(ConfigError, match="another run works in it"):
        run_bulk(str(path), str(out), Repairing(model))
    with pytest.raises(ConfigError, match="rows_per_block must be 1 or more"):
        run_bulk(str(path), str(out), Repairing(model), rows_per_block=0)
    with pytest.raises(ConfigError, match="detail must be from 0 to 2"):
        run_bulk(str(path), str(out), Repairing(model, detail=3.0))


@pytest.mark.slow
def test_networks_that_cannot_be_opened_or_do_too_little(
    tmp_path: Path, photos: Callable[[int], Rows], manifest: Callable[[Rows], Path]
) -> None:
    path, out = str(manifest(photos(3))), str(tmp_path / "out")
    with pytest.raises(CheckpointError, match="a model must be a preset.*Received: nowhere"):
        run_bulk(path, out, Repairing("nowhere"))
    with pytest.raises(ConfigError, match="finding damage.*must be among what the network"):
        run_bulk(path, out, Repairing(MeanFill(can=frozenset({"reference"}))))
    with pytest.raises(ConfigError, match="a worker needs 1 GPUs. Received: 0"):
        run_bulk(path, out, Repairing(MeanFill()), gpus_per_worker=1)
    assert outputs(tmp_path / "out") == {}


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "ray://nowhere.invalid:10001"])
def test_a_cluster_that_is_not_there(
    address: str, tmp_path: Path, photos: Callable[[int], Rows], manifest: Callable[[Rows], Path]
) -> None:
    """Told at once: Ray would go on trying for a quarter of an hour."""
    path, out, start = str(manifest(photos(1))), str(tmp_path / "out"), time.monotonic()
    with pytest.raises(ConfigError, match=re.escape(f"there must be a Ray cluster at {address}")):
        run_bulk(path, out, Repairing(MeanFill()), address=address)
    assert time.monotonic() - start < 30
    assert outputs(tmp_path / "out") == {}


@contextmanager
def driver(manifest: Path, out: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A run in a process group of its own, killed at the block's end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bulk.deadly", str(manifest), str(out), "0.05"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.slow
def test_a_driver_killed_at_ten_moments(
    tmp_path: Path, photos: Callable[[int], Rows], manifest: Callable[[Rows], Path]
) -> None:
    """Its machine may go at any moment: the same command goes on, and does little twice."""
    rows = photos(80)
    for number in (17, 43):
        write_photo(tmp_path / f"photos/{number:03d}.png", seed=number, corner=ONCE)
    path, out = manifest(rows), tmp_path / "out"
    moments = sorted(random.Random(0).sample(range(1, 80), 10))
    written = 0
    for moment in moments:
        with driver(path, out) as process:
            while process.poll() is None and count(out) < moment:
                time.sleep(0.02)
            assert process.poll() is None
        assert count(out) >= written  # nothing that was there has gone
        written = count(out)
    with driver(path, out) as process:
        told = process.communicate(timeout=600)[0].decode()
        assert process.returncode == 0
    assert told.startswith("80 of 80 photos repaired") and "by earlier runs" in told
    assert outputs(out) == expected(rows, tmp_path)
    found = ledger(out)
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    sums = {row["name"]: row["sha256"] for row in found}
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in outputs(out).items()}
    assert not list(out.rglob(".new-*"))
