"""Photos of a folder, and the decoding that every source of encoded images shares."""

import io
import warnings
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cnnlg_tf.data.source import CachedSource, Pixels
from cnnlg_tf.errors import DataError, ImageError

PHOTO_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


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
        path = self.paths[index]
        try:
            encoded = path.read_bytes()
        except OSError as error:
            raise ImageError(f"photo {path} cannot be read: {error}") from error
        return decode_photo(encoded, str(path))


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
        if path.suffix.lower() in PHOTO_ENDINGS
        and not path.name.startswith(".")
        and path.is_file()
        and not any(fnmatch(path.name, pattern) for pattern in exclude)
    ]
    if not found:
        raise DataError(f"data root {root} holds no photo (jpg, jpeg, png, webp, bmp, tif)")
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def decode_photo(encoded: bytes, name: str) -> Pixels:
    """Decode to uint8 RGB [height, width, 3], upright by EXIF, over white where transparent.

    Raises:
        ImageError: the bytes are no image, are truncated, or exceed Pillow's size limit.
    """
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(encoded)) as image:
            warnings.simplefilter(
                "ignore"
            )  # Odd metadata and large sizes are no reason to complain.
            image.load()
            return np.array(_to_rgb(ImageOps.exif_transpose(image)))
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = "it is empty" if not encoded else error
        raise ImageError(f"photo {name} cannot be decoded: {reason}") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255.
        grey = np.asarray(image).astype(np.int64).clip(0, 65535) // 257
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")
