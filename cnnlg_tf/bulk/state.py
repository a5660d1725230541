"""What a run leaves in the outputs' folder, so that the same command goes on after any end of it."""

import dataclasses
import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cnnlg_tf.bulk.ledger import STATE, as_parquet
from cnnlg_tf.bulk.names import examples
from cnnlg_tf.bulk.storage import Folder
from cnnlg_tf.bulk.worker import Repairing
from cnnlg_tf.errors import ConfigError

PLAN_FILE = f"{STATE}/plan.parquet"
_OPTIONS_FILE = f"{STATE}/options.json"


@contextmanager
def only_run(folder: Folder) -> Iterator[None]:
    """Keep a second run out of a folder of this machine.

    Raises:
        ConfigError: another run works in it.
    """
    if folder.local is None or os.name == "nt":
        yield
        return
    import fcntl

    state = folder.local / STATE
    try:
        state.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ConfigError(
            f"the outputs' folder {folder.place} cannot be written: {error.strerror}"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"the outputs' folder {folder.place} must be one run's. Received: another run works in it"
            ) from error
        except OSError:  # a disk without locks
            pass
        yield
    finally:
        os.close(descriptor)


def folds_case(folder: Folder) -> bool:
    """Whether upper and lower case are the same to a folder's file system."""
    return folder.local is not None and (folder.local / STATE.upper()).exists()


def check_same_run(folder: Folder, repairing: Repairing, plan: pa.Table, done: pa.Table) -> None:
    """Raise ConfigError where what is done would not be done alike now.

    Args:
        done: the ledger's rows of what was repaired.
    """
    if not done.num_rows:
        return
    before = folder.read(_OPTIONS_FILE)
    options = _options(repairing)
    if before is not None and (changed := _differences(json.loads(before), options)):
        raise ConfigError(
            f"{folder.place} holds a run with other options: {changed}. Take another folder"
        )
    data = folder.read(PLAN_FILE)
    if data is None:
        return
    old = pq.read_table(io.BytesIO(data))
    where = pc.index_in(done["id"], old["id"].combine_chunks())
    new_where = pc.index_in(done["id"], plan["id"].combine_chunks())
    both = pc.and_(pc.is_valid(where), pc.is_valid(new_where))
    was, now = (
        rows.take(pc.filter(each, both)).select(["id", "name", "photo", "mask", "reference"])
        for rows, each in ((old, where), (plan, new_where))
    )
    if was.equals(now):
        return
    other = [a["id"] for a, b in zip(was.to_pylist(), now.to_pylist(), strict=True) if a != b]
    raise ConfigError(
        f"{folder.place} holds repairs of other photos, masks or references under the same ids: "
        f"{examples(other)}. Take another folder"
    )


def write_run(folder: Folder, repairing: Repairing, plan: pa.Table) -> None:
    """Write down what the run does."""
    folder.write(PLAN_FILE, as_parquet(plan))
    folder.write(_OPTIONS_FILE, json.dumps(_options(repairing), indent=1).encode())


def sweep(folder: Folder) -> None:
    """Delete what killed writers of this machine's files have left half written."""
    if folder.local is None:
        return
    for inside, folders, _ in os.walk(folder.local):
        for name in [each for each in folders if each.startswith(".new-")]:
            shutil.rmtree(Path(inside, name), ignore_errors=True)
            folders.remove(name)


def _options(repairing: Repairing) -> dict[str, Any]:
    values = {f.name: getattr(repairing, f.name) for f in dataclasses.fields(repairing)}
    return values | {"model": None if repairing.model is None else str(repairing.model)}


def _differences(before: dict[str, Any], now: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {before.get(name)}, not {now[name]}"
        for name in now
        if before.get(name) != now[name]
    )
