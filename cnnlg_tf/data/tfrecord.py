"""Photos in sharded TFRecord files, for disks on which few large files read faster than many small.

Each record is a tf.train.Example with `image/encoded` (a JPEG or PNG file's own bytes; PNG for
other formats), `image/height` and `image/width` (upright, in pixels) and `image/filename` (relative
to the packed folder).
"""

import logging
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnlg_tf.data.crc32c import masked_crc32c
from cnnlg_tf.data.photos import list_photos
from cnnlg_tf.data.source import CachedSource, Pixels
from cnnlg_tf.errors import DataError, ImageError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.photos import Photo, decode_photo, encode_photo

_log = logging.getLogger(__name__)

_HEADER = struct.Struct(
    "<QI"
)  # A record: its length, the length's checksum, the data, its checksum.
_FOOTER = struct.Struct("<I")
_KEPT_ENDINGS = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class PackReport:
    """What `pack_photos` wrote: shards, how many photos they hold, and the unreadable ones."""

    shards: list[Path]
    photos: int
    skipped: list[Path]


@dataclass(frozen=True)
class _Record:
    shard: Path
    number: int
    offset: int  # Of the data, in bytes.
    length: int


class TFRecordFolder(CachedSource):
    """The photos of all `*.tfrecord` files in a folder, with random access.

    The records' framing is scanned once, here; a record is read, checked and decoded when asked
    for. Where a shard's framing is damaged, its records from there on are lost, and `skipped` names
    the shard.

    Raises:
        DataError: `root` is no folder, or holds no TFRecord file or no record.
    """

    def __init__(self, root: str | Path, cache_megabytes: int = 2048) -> None:
        super().__init__(f"TFRecord folder {root}", cache_megabytes)
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError(f"data root must be a folder of TFRecord files. Received: {self.root}")
        shards = sorted(self.root.glob("*.tfrecord"))
        if not shards:
            raise DataError(f"data root {self.root} holds no .tfrecord file")
        self._records: list[_Record] = []
        for shard in shards:
            self._scan(shard)
        if not self._records:
            raise DataError(
                f"data root {self.root}: its {len(shards)} .tfrecord files hold no record"
            )

    def __len__(self) -> int:
        return len(self._records)

    def _name(self, index: int) -> str:
        record = self._records[index]
        return f"{record.shard}#{record.number}"

    def _scan(self, shard: Path) -> None:
        size = shard.stat().st_size
        with shard.open("rb") as file:
            offset = number = 0
            while offset < size:
                header = file.read(_HEADER.size)
                problem = _framing_problem(header, size - offset)
                if problem:
                    self.skipped.append(str(shard))
                    _log.warning("skipped %s from record %d on: %s", shard, number, problem)
                    return
                length = _HEADER.unpack(header)[0]
                self._records.append(_Record(shard, number, offset + _HEADER.size, length))
                offset += _HEADER.size + length + _FOOTER.size
                number += 1
                file.seek(offset)

    def _decode(self, index: int) -> Pixels:
        name, record = self._name(index), self._records[index]
        try:
            with record.shard.open("rb") as file:
                file.seek(record.offset)
                data, footer = file.read(record.length), file.read(_FOOTER.size)
        except OSError as error:
            raise ImageError(f"record {name} cannot be read: {error}") from error
        if len(footer) < _FOOTER.size or _FOOTER.unpack(footer)[0] != masked_crc32c(data):
            raise ImageError(f"record {name} does not match its checksum")
        return decode_photo(_encoded_image(data, name), name).on_white()


def pack_photos(photos: str | Path, folder: str | Path, shards: int = 1) -> PackReport:
    """Write the photos under `photos`, in the order of their names, to `shards` files in `folder`.

    Each shard appears whole or not at all. Unreadable photos are left out and reported.

    Raises:
        DataError: there is no readable photo, `shards` is not between 1 and the number of photos,
            or `folder` already holds TFRecord files or cannot be written.
    """
    import tensorflow as tf

    root, folder = Path(photos), Path(folder)
    paths = list_photos(root)
    if not 1 <= shards <= len(paths):
        raise DataError(f"shards must be between 1 and the {len(paths)} photos. Received: {shards}")
    if any(folder.glob("*.tfrecord")):
        raise DataError(f"folder {folder} must hold no .tfrecord files yet; remove them first")
    written: list[Path] = []
    skipped: list[Path] = []
    for number, part in enumerate(np.array_split(np.arange(len(paths)), shards)):
        shard = folder / f"photos-{number:05d}-of-{shards:05d}.tfrecord"
        try:
            skipped += _write_shard(shard, root, [paths[i] for i in part])
        except (OSError, tf.errors.OpError) as error:  # its writer tells a full disk its own way
            raise DataError(f"folder {folder} cannot be written: {error}") from error
        written.append(shard)
    if len(skipped) == len(paths):
        for shard in written:
            shard.unlink()
        raise DataError(f"data root {root}: none of its {len(paths)} photos can be read")
    return PackReport(written, len(paths) - len(skipped), skipped)


def _write_shard(shard: Path, root: Path, paths: list[Path]) -> list[Path]:
    """Write one shard; returns the photos left out."""
    import tensorflow as tf

    skipped = []
    with atomic_path(shard) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for path in paths:
            try:
                data = _example(path, path.relative_to(root).as_posix())
            except ImageError as error:
                skipped.append(path)
                _log.warning("skipped: %s", error)
                continue
            writer.write(data)
    return skipped


def _example(path: Path, filename: str) -> bytes:
    """A serialised tf.train.Example. Raises ImageError when the photo cannot be read."""
    import tensorflow as tf

    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise ImageError(f"photo {path} cannot be read: {error}") from error
    pixels = decode_photo(encoded, str(path)).on_white()
    if path.suffix.lower() not in _KEPT_ENDINGS:
        encoded = encode_photo(Photo(pixels), "PNG", name=str(path))
    feature = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded])),
        "image/filename": tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[filename.encode("utf-8")])
        ),
        "image/height": tf.train.Feature(int64_list=tf.train.Int64List(value=[pixels.shape[0]])),
        "image/width": tf.train.Feature(int64_list=tf.train.Int64List(value=[pixels.shape[1]])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return bytes(example.SerializeToString(deterministic=True))


def _encoded_image(data: bytes, name: str) -> bytes:
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        features = tf.train.Example.FromString(data).features.feature
    except DecodeError as error:
        raise ImageError(f"record {name} is no tf.train.Example: {error}") from error
    if "image/encoded" not in features or not features["image/encoded"].bytes_list.value:
        raise ImageError(f"record {name} has no feature image/encoded")
    return bytes(features["image/encoded"].bytes_list.value[0])


def _framing_problem(header: bytes, left: int) -> str:
    """Why no record can start with `header`, `left` bytes before the file's end; "" if one can."""
    if len(header) < _HEADER.size:
        return "the file ends inside a record's header"
    length, checksum = _HEADER.unpack(header)
    if checksum != masked_crc32c(header[:8]):
        return "a record's length does not match its checksum"
    if length + _HEADER.size + _FOOTER.size > left:
        return "the file ends inside a record"
    return ""
