"""Photos and masks in folders, matched by name."""

import logging
import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cnnlg_tf.errors import ImageError, MaskError
from cnnlg_tf.photos import is_photo_name

STANDARD = Path("-")  # standard input as a photo or mask, standard output as an output
SIDECARS = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
"""What systems put beside photos, in lower case; and all that is hidden."""

logger = logging.getLogger("cnnlg_tf")


class Found(NamedTuple):
    """A photo's file, and the folder that it lies in, seen from the folder that was asked for."""

    file: Path
    inside: Path = Path()


def find_photos(
    photos: Sequence[str | Path], masks: "Masks | None", output: Path | None, *, recursive: bool
) -> list[Found]:
    """The files that are meant; those of folders in the order of their names.

    Folders of masks or outputs inside a folder of photos are not looked into.

    Raises:
        ImageError: a folder holds no photo.
    """
    found = []
    for photo in map(Path, photos):
        if photo == STANDARD or not os.path.isdir(photo):
            found.append(Found(photo))
            continue
        others = [] if output is None else [output]
        if masks is not None and masks.folder is not None:
            others.append(masks.folder)
        inner = list(_photos_of(photo, masks, others, recursive))
        if not inner:
            raise ImageError(f"folder {photo} must hold photos. Received: none that can be read")
        found += inner
    return found


class Masks:
    """Finds each photo's mask.

    Args:
        source: a file for all, a folder, "-", or None for masks beside the photos.
        suffix: what a mask's name has more than its photo's.

    Raises:
        MaskError: there is no such file or folder, or a suffix was given with a file.
    """

    def __init__(self, source: str | Path | None, suffix: str) -> None:
        self._source = None if source is None else Path(source)
        self._suffix = unicodedata.normalize("NFC", suffix)
        self._known: dict[Path, dict[str, list[Path]]] = {}
        self.folder = (
            self._source if self._source is not None and os.path.isdir(self._source) else None
        )
        if self._source is None or self.folder is not None:
            return
        if self._source != STANDARD and not os.path.exists(self._source):
            raise MaskError(f"mask {self._source} does not exist")
        if suffix:
            raise MaskError(
                "a suffix of masks needs a folder of masks, or none. "
                f"Received: {suffix!r} and the file {self._source}"
            )

    def of(self, photo: Found) -> Path:
        """A photo's mask; raises MaskError when it has none, or more than one."""
        if self._source is not None and self.folder is None:
            return self._source
        folder = photo.file.parent if self.folder is None else self.folder / photo.inside
        found = self._in(folder).get(_key(photo.file) + self._suffix, [])
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            raise MaskError(
                f"photo {photo.file} needs one mask named {photo.file.stem}{self._suffix}.* in "
                f"{folder}. Received: {names}"
            )
        return found[0]

    def has(self, file: Path) -> bool:
        """Whether a file in a folder of photos is a mask, by its name."""
        beside = self.folder is None or _same(self.folder, file.parent)
        return bool(self._suffix) and beside and _key(file).endswith(self._suffix)

    def _in(self, folder: Path) -> dict[str, list[Path]]:
        if folder not in self._known:
            names: dict[str, list[Path]] = {}
            for file in sorted(folder.iterdir()) if os.path.isdir(folder) else []:
                if is_photo_name(file):
                    names.setdefault(_key(file), []).append(file)
            self._known[folder] = names
        return self._known[folder]


def _photos_of(
    root: Path, masks: Masks | None, others: list[Path], recursive: bool
) -> Iterator[Found]:
    for folder, inner, names in os.walk(root):
        here = Path(folder)
        inner[:] = sorted(
            name
            for name in inner
            if not name.startswith(".") and not any(_same(here / name, other) for other in others)
        )
        if inner and not recursive:
            logger.warning("%s: folders inside are left out; --recursive takes them", root)
            inner.clear()
        for name in sorted(names):
            file = here / name
            if is_photo_name(file):
                if masks is None or not masks.has(file):
                    yield Found(file, here.relative_to(root))
            elif not (name.startswith(".") or name.lower() in SIDECARS):
                logger.warning(
                    "%s is left out: its name is that of no photo that can be read", file
                )


def _key(file: Path) -> str:
    """The name without suffix, its accents composed: macOS takes them apart, others do not."""
    return unicodedata.normalize("NFC", file.stem)


def _same(one: Path, other: Path) -> bool:
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)
