"""What is to be done, a row a photo: from a parquet, CSV or JSONL file, or from folders."""

import csv
import io
import json
import logging
import os
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from cnnlg_tf.bulk.folders import folder_rows
from cnnlg_tf.bulk.names import examples, faults, output_names, overwritten
from cnnlg_tf.bulk.storage import folder_of, is_url, read_bytes, resolved
from cnnlg_tf.errors import ConfigError, DataError
from cnnlg_tf.photos import Format

COLUMNS = ("id", "photo", "mask", "reference")
SUFFIXES = (".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
PLAN = pa.schema(
    [
        ("id", pa.string()),
        ("name", pa.string()),
        ("photo", pa.string()),
        ("mask", pa.string()),
        ("reference", pa.list_(pa.string())),
        ("error", pa.string()),
    ]
)
"""A plan: places are URLs or absolute paths; a row with an error cannot be done, and says why."""

logger = logging.getLogger("cnnlg_tf")


def read_plan(
    source: str,
    out: str,
    *,
    mask: str | None = None,
    mask_suffix: str = "",
    recursive: bool = False,
    form: Format | None = None,
    folded: bool = False,
) -> pa.Table:
    """Read and check what is to be done.

    Args:
        source: a manifest whose name ends in one of SUFFIXES, or a folder of photos; a path or URL.
            A manifest's columns are `id`, `photo` and, as wanted, `mask` (without one, or where it is
            empty, the damage is looked for) and `reference`; relative paths are seen from its folder.
        out: the outputs' folder, absolute.
        mask, mask_suffix, recursive: of a folder, as `plan_jobs` takes them.
        form: the outputs' format; None: by the photos' names.
        folded: upper and lower case are the same to the outputs' file system.

    Returns:
        A table of the schema PLAN.

    Raises:
        DataError: one line for each kind of fault in it.
        ConfigError: masks are named beside a manifest.
    """
    place = resolved(source, os.getcwd())
    if place.lower().endswith(SUFFIXES):
        if mask is not None or mask_suffix or recursive:
            raise ConfigError(
                "a manifest names its masks: mask, mask_suffix and recursive are for folders. "
                f"Received: {source} and one of them"
            )
        rows = _manifest_rows(place, source)
    else:
        rows = folder_rows(place, out, mask, mask_suffix, recursive=recursive)
    return _checked(rows, source, out, form, folded)


def _checked(rows: pa.Table, source: str, out: str, form: Format | None, folded: bool) -> pa.Table:
    if not rows.num_rows:
        raise DataError(f"{source} must name photos. Received: none")
    ids = rows["id"].combine_chunks()
    found = []
    empty = pc.fill_null(pc.equal(rows["photo"], ""), True)
    if pc.any(empty).as_py():
        named = [str(each) for each in pc.filter(rows["id"], empty).to_pylist()]
        found.append(f"each row needs a photo. Received: none for {examples(named)}")
    photos = [photo or "" for photo in rows["photo"].to_pylist()]
    names = output_names([each or "" for each in ids.to_pylist()], photos, form)
    found += faults(ids, names, folded=folded)
    if not found:
        references = rows["reference"].combine_chunks().flatten().to_pylist()
        inputs = [*photos, *rows["mask"].drop_null().to_pylist(), *references]
        if lost := overwritten(inputs, names, out):
            found.append(f"no output may replace an input. Received: {examples(lost)}")
    if found:
        raise DataError(
            "\n".join([_headline(source, len(found)), *(f"  {line}" for line in found)])
        )
    plan = rows.append_column("name", pa.array(names, pa.string()))
    return plan.select(PLAN.names).cast(PLAN)


def _headline(source: str, count: int) -> str:
    kinds = "one kind" if count == 1 else f"{count} kinds"
    return f"{source} has {kinds} of faults; nothing was done"


def _manifest_rows(place: str, source: str) -> pa.Table:
    try:
        columns, others = _read_columns(place, source)
    except (pa.ArrowException, csv.Error, UnicodeDecodeError, EOFError, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"manifest {source} cannot be read: {reason}") from error
    missing = [name for name in ("id", "photo") if name not in columns]
    if missing:
        raise DataError(
            f"manifest {source} needs the columns id and photo, and may have mask and reference. "
            f"Received: {', '.join([*columns, *others]) or 'no columns'}"
        )
    if others:
        logger.warning("manifest %s: not used: %s", source, ", ".join(others))
    base = folder_of(place)
    count = len(columns["id"])

    def placed(value: str | None) -> str | None:
        return resolved(value, base) if value else None

    texts = {name: columns.get(name, pa.nulls(count, pa.string())).to_pylist() for name in COLUMNS}
    references = [_listed(value) for value in texts["reference"]]
    return pa.table(
        {
            "id": pa.array(texts["id"], pa.string()),
            "photo": pa.array([placed(value) for value in texts["photo"]], pa.string()),
            "mask": pa.array([placed(value) for value in texts["mask"]], pa.string()),
            "reference": pa.array(
                [[resolved(each, base) for each in value] for value in references],
                pa.list_(pa.string()),
            ),
            "error": pa.nulls(count, pa.string()),
        }
    )


def _listed(value: str | list[str] | None) -> list[str]:
    if not value:
        return []
    return [value] if isinstance(value, str) else [each for each in value if each]


def _read_columns(place: str, source: str) -> tuple[dict[str, Any], list[str]]:
    """The columns that are used, as arrays of text or of lists of text, and the names of the others."""
    lower = place.lower()
    if lower.endswith(".parquet") and not is_url(place) and os.path.isdir(place):
        table = pq.read_table(place)  # a folder of parts, as Spark and Ray write them
        return _of_table(table, source)
    data = read_bytes(place, "manifest", DataError)
    if lower.endswith(".parquet"):
        return _of_table(pq.read_table(io.BytesIO(data)), source)
    if lower.endswith(".gz"):
        import gzip

        data = gzip.decompress(data)
    return _of_csv(data, source) if ".csv" in lower[-7:] else _of_lines(data, source)


def _of_table(table: pa.Table, source: str) -> tuple[dict[str, Any], list[str]]:
    columns = {}
    for name in COLUMNS:
        if name not in table.column_names:
            continue
        column, kind = table[name].combine_chunks(), table[name].type
        if pa.types.is_dictionary(kind):
            column, kind = column.dictionary_decode(), kind.value_type
        lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        if name == "reference" and lists and _is_text(kind.value_type):
            columns[name] = column
        elif _is_text(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind):
            columns[name] = column.cast(pa.string())
        else:
            raise DataError(f"manifest {source}: column {name} must hold text. Received: {kind}")
    return columns, [name for name in table.column_names if name not in COLUMNS]


def _is_text(kind: Any) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _of_csv(data: bytes, source: str) -> tuple[dict[str, Any], list[str]]:
    """Everything is text: an id 001 is none that is called 1, and NA is an id."""
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    header = next(csv.reader(lines), [])
    twice = [name for name in COLUMNS if header.count(name) > 1]
    if twice:
        raise DataError(
            f"manifest {source}: a column must be there once. Received: {twice[0]} twice"
        )
    used = [name for name in COLUMNS if name in header]
    others = [name for name in header if name not in COLUMNS]
    if not used:
        return {}, others
    table = pyarrow.csv.read_csv(
        io.BytesIO(data),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=used,
            column_types={name: pa.string() for name in used},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    return {name: table[name].combine_chunks() for name in used}, others


def _of_lines(data: bytes, source: str) -> tuple[dict[str, Any], list[str]]:
    """A JSON object a line; numbers that are ids become text as they are written."""
    values: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    seen: dict[str, None] = {}
    for number, line in enumerate(data.decode("utf-8-sig").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"manifest {source}: line {number} is no JSON: {error}") from error
        if not isinstance(row, dict):
            kind = type(row).__name__
            raise DataError(f"manifest {source}: line {number} must be an object. Received: {kind}")
        seen |= dict.fromkeys(row)
        for name in COLUMNS:
            values[name].append(_text(row.get(name), name, number, source))
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        if name == "reference" and name in seen:
            lists = [_listed(value) for value in values[name]]
            columns[name] = pa.array(lists, pa.list_(pa.string()))
        elif name in seen:
            columns[name] = pa.array(values[name], pa.string())
    return columns, [name for name in seen if name not in COLUMNS]


def _text(value: Any, name: str, number: int, source: str) -> Any:
    if value is None or isinstance(value, str):
        return value
    if name == "id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    several: Sequence[Any] = value if isinstance(value, list) else [None]
    if name == "reference" and all(isinstance(each, str) for each in several):
        return value
    raise DataError(
        f"manifest {source}: line {number}: {name} must be text. Received: {json.dumps(value)[:80]}"
    )
