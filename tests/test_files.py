"""atomic_path: whole or not at all."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from cnnlg_tf.files import atomic_path


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_writes_file_with_the_target_name_and_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "new" / "a.tar.gz") as temporary:
        assert temporary.name == "a.tar.gz"
        assert not temporary.exists()
        temporary.write_text("whole")
        assert not (tmp_path / "new" / "a.tar.gz").exists()
    assert (tmp_path / "new" / "a.tar.gz").read_text() == "whole"
    assert names(tmp_path / "new") == ["a.tar.gz"]


def test_error_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="half way"):
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("half way")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_replaces_file_and_folder(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.txt", tmp_path / "b"
    file.write_text("old")
    folder.mkdir()
    (folder / "old").write_text("old")
    with atomic_path(file) as temporary:
        temporary.write_text("new")
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        (temporary / "new").write_text("new")
    assert file.read_text() == "new"
    assert names(folder) == ["new"]
    assert names(tmp_path) == ["a.txt", "b"]


def test_file_over_folder_fails_and_keeps_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError):
        with atomic_path(tmp_path / "a") as temporary:
            temporary.write_text("file")
    assert (tmp_path / "a").is_dir()
    assert names(tmp_path) == ["a"]


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing was written for .*a\.txt"):
        with atomic_path(tmp_path / "a.txt"):
            pass
    assert names(tmp_path) == []


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("name", ["a" * 250 + ".png", "ä" * 125 + ".png", "old", ".old"])
def test_names_as_long_as_the_disk_takes(tmp_path: Path, name: str) -> None:
    for content in ("first", "second"):
        with atomic_path(tmp_path / name) as temporary:
            temporary.mkdir()
            (temporary / "file").write_text(content)
    assert (tmp_path / name / "file").read_text() == "second"
    assert names(tmp_path) == [name]


def test_content_reaches_the_disk_before_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    opened: dict[int, str] = {}
    real_open, real_sync, real_replace = os.open, os.fsync, os.replace

    def watched_open(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        descriptor = real_open(path, flags, *rest, **options)
        opened[descriptor] = Path(path).name
        return descriptor

    def watched_sync(descriptor: int) -> None:
        events.append(opened[descriptor])
        real_sync(descriptor)

    def watched_replace(source: Path, target: Path) -> None:
        events.append(f"rename to {Path(target).name}")
        real_replace(source, target)

    monkeypatch.setattr(os, "open", watched_open)
    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_replace)
    with atomic_path(tmp_path / "runs" / "new" / "export") as temporary:
        (temporary / "inner").mkdir(parents=True)
        (temporary / "inner" / "weights").write_text("w")
        (temporary / "manifest").write_text("m")
    before, after = events[: events.index("rename to export")], events[-3:]
    assert sorted(before) == ["export", "inner", "manifest", "weights"]
    assert before.index("weights") < before.index("inner") < before.index("export")
    assert after == ["new", "runs", tmp_path.name]


def test_a_disk_that_cannot_write_is_an_error_and_keeps_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("new")
    assert (tmp_path / "a.txt").read_text() == "old" and names(tmp_path) == ["a.txt"]
