"""What became of each photo: one row an id, gathered from the parts that workers' blocks leave."""

import io
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cnnlg_tf.bulk.storage import Folder
from cnnlg_tf.errors import CnnlgError

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("name", pa.string()),  # of the output, in the outputs' folder
        ("status", pa.string()),  # ok or error
        ("error", pa.string()),
        ("note", pa.string()),  # what a file could not hold, say
        ("seconds", pa.float64()),
        ("bytes", pa.int64()),  # of the output
        ("sha256", pa.string()),
        (
            "found",
            pa.float64(),
        ),  # the share of the photo that was found damaged, where that was looked for
        ("finished", pa.timestamp("ms", "UTC")),
    ]
)
LEDGER = "ledger.parquet"
STATE = ".bulk"
PARTS = f"{STATE}/ledger"
CHECKPOINT = f"{STATE}/checkpoint"


def as_rows(results: Iterable[dict[str, Any]]) -> pa.Table:
    """A table of results, which have the schema's names."""
    return pa.Table.from_pylist(list(results), SCHEMA)


def gathered(folder: Folder) -> pa.Table:
    """One row for each id that any part has: a success before a failure, a later one before an earlier.

    A part that was being written when its process ended is passed over; Ray Data deletes it.
    """
    tables = [SCHEMA.empty_table()]
    for name in folder.names(PARTS, ".parquet"):
        data = folder.read(name)
        try:
            tables.append(pq.read_table(io.BytesIO(data or b"")).select(SCHEMA.names).cast(SCHEMA))
        except pa.ArrowException:
            continue
    rows = pa.concat_tables(tables).combine_chunks()
    rows = rows.sort_by([("id", "ascending"), ("status", "descending"), ("finished", "descending")])
    ids = rows["id"].combine_chunks()
    if len(ids) < 2:
        return rows
    first = pa.concat_arrays([pa.array([True]), pc.not_equal(ids[1:], ids[:-1])])
    return rows.filter(first)


def in_order(rows: pa.Table, plan: pa.Table) -> pa.Table:
    """The rows of a plan's ids, in the plan's order."""
    where = pc.index_in(plan["id"].combine_chunks(), rows["id"].combine_chunks())
    return rows.take(where.drop_null())


def write_ledger(folder: Folder, rows: pa.Table) -> None:
    """Write the ledger, whole or not at all."""
    folder.write(LEDGER, as_parquet(rows))


def as_parquet(rows: pa.Table) -> bytes:
    """A parquet file of a table."""
    buffer = io.BytesIO()
    pq.write_table(rows, buffer)
    return buffer.getvalue()


def forget(folder: Folder, ids: pa.Array) -> None:
    """Take ids out of Ray Data's checkpoint: the next run does them again.

    Raises:
        CnnlgError: a file of the checkpoint cannot be read.
    """
    for name in folder.names(CHECKPOINT, ".parquet"):
        if name.endswith(".pending.parquet"):
            continue
        try:
            done = pq.read_table(io.BytesIO(folder.read(name) or b""))
        except pa.ArrowException as error:
            raise CnnlgError(f"checkpoint {name} in {folder.place} is damaged: {error}") from error
        kept = done.filter(pc.invert(pc.is_in(done["id"], ids)))
        if not kept.num_rows:
            folder.delete(name)
        elif kept.num_rows < done.num_rows:
            folder.write(name, as_parquet(kept))
