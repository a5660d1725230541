"""The photo or folder that the page was started with: what it lists, and the only place it reads and writes."""

import threading
from collections import OrderedDict
from pathlib import Path

from cnnlg_tf.errors import ImageError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.photos import is_photo_name
from cnnlg_tf.ui.limits import RequestError

MASK_SUFFIX = "_mask"  # photo.jpg's mask is photo_mask.png, as for `cnnlg-tf inpaint --mask-suffix`
MASK_FILES = (".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jpg", ".jpeg")
RESULT_SUFFIX = "_repaired"
RESULT_FOLDER = "repaired"
KEPT_THUMBNAILS = 2000


class Library:
    """The photos of one folder, or a single photo.

    Args:
        target: a photo, a folder, or None: then there is nothing to list, read or write.

    Raises:
        ImageError: the target does not exist.
    """

    def __init__(self, target: Path | None) -> None:
        self.single: Path | None = None
        self.root: Path | None = None
        if target is not None:
            if not target.exists():
                raise ImageError(f"a photo or folder to open must exist. Received: {target}")
            resolved = target.resolve()
            self.root = resolved if resolved.is_dir() else resolved.parent
            self.single = None if resolved.is_dir() else resolved
        self._thumbnails: OrderedDict[tuple[Path, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def is_folder(self) -> bool:
        """Whether there is a folder to page through."""
        return self.root is not None and self.single is None

    def names(self) -> list[str]:
        """File names of the photos, sorted; masks, results and links that lead elsewhere left out."""
        if self.root is None:
            return []
        if self.single is not None:
            return [self.single.name]
        stems = {path.stem for path in self.root.iterdir()}
        names = []
        for path in sorted(self.root.iterdir(), key=lambda path: path.name.casefold()):
            is_mask = (
                path.stem.endswith(MASK_SUFFIX) and path.stem.removesuffix(MASK_SUFFIX) in stems
            )
            if is_photo_name(path) and not is_mask and self._is_inside(path):
                names.append(path.name)
        return names

    def path(self, name: str) -> Path:
        """A listed photo's path; raises RequestError (404) for any other name."""
        path = None if self.root is None or Path(name).name != name else self.root / name
        is_photo = path is not None and is_photo_name(path)
        if (
            path is None
            or not is_photo
            or self.single not in (None, path)
            or not self._is_inside(path)
        ):
            raise RequestError(f"the opened folder has no photo {name!r}", 404)
        return path

    def mask_path(self, photo: Path) -> Path | None:
        """The mask file beside a photo, if there is one."""
        for suffix in MASK_FILES:
            path = photo.with_name(f"{photo.stem}{MASK_SUFFIX}{suffix}")
            if path.exists() and self._is_inside(path):
                return path
        return None

    def write_beside(self, source: Path, suffix: str, data: bytes) -> Path:
        """Write PHOTO_repaired.SUFFIX next to a photo; an existing file is never replaced."""
        if self.root is None or source.parent.resolve() != self.root:
            raise RequestError("the photo must lie in the opened folder to save beside it", 409)
        for number in range(1, 1000):
            tail = "" if number == 1 else f"-{number}"
            path = source.with_name(f"{source.stem}{RESULT_SUFFIX}{tail}{suffix}")
            if not path.exists() and not path.is_symlink():
                _write(path, data)
                return path
        raise RequestError(f"too many results of {source.name} lie there already", 409)

    def write_result(self, name: str, data: bytes) -> Path:
        """Write a file of a run over the folder into its subfolder; an older result is replaced."""
        if self.root is None or Path(name).name != name:
            raise RequestError(
                f"a result must be a file name in the opened folder. Received: {name!r}"
            )
        folder = self.root / RESULT_FOLDER
        if folder.resolve() != folder or (folder.exists() and not folder.is_dir()):
            raise RequestError(f"{folder} must be a folder, and no link", 409)
        _write(folder / name, data)
        return folder / name

    def thumbnail(self, path: Path) -> bytes | None:
        """A thumbnail that was kept of the file as it is now."""
        with self._lock:
            return self._thumbnails.get((path, path.stat().st_mtime_ns))

    def keep_thumbnail(self, path: Path, data: bytes) -> None:
        """Remember a thumbnail."""
        with self._lock:
            self._thumbnails[path, path.stat().st_mtime_ns] = data
            while len(self._thumbnails) > KEPT_THUMBNAILS:
                self._thumbnails.popitem(last=False)

    def _is_inside(self, path: Path) -> bool:
        """Whether a name in the folder is a file that truly lies in it, links followed."""
        return path.is_file() and path.resolve().parent == self.root


def _write(path: Path, data: bytes) -> None:
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise ImageError(f"output {path} cannot be written: {error.strerror or error}") from error
