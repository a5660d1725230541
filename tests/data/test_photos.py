import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.data.photos import PhotoFolder
from cnnlg_tf.errors import DataError


def test_photos_are_found_at_any_depth_in_order(tmp_path: Path, photo: np.ndarray) -> None:
    (tmp_path / "b").mkdir()
    for name in ("c.PNG", "a.jpg", "b/z.webp", "b/y.tif", "b/x.bmp", ".hidden.png", "notes.txt"):
        kind = {"txt": "PNG", "jpg": "JPEG", "tif": "TIFF"}.get(name.split(".")[-1])
        Image.fromarray(photo).save(tmp_path / name, kind)
    folder = PhotoFolder(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in folder.paths]
    assert names == ["a.jpg", "b/x.bmp", "b/y.tif", "b/z.webp", "c.PNG"]
    assert all(folder.get(i).shape == (48, 64, 3) for i in range(len(folder)))
    assert np.array_equal(folder.get(4), photo)


def test_the_cache_keeps_to_its_budget(photo_folder: Callable[..., Path]) -> None:
    root = photo_folder(count=3, height=512, width=600)  # 0.9 MiB a photo
    folder = PhotoFolder(root, cache_megabytes=2)
    first, second, third = (folder.get(i) for i in range(3))
    assert folder.get(0) is first and folder.get(1) is second
    assert folder.get(2) is not third and np.array_equal(folder.get(2), third)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 0


def test_unreadable_photos_are_skipped_and_named_once(
    photo_folder: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    root = photo_folder(count=4)
    whole = (root / "001.png").read_bytes()
    (root / "001.png").write_bytes(whole[: len(whole) // 2])
    (root / "002.png").write_bytes(b"")
    folder = PhotoFolder(root)
    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(folder.get, [0, 1, 2, 3] * 5))
    assert len(folder) == 4
    for i in (1, 2, 3):  # The next readable one stands in.
        assert np.array_equal(drawn[i], drawn[3])
    assert sorted(folder.skipped) == [str(root / "001.png"), str(root / "002.png")]
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 2 and any("001.png" in text for text in warnings)
    assert any("002.png is empty" in text for text in warnings)


def test_a_photo_that_disappears_is_skipped(photo_folder: Callable[..., Path]) -> None:
    root = photo_folder(count=2)
    folder = PhotoFolder(root)
    (root / "000.png").unlink()
    assert np.array_equal(folder.get(0), folder.get(1))
    assert folder.skipped == [str(root / "000.png")]


def test_folders_without_photos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no photo"):
        PhotoFolder(tmp_path)
    with pytest.raises(DataError, match="must be a folder of photos. Received: .*missing"):
        PhotoFolder(tmp_path / "missing")
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="photo folder .*: none of its 1 images can be read"):
        PhotoFolder(tmp_path).get(0)


def test_excluded_names_are_left_out(photo_folder: Callable[..., Path]) -> None:
    root = photo_folder(count=3)
    everything = PhotoFolder(root)
    first = everything.paths[0].name
    assert PhotoFolder(root, exclude=[first]).paths == everything.paths[1:]
