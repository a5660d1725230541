"""Paths and URLs: files appear whole, a network may fail once, errors are one line."""

from pathlib import Path
from typing import Any

import fsspec
import pytest

from cnnlg_tf.bulk import storage
from cnnlg_tf.bulk.storage import Folder, read_bytes, resolved
from cnnlg_tf.errors import ConfigError, ImageError


@pytest.mark.parametrize(
    ("place", "base", "found"),
    [
        ("a/b.png", "/data", "/data/a/b.png"),
        ("../b.png", "/data/x", "/data/b.png"),
        ("/b.png", "/data", "/b.png"),
        ("b.png", "s3://bucket/x", "s3://bucket/x/b.png"),
        ("/b.png", "s3://bucket/x", "/b.png"),
        ("gs://other/b.png", "/data", "gs://other/b.png"),
        ("zip://a.png::s3://b/c.zip", "/data", "zip://a.png::s3://b/c.zip"),
        ("file:///a%20b.png", "s3://bucket", "/a b.png"),
        ("local:///a.png", "/", "/a.png"),
        ("C:b", "/data", "/data/C:b"),
    ],
)
def test_resolved(place: str, base: str, found: str) -> None:
    assert resolved(place, base) == found


def test_a_folder_here_and_behind_a_url(tmp_path: Path) -> None:
    for folder in (Folder(str(tmp_path / "new")), Folder("memory://store/new")):
        assert folder.read("a/b.txt") is None and folder.names("a", ".txt") == []
        folder.write("a/b.txt", b"one")
        folder.write("a/b.txt", b"two")
        folder.write("a/c.bin", b"")
        assert folder.read("a/b.txt") == b"two" and folder.names("a", ".txt") == ["a/b.txt"]
        folder.delete("a/b.txt")
        assert folder.names("a", "") == ["a/c.bin"]


def test_a_network_may_fail_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_PATIENCE", (0.0, 0.0))
    system = fsspec.filesystem("memory")
    system.pipe_file("/flaky/a", b"data")
    original, failures = type(system).cat_file, iter([True, True, False])

    def flaky(self: Any, *arguments: Any, **options: Any) -> Any:
        if next(failures):
            raise TimeoutError("the line is busy")
        return original(self, *arguments, **options)

    monkeypatch.setattr(type(system), "cat_file", flaky)
    assert read_bytes("memory://flaky/a", "photo", ImageError) == b"data"
    failures = iter([True] * 3)
    with pytest.raises(ImageError, match="photo memory://flaky/a cannot be read: the line is busy"):
        read_bytes("memory://flaky/a", "photo", ImageError)


def test_what_does_not_put_whole_is_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol that is no object store's: half a file must not have the output's name."""
    monkeypatch.setattr(storage, "_WHOLE", frozenset())
    monkeypatch.setattr(storage, "_PATIENCE", ())
    folder = Folder("memory://slow/out")
    folder.write("a/b.png", b"whole")
    assert folder.names("a", "") == ["a/b.png"] and folder.read("a/b.png") == b"whole"

    def broken(self: Any, source: str, target: str, **_: Any) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr(type(folder.system), "mv", broken)
    with pytest.raises(ConnectionError):
        folder.write("a/c.png", b"whole")
    assert folder.names("a", "") == ["a/b.png"]


def test_absent_files_and_unknown_protocols() -> None:
    with pytest.raises(ImageError, match="photo memory://none/a.png does not exist"):
        read_bytes("memory://none/a.png", "photo", ImageError)
    with pytest.raises(ImageError, match=r"photo /nowhere/a\.png does not exist"):
        read_bytes("/nowhere/a.png", "photo", ImageError)
    with pytest.raises(ConfigError, match="foo://a cannot be opened: Protocol not known: foo"):
        Folder("foo://a")
