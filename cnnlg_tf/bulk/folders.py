"""The rows of a folder of photos, here or behind a URL: an id is the photo's path in it."""

import os
import unicodedata
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from cnnlg_tf.bulk.storage import is_url, opened, resolved
from cnnlg_tf.errors import CnnlgError, DataError, ImageError, MaskError
from cnnlg_tf.inference.files import Masks, find_photos
from cnnlg_tf.photos import is_photo_name

Row = tuple[str, str, str | None, str | None]  # id, photo, mask, error


def folder_rows(
    place: str, out: str, mask: str | None, mask_suffix: str, *, recursive: bool
) -> pa.Table:
    """The photos of a folder with their masks, matched as `plan_jobs` matches them.

    Args:
        place: the folder, absolute.
        out: the outputs' folder, which is not looked into.
        mask: a file for all or a folder; None: masks beside the photos if there is a suffix, else none.

    Raises:
        DataError: there is no such folder or manifest, or it holds no photo.
        MaskError: there is no such mask at all.
    """
    rows = (_of_url if is_url(place) else _of_path)(place, out, mask, mask_suffix, recursive)
    ids, photos, masks, errors = zip(*rows, strict=True)
    return pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "photo": pa.array(photos, pa.string()),
            "mask": pa.array(masks, pa.string()),
            "reference": pa.array([[]] * len(rows), pa.list_(pa.string())),
            "error": pa.array(errors, pa.string()),
        }
    )


def _of_path(place: str, out: str, mask: str | None, suffix: str, recursive: bool) -> list[Row]:
    if not os.path.isdir(place):
        raise DataError(
            "photos must be a folder, or a manifest: a .parquet, .csv or .jsonl file. "
            f"Received: {place}, which {'is neither' if os.path.exists(place) else 'does not exist'}"
        )
    source = None if mask is None else resolved(mask, os.getcwd())
    masks = Masks(source, suffix) if source is not None or suffix else None
    target = None if is_url(out) else Path(out)
    try:
        found = find_photos([place], masks, target, recursive=recursive)
    except ImageError as error:
        raise DataError(str(error)) from error
    rows: list[Row] = []
    for each in found:
        name = (each.inside / each.file.name).as_posix()
        try:
            own = None if masks is None else str(masks.of(each))
            rows.append((name, str(each.file), own, None))
        except CnnlgError as error:
            rows.append((name, str(each.file), None, str(error)))
    return rows


def _of_url(place: str, out: str, mask: str | None, suffix: str, recursive: bool) -> list[Row]:
    photos = _listing(place, recursive)
    beside = mask is None
    holder = place if beside else resolved(str(mask), os.getcwd())
    one = not beside and is_photo_name(Path(holder))
    masks: dict[str, list[str]] = {}
    if (suffix or not beside) and not one:
        listed = photos if beside else _listing(holder, recursive)
        for name in listed:
            masks.setdefault(_key(name), []).append(name)
    rows: list[Row] = []
    suffix = unicodedata.normalize("NFC", suffix)
    inside = f"{out.rstrip('/')}/"
    for name in photos:
        photo = f"{place.rstrip('/')}/{name}"
        if photo.startswith(inside) or (beside and suffix and _key(name).endswith(suffix)):
            continue
        if one or not (suffix or mask):
            rows.append((name, photo, holder if one else None, None))
            continue
        found = masks.get(_key(name) + suffix, [])
        if len(found) == 1:
            rows.append((name, photo, f"{holder.rstrip('/')}/{found[0]}", None))
        else:
            wanted = f"photo {photo} needs one mask named {_key(name)}{suffix}.* in {holder}"
            rows.append((name, photo, None, f"{wanted}. Received: {', '.join(found) or 'none'}"))
    if not rows:
        raise DataError(f"folder {place} must hold photos. Received: none that can be read")
    return rows


def _listing(place: str, recursive: bool) -> list[str]:
    """The photos' names in a folder, `/` between folders, nothing that is hidden."""
    system, root = (
        opened(place) if is_url(place) else (_local(), os.path.abspath(place).replace(os.sep, "/"))
    )
    try:
        found = system.find(root, maxdepth=None if recursive else 1)
    except Exception as error:  # each protocol has errors of its own
        raise MaskError(f"folder {place} cannot be listed: {error}") from error
    names = [each[len(root.rstrip("/")) + 1 :] for each in found]
    return sorted(
        name
        for name in names
        if is_photo_name(Path(name)) and not any(p.startswith(".") for p in name.split("/"))
    )


def _local() -> Any:
    return opened("file:///")[0]


def _key(name: str) -> str:
    """A name without its suffix, accents composed."""
    return unicodedata.normalize("NFC", str(PurePosixPath(name).with_suffix("")))
