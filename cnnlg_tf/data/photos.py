"""Photos of a folder, as training and measures read them: 8-bit RGB."""

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from cnnlg_tf.data.source import CachedSource, Pixels
from cnnlg_tf.errors import DataError
from cnnlg_tf.photos import READABLE_SUFFIXES, is_photo_name, read_photo


class PhotoFolder(CachedSource):
    """All photos under `root`, at any depth, in the order of their names.

    Args:
        root: the folder.
        cache_megabytes: how much of decoded photos is kept in memory.
        exclude: glob patterns of file names to leave out, such as photos kept for demonstrations.

    Raises:
        DataError: `root` is no folder or holds no photo.
    """

    def __init__(
        self, root: str | Path, cache_megabytes: int = 2048, exclude: Sequence[str] = ()
    ) -> None:
        super().__init__(f"photo folder {root}", cache_megabytes)
        self.root = Path(root)
        self.paths = list_photos(self.root, exclude)

    def __len__(self) -> int:
        return len(self.paths)

    def _name(self, index: int) -> str:
        return str(self.paths[index])

    def _decode(self, index: int) -> Pixels:
        return read_photo(self.paths[index]).on_white()


def list_photos(root: Path, exclude: Sequence[str] = ()) -> list[Path]:
    """Photos under `root`, sorted by their path below it; hidden files and names like `exclude` are left out.

    Raises:
        DataError: `root` is no folder or holds no photo.
    """
    if not root.is_dir():
        raise DataError(f"data root must be a folder of photos. Received: {root}")
    found = [
        path
        for path in root.rglob("*")
        if is_photo_name(path)
        and path.is_file()
        and not any(fnmatch(path.name, pattern) for pattern in exclude)
    ]
    if not found:
        known = ", ".join(sorted(READABLE_SUFFIXES))
        raise DataError(f"data root {root} holds no photo ({known})")
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())
