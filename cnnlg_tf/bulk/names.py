"""What outputs are called: functions of the id, checked before any work."""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cnnlg_tf.bulk.storage import is_url
from cnnlg_tf.inference.inpainter import LONGEST_NAME
from cnnlg_tf.photos import WRITABLE, Format

_UNSAFE = r"[\x00-\x1f\x7f\\]|^/|/$|//|(^|/)\."
"""Control characters, backslashes, empty parts, and parts that begin with a dot: hidden ones, and `..`."""
_SHOWN = 3  # examples in a message


def output_names(ids: Sequence[str], photos: Sequence[str], form: Format | None) -> list[str]:
    """The outputs' names, folders in them parted by `/`: the id and its format's suffix.

    An id that ends in a suffix of the format is the name as it is. Without `form` the format is that of
    the photo's name, and PNG where that cannot be written.
    """
    own = {suffix: _suffixes(kind) for suffix, kind in WRITABLE.items()}
    fixed = None if form is None else _suffixes(form)
    png = _suffixes("PNG")
    names = []
    for each, photo in zip(ids, photos, strict=True):
        if photo.startswith(("http://", "https://")):
            photo = photo.partition("?")[0]  # a signature, say
        wanted = fixed or own.get(os.path.splitext(photo)[1].lower(), png)
        names.append(each if each.lower().endswith(wanted) else each + wanted[0])
    return names


def _suffixes(form: Format) -> tuple[str, ...]:
    return tuple(suffix for suffix, kind in WRITABLE.items() if kind == form)


def faults(ids: Any, names: Sequence[str], *, folded: bool) -> list[str]:
    """One line for each kind of fault in ids and the names that they give.

    Args:
        ids: a pyarrow array of text.
        names: the output of each.
        folded: the outputs' file system takes upper and lower case for the same.
    """
    found = []
    empty = pc.fill_null(pc.equal(ids, ""), True)
    if rows := _rows(empty):
        found.append(f"each row needs an id. Received: {_count(rows)} without, {_first(rows)}")
    given = pc.filter(ids, pc.invert(empty))
    if doubles := _repeated(given):
        found.append(f"ids must differ. Received: {examples(doubles)} more than once")
    unsafe = pc.unique(pc.filter(given, pc.match_substring_regex(given, _UNSAFE))).to_pylist()
    if unsafe:
        wanted = "parts that are not empty, without control characters, \\ or a leading dot"
        found.append(
            f"ids must make safe file names: {wanted}, with / between. Received: {examples(unsafe)}"
        )
    table = pa.table({"id": ids, "name": pa.array(names, pa.string())})
    sound = pc.and_not(pc.invert(empty), pc.is_in(ids, pa.array(unsafe, pa.string())))
    table = table.filter(sound)
    if long := list(_long(table["name"])):
        found.append(
            f"a name in an id must have at most {LONGEST_NAME} bytes with its suffix. "
            f"Received: {examples(long)}"
        )
    once = table.group_by("id", use_threads=False).aggregate([("name", "first")])
    key = pc.utf8_normalize(once["name_first"], form="NFC")
    key = pc.utf8_lower(key) if folded else key
    if shared := _repeated(key):
        same = pc.filter(once["id"], pc.is_in(key, pa.array(shared, pa.string()))).to_pylist()
        found.append(
            f"ids must make different file names{' in any case' if folded else ''}. "
            f"Received: {examples(same)}, which make {examples(shared)}"
        )
    folders = pa.array(sorted(_folders(key)), pa.string())
    if blocked := pc.filter(key, pc.is_in(key, folders)).to_pylist():
        found.append(f"no output may be the folder of another. Received: {examples(blocked)}")
    return found


def overwritten(inputs: Iterable[str], names: Iterable[str], out: str) -> list[str]:
    """Which inputs lie where an output will be written."""
    local = not is_url(out)
    real: Callable[[str], str] = lru_cache(maxsize=None)(os.path.realpath)
    root = f"{real(out) if local else out.rstrip('/')}/"
    outputs = {root + name for name in names}

    def where(place: str) -> str:
        if is_url(place):
            return place
        folder, last = os.path.split(place)
        return f"{real(folder).rstrip('/')}/{last}"

    return sorted({place for place in inputs if where(place) in outputs})


def examples(values: Sequence[str]) -> str:
    """Some of the values, for a message, and how many more there are."""
    shown = ", ".join(
        repr(value if len(value) <= 80 else value[:77] + "...") for value in values[:_SHOWN]
    )
    return shown + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")


def _repeated(values: Any) -> list[str]:
    counts = pc.value_counts(values)
    repeated = pc.filter(counts.field("values"), pc.greater(counts.field("counts"), 1))
    return [str(value) for value in repeated.to_pylist()]


def _rows(selected: Any) -> list[int]:
    """The numbers of the rows that are selected, from 1."""
    return [row + 1 for row in pc.indices_nonzero(selected).to_pylist()]


def _count(rows: list[int]) -> str:
    return "1 row" if len(rows) == 1 else f"{len(rows)} rows"


def _first(rows: list[int]) -> str:
    return f"the first is row {rows[0]}" if len(rows) > 1 else f"row {rows[0]}"


def _long(names: Any) -> Iterable[str]:
    candidates = pc.filter(names, pc.greater(pc.binary_length(names), LONGEST_NAME)).to_pylist()
    for name in candidates:
        if any(len(os.fsencode(part)) > LONGEST_NAME for part in name.split("/")):
            yield name


def _folders(names: Any) -> set[str]:
    """All folders that names lie in, at every depth."""
    inside = pc.filter(names, pc.match_substring(names, "/"))
    direct = pc.unique(pc.replace_substring_regex(inside, "/[^/]*$", "")).to_pylist()
    found: set[str] = set()
    for folder in direct:
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found
