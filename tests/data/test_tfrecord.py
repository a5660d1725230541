from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image

from cnnlg_tf.cli import main
from cnnlg_tf.data.photos import PhotoFolder
from cnnlg_tf.data.tfrecord import TFRecordFolder, pack_photos
from cnnlg_tf.errors import DataError


@pytest.fixture
def photos(photo_folder: Callable[..., Path]) -> Path:
    """Five PNGs, a WebP and a truncated JPEG."""
    root = photo_folder(count=5)
    Image.open(root / "001.png").save(root / "005.webp")
    Image.open(root / "002.png").save(root / "006.jpg")
    whole = (root / "006.jpg").read_bytes()
    (root / "006.jpg").write_bytes(whole[: len(whole) // 2])
    return root


def test_packed_photos_equal_the_folder(photos: Path, tmp_path: Path) -> None:
    report = pack_photos(photos, tmp_path / "out", shards=3)
    assert report.photos == 6 and report.skipped == [photos / "006.jpg"]
    assert [shard.name for shard in report.shards] == [
        f"photos-{i:05d}-of-00003.tfrecord" for i in range(3)
    ]
    packed, folder = TFRecordFolder(tmp_path / "out"), PhotoFolder(photos)
    assert len(packed) == 6 and packed.skipped == []
    for i in (5, 0, 3, 1, 4, 2):
        assert np.array_equal(packed.get(i), folder.get(i))
    assert packed.get(2) is packed.get(2)


def test_tensorflow_reads_the_files(photos: Path, tmp_path: Path) -> None:
    report = pack_photos(photos, tmp_path / "out", shards=2)
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/height": tf.io.FixedLenFeature([], tf.int64),
        "image/width": tf.io.FixedLenFeature([], tf.int64),
        "image/filename": tf.io.FixedLenFeature([], tf.string),
    }
    names, folder = [], PhotoFolder(photos)
    for data in tf.data.TFRecordDataset([str(shard) for shard in report.shards]):
        example = tf.io.parse_single_example(data, features)
        pixels = tf.io.decode_image(example["image/encoded"]).numpy()
        assert pixels.shape[:2] == (example["image/height"], example["image/width"])
        assert np.array_equal(pixels, folder.get(len(names)))
        names.append(example["image/filename"].numpy().decode())
    assert names == ["000.png", "001.png", "002.png", "003.png", "004.png", "005.webp"]


def test_files_that_tensorflow_wrote_are_read(tmp_path: Path, photo: np.ndarray) -> None:
    encoded = tf.io.encode_png(photo).numpy()
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for value in ([encoded], [], [b"no image"]):
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
            features = tf.train.Features(feature={"image/encoded": feature})
            writer.write(tf.train.Example(features=features).SerializeToString())
        writer.write(b"\xff no example")
    folder = TFRecordFolder(tmp_path)
    for i in range(4):  # The others have no image: the first stands in.
        assert np.array_equal(folder.get(i), photo)
    assert folder.skipped == [f"{tmp_path / 'a.tfrecord'}#{i}" for i in (1, 2, 3)]


def test_a_damaged_record_is_skipped_and_named(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shard = pack_photos(photos, tmp_path / "out").shards[0]
    folder = TFRecordFolder(shard.parent)
    data = bytearray(shard.read_bytes())
    data[folder._records[1].offset + 900] ^= 1
    shard.write_bytes(data)
    assert np.array_equal(folder.get(1), folder.get(2))
    assert folder.skipped == [f"{shard}#1"]
    assert f"record {shard}#1 does not match its checksum" in caplog.text


@pytest.mark.parametrize(
    ("damage", "problem", "left"),
    [
        ("length", "a record's length does not match its checksum", 2),
        ("tail", "the file ends inside a record", 5),
        ("header", "the file ends inside a record's header", 2),
    ],
)
def test_damaged_framing_costs_the_rest_of_its_shard(
    damage: str,
    problem: str,
    left: int,
    photos: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shard = pack_photos(photos, tmp_path / "out").shards[0]
    third = TFRecordFolder(shard.parent)._records[2].offset - 12
    data = bytearray(shard.read_bytes())
    if damage == "length":
        data[third] ^= 1
    shard.write_bytes(
        data[: third + 5] if damage == "header" else data[: -3 if damage == "tail" else None]
    )
    folder = TFRecordFolder(shard.parent)
    assert len(folder) == left and folder.skipped == [str(shard)]
    assert f"from record {left} on: {problem}" in caplog.text


def test_a_shard_that_disappears_is_skipped(photos: Path, tmp_path: Path) -> None:
    shards = pack_photos(photos, tmp_path / "out", shards=2).shards
    folder = TFRecordFolder(tmp_path / "out")
    shards[0].unlink()
    assert np.array_equal(folder.get(3), folder.get(4))
    assert folder.skipped == [f"{shards[0]}#3"]


def test_folders_without_records_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be a folder of TFRecord files. Received"):
        TFRecordFolder(tmp_path / "missing")
    with pytest.raises(DataError, match="holds no .tfrecord file"):
        TFRecordFolder(tmp_path)
    (tmp_path / "a.tfrecord").touch()
    with pytest.raises(DataError, match="its 1 .tfrecord files hold no record"):
        TFRecordFolder(tmp_path)


def test_packing_refuses_what_it_cannot_do(photos: Path, tmp_path: Path) -> None:
    for shards in (0, 8):
        with pytest.raises(DataError, match=f"between 1 and the 7 photos. Received: {shards}"):
            pack_photos(photos, tmp_path / "out", shards)
    pack_photos(photos, tmp_path / "out")
    with pytest.raises(DataError, match="must hold no .tfrecord files yet"):
        pack_photos(photos, tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file cannot be written"):
        pack_photos(photos, tmp_path / "file")


def test_packing_nothing_readable_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="none of its 1 photos can be read"):
        pack_photos(tmp_path / "in", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_pack_command(photos: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    result = CliRunner().invoke(main, ["pack", str(photos), "-o", out, "--shards", "2"])
    assert result.exit_code == 0
    assert f"{out}: 6 photos in 2 shards; 1 unreadable, left out" in result.output
    result = CliRunner().invoke(main, ["pack", str(photos), "-o", out])
    assert result.exit_code == 1 and "must hold no .tfrecord files yet" in result.output
