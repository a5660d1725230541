"""A row of a plan: the same job as `inpaint` does, and a row of the ledger whatever happens."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.bulk.ledger import SCHEMA, as_rows
from cnnlg_tf.bulk.storage import Folder
from cnnlg_tf.bulk.worker import PhotoWork, Repairing, Tally
from cnnlg_tf.inference.inpainter import Inpainter
from tests.bulk.conftest import write_mask, write_photo
from tests.networks import MeanFill


def row(photo: Any, mask: Any = None, **values: Any) -> dict[str, Any]:
    mask = None if mask is None else str(mask)
    given = {"id": "a", "name": "x/a.png", "photo": str(photo), "mask": mask, "reference": []}
    return {**given, "error": None, **values}


def work(out: str | Path, network: Any = None, **options: Any) -> PhotoWork:
    inpainter = Inpainter(network or MeanFill())
    return PhotoWork(Repairing(**options), Folder(str(out)), lambda: inpainter)


def test_a_row_is_the_job_that_inpaint_does(tmp_path: Path) -> None:
    photo, mask = write_photo(tmp_path / "a.png"), write_mask(tmp_path / "m.png")
    result = work(tmp_path / "out").result(row(photo, mask))
    Inpainter(MeanFill()).repair_file(photo, mask, tmp_path / "same.png")
    written = (tmp_path / "out/x/a.png").read_bytes()
    assert written == (tmp_path / "same.png").read_bytes()
    assert (result["status"], result["error"], result["found"]) == ("ok", None, None)
    assert result["bytes"] == len(written)
    assert result["sha256"] == hashlib.sha256(written).hexdigest()
    assert as_rows([result]).schema == SCHEMA


def test_blind_rows_tell_what_was_found(tmp_path: Path) -> None:
    result = work(tmp_path / "out").result(row(write_photo(tmp_path / "a.png")))
    assert result["found"] == pytest.approx(32 / 64**2, rel=0.5) and result["status"] == "ok"


def test_options_references_and_notes(tmp_path: Path) -> None:
    photo, mask = write_photo(tmp_path / "a.png"), write_mask(tmp_path / "m.png")
    grey = tmp_path / "grey.png"
    Image.fromarray(np.full((32, 32, 3), 100, np.uint8)).save(grey)
    result = work(tmp_path / "out", grow=2).result(row(photo, mask, reference=[str(grey)]))
    assert result["status"] == "ok"
    pixels = np.asarray(Image.open(tmp_path / "out/x/a.png")).astype(int)
    assert (np.abs(pixels[8:22, 12:30] - 100) <= 1).all()  # the reference's mean, grown by 2
    inverted = work(tmp_path / "inv", invert_mask=True).result(row(photo, mask))
    assert inverted["status"] == "ok"
    kept = np.asarray(Image.open(tmp_path / "inv/x/a.png"))[10:20, 12:30]
    assert np.array_equal(kept, np.asarray(Image.open(photo))[10:20, 12:30])
    deep = tmp_path / "deep.png"
    Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16).save(deep)
    noted = work(tmp_path / "jpg").result(row(deep, mask, name="a.jpg"))
    assert "cannot hold its 16 bits a channel" in noted["note"] and noted["status"] == "ok"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"photo": "/nowhere/a.png"}, "photo /nowhere/a.png does not exist"),
        ({"mask": "/nowhere/m.png"}, "mask /nowhere/m.png does not exist"),
        ({"reference": ["/nowhere/r.png"]}, "reference /nowhere/r.png does not exist"),
        ({"photo": "memory://none/a.png"}, "photo memory://none/a.png does not exist"),
        ({"photo": "foo://a.png"}, "foo://a.png cannot be opened"),
        ({"error": "no mask"}, "no mask"),
        ({"name": "a.what"}, "the output's name must end in one of"),
    ],
)
def test_a_bad_row_is_an_error(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    photo, mask = write_photo(tmp_path / "a.png"), write_mask(tmp_path / "m.png")
    result = work(tmp_path / "out").result({**row(photo, mask), **change})
    assert result["status"] == "error" and message in result["error"]
    assert result["bytes"] is None and result["sha256"] is None
    assert not (tmp_path / "out").exists()


def test_whatever_a_network_raises_is_an_error(tmp_path: Path) -> None:
    class Broken(MeanFill):
        def fill(self, *_: Any, **__: Any) -> Any:
            raise MemoryError("too large")

    photo, mask = write_photo(tmp_path / "a.png"), write_mask(tmp_path / "m.png")
    result = work(tmp_path / "out", Broken()).result(row(photo, mask))
    assert result["status"] == "error" and "MemoryError: too large" in result["error"]
    unable = work(tmp_path / "out", MeanFill(can=frozenset())).result(row(photo))
    assert unable["status"] == "error" and "what the network can do" in unable["error"]


def test_an_output_that_is_its_input_by_another_name(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "real/x/a.png")
    (tmp_path / "out").symlink_to(tmp_path / "real")
    before = photo.read_bytes()
    result = work(tmp_path / "out").result(row(photo, write_mask(tmp_path / "m.png")))
    assert "would be replaced by its repair" in result["error"] and photo.read_bytes() == before


def test_urls_in_and_out(tmp_path: Path) -> None:
    """From a web server into a store: what is put is what a file would be."""
    photo, mask = write_photo(tmp_path / "web/a b.png"), write_mask(tmp_path / "web/m.png")
    handler = partial(_Quiet, directory=tmp_path / "web")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        stored = work("memory://photos/out")
        result = stored.result(row(f"{base}/a%20b.png", f"{base}/m.png"))
        absent = stored.result(row(f"{base}/none.png", f"{base}/m.png"))
        server.shutdown()
    assert result["error"] is None
    assert absent["error"] == f"photo {base}/none.png does not exist"
    Inpainter(MeanFill()).repair_file(photo, mask, tmp_path / "same.png")
    assert Folder("memory://photos/out").read("x/a.png") == (tmp_path / "same.png").read_bytes()


def test_an_undamaged_photo_behind_a_url_is_copied(tmp_path: Path) -> None:
    data = tmp_path / "a.jpg"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(data, quality=60)
    Folder("memory://in").write("a.jpg", data.read_bytes())
    result = work("memory://in/out").result(row("memory://in/a.jpg", name="a.jpg"))
    assert result["found"] == 0.0 and "comes back unchanged" in result["note"]
    assert Folder("memory://in/out").read("a.jpg") == data.read_bytes()


def test_a_store_that_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo, mask = write_photo(tmp_path / "a.png"), write_mask(tmp_path / "m.png")
    full = work("memory://full")

    def refuse(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Folder, "write", refuse)
    result = full.result(row(photo, mask))
    assert result["error"] == "output memory://full/x/a.png cannot be written: no space left"
    assert result["sha256"] is None


def test_the_tally_counts_beginnings_without_an_end() -> None:
    tally = Tally()
    assert [tally.begin("a"), tally.begin("a"), tally.begin("b")] == [0, 1, 0]
    tally.end("a", True)
    tally.end("b", False)
    assert tally.begin("a") == 0 and tally.counts() == (2, 1)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""
