"""A folder on the page: what is listed, what is never read or written, repairing all of it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import ImageError
from cnnlg_tf.inference.holes import grown
from cnnlg_tf.ui.bits import encode_bits
from cnnlg_tf.ui.library import Library
from cnnlg_tf.ui.limits import RequestError
from cnnlg_tf.ui.repairing import Wishes, repair_whole
from tests.conftest import make_photo
from tests.ui.pages import REPAIRED, ServedPage, box_mask, decoded, encoded

HOLE = box_mask(48, 64, 10, 20, 18, 40)


@pytest.fixture
def folder(photo_folder: Callable[..., Path]) -> Path:
    """000.png to 002.png; the mask of 001; a note; a link to a photo outside."""
    folder = photo_folder(3)
    (folder / "001_mask.png").write_bytes(encode_bits(HOLE))
    (folder / "notes.txt").write_text("no photo")
    outside = folder.parent / "outside.png"
    outside.write_bytes(encoded(make_photo()))
    (folder / "link.png").symlink_to(outside)
    return folder


def test_library_lists_photos_and_nothing_else(folder: Path) -> None:
    library = Library(folder)
    assert library.names() == ["000.png", "001.png", "002.png"]
    assert library.mask_path(library.path("001.png")) == folder.resolve() / "001_mask.png"
    assert library.mask_path(library.path("000.png")) is None
    assert Library(folder / "000.png").names() == ["000.png"]
    assert Library(None).names() == []


@pytest.mark.parametrize(
    "name", ["link.png", "../outside.png", "/etc/passwd", "notes.txt", "", ".", "a\0.png"]
)
def test_library_gives_no_other_path(folder: Path, name: str) -> None:
    with pytest.raises(RequestError, match="has no photo"):
        Library(folder).path(name)


def test_library_of_one_photo_gives_no_neighbour(folder: Path) -> None:
    with pytest.raises(RequestError, match="has no photo"):
        Library(folder / "000.png").path("001.png")
    with pytest.raises(ImageError, match="must exist"):
        Library(folder / "nothing.png")


def test_results_never_replace_a_photo_nor_leave_the_folder(folder: Path) -> None:
    library = Library(folder)
    source = library.path("000.png")
    first, second = (library.write_beside(source, ".png", b"x") for _ in range(2))
    assert (first.name, second.name) == ("000_repaired.png", "000_repaired-2.png")
    (folder / "001_repaired.png").symlink_to(folder.parent / "elsewhere.png")
    assert library.write_beside(library.path("001.png"), ".png", b"x").name == "001_repaired-2.png"
    with pytest.raises(RequestError, match="must lie in the opened folder"):
        library.write_beside(folder.parent / "outside.png", ".png", b"x")
    with pytest.raises(RequestError, match="a file name in the opened folder"):
        library.write_result("../x.png", b"x")
    (folder / "repaired").symlink_to(folder.parent)
    with pytest.raises(RequestError, match="and no link"):
        library.write_result("x.png", b"x")
    assert not (folder.parent / "x.png").exists() and not (folder.parent / "elsewhere.png").exists()


def test_photo_of_the_folder_opens_with_its_mask_and_saves_beside(
    serve_page: Callable[..., ServedPage], folder: Path
) -> None:
    page = serve_page(folder)
    listed = page.client.get("/api/folder").json()
    assert listed["folder"] and [p["mask_file"] for p in listed["photos"]] == [False, True, False]
    photo = page.client.post("/api/folder/open", json={"name": "001.png"}).json()
    assert photo["masked"] and photo["beside"]
    again = page.client.post("/api/folder/open", json={"name": "001.png"}).json()
    assert again["key"] == photo["key"], "unfinished work is found again"
    page.finish(
        page.client.post(f"/api/photos/{photo['key']}/repairs", files={"mask": encode_bits(HOLE)})
    )
    saved = page.client.post(f"/api/photos/{photo['key']}/save", json={})
    assert saved.json() == {"name": "001_repaired.png", "notes": []}
    result = np.asarray(Image.open(folder / "001_repaired.png"))
    original = np.asarray(Image.open(folder / "001.png"))
    assert (result[HOLE] == REPAIRED).all() and (result[~HOLE] == original[~HOLE]).all()
    thumbnail = page.client.get("/api/folder/thumbnail", params={"name": "002.png"})
    assert decoded(thumbnail.content).shape == (48, 64, 3)


def test_changed_file_is_a_new_photo(serve_page: Callable[..., ServedPage], folder: Path) -> None:
    page = serve_page(folder)
    old = page.client.post("/api/folder/open", json={"name": "000.png"}).json()["key"]
    Image.fromarray(make_photo(seed=9)).save(folder / "000.png")
    os.utime(folder / "000.png", (1, 1))
    assert page.client.post("/api/folder/open", json={"name": "000.png"}).json()["key"] != old


def test_repair_all_with_own_masks(serve_page: Callable[..., ServedPage], folder: Path) -> None:
    page = serve_page(folder)
    key = page.client.post("/api/folder/open", json={"name": "002.png"}).json()["key"]
    drawn = box_mask(48, 64, 0, 0, 5, 5)
    page.client.put(f"/api/photos/{key}/mask", content=encode_bits(drawn))
    (folder / "003.png").write_bytes(b"no picture")
    (folder / "003_mask.png").write_bytes(encode_bits(HOLE))
    events = page.finish(page.client.post("/api/folder/repair", json={}))
    assert json.loads(events[-1][1])["repaired"] == 2
    assert (json.loads(events[-1][1])["skipped"], json.loads(events[-1][1])["failed"]) == (1, 1)
    told = {
        event["name"]: event
        for event in (json.loads(data) for name, data in events if name == "photo")
    }
    assert told["000.png"]["output"] is None and "003.png" in told["003.png"]["error"]
    for name, mask in (("001.png", HOLE), ("002.png", drawn)):
        result = np.asarray(Image.open(folder / "repaired" / name))
        assert (result[mask] == REPAIRED).all()
        assert (result[~mask] == np.asarray(Image.open(folder / name))[~mask]).all()
    assert sorted(path.name for path in (folder / "repaired").iterdir()) == ["001.png", "002.png"]


def test_repair_all_with_one_mask(serve_page: Callable[..., ServedPage], folder: Path) -> None:
    Image.fromarray(make_photo(40, 40)).save(folder / "003.png")
    page = serve_page(folder)
    key = page.client.post("/api/folder/open", json={"name": "000.png"}).json()["key"]
    refused = page.client.post("/api/folder/repair", json={"mask_of": key})
    assert refused.status_code == 400 and "empty mask" in refused.json()["error"]
    page.client.put(f"/api/photos/{key}/mask", content=encode_bits(HOLE))
    events = page.finish(page.client.post("/api/folder/repair", json={"mask_of": key}))
    assert json.loads(events[-1][1]) | {"seconds": 0} == {
        "repaired": 3,
        "skipped": 0,
        "failed": 1,
        "seconds": 0,
    }
    assert "(40, 40)" in events[-2][1]


def test_repair_all_finds_damage(
    serve_page: Callable[..., ServedPage], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FakeNetwork takes bright pixels as damaged."""
    lifts = []

    def repaired(inpainter: Any, photo: Any, mask: Any, wishes: Wishes, job: Any) -> Any:
        lifts.append(wishes.lift)
        return repair_whole(inpainter, photo, mask, wishes, job)

    monkeypatch.setattr("cnnlg_tf.ui.folder_routes.repair_whole", repaired)
    clean = np.minimum(make_photo(), 120)
    torn = clean.copy()
    torn[HOLE] = 250
    Image.fromarray(clean).save(folder / "000.png")
    Image.fromarray(torn).save(folder / "001.png")
    Image.fromarray(clean).save(folder / "002.png")
    page = serve_page(folder)
    events = page.finish(page.client.post("/api/folder/repair", json={"find_damage": True}))
    assert json.loads(events[-1][1])["repaired"] == 1 and json.loads(events[-1][1])["skipped"] == 2
    result = np.asarray(Image.open(folder / "repaired" / "001.png"))
    hole = grown(HOLE, 2)
    assert (result[hole] == REPAIRED).all() and (result[~hole] == clean[~hole]).all()
    assert lifts == [True]
    key = page.client.post("/api/folder/open", json={"name": "000.png"}).json()["key"]
    for wrong in ({"find_damage": 1}, {"find_damage": True, "mask_of": key}):
        page.client.put(f"/api/photos/{key}/mask", content=encode_bits(HOLE))
        refused = page.client.post("/api/folder/repair", json=wrong)
        assert refused.status_code == 400 and "find_damage must be" in refused.json()["error"]


def test_photos_of_one_stem_get_results_of_their_own(
    serve_page: Callable[..., ServedPage], tmp_path: Path
) -> None:
    folder = tmp_path / "stems"
    folder.mkdir()
    for name in ("a.png", "a.gif", "a.jpg", "a.jpeg"):
        (folder / name).write_bytes(encoded(make_photo(), name))
    page = serve_page(folder)
    key = page.client.post("/api/folder/open", json={"name": "a.png"}).json()["key"]
    page.client.put(f"/api/photos/{key}/mask", content=encode_bits(HOLE))
    page.finish(page.client.post("/api/folder/repair", json={"mask_of": key}))
    names = sorted(path.name for path in (folder / "repaired").iterdir())
    assert names == ["a.gif.png", "a.jpeg", "a.jpg", "a.png"]


def test_run_is_cancelled_between_photos(
    serve_page: Callable[..., ServedPage], folder: Path
) -> None:
    page = serve_page(folder)
    page.network.gate.clear()
    answer = page.client.post("/api/folder/repair", json={})
    page.client.delete(f"/api/jobs/{answer.json()['job']}")
    page.network.gate.set()
    assert page.finish(answer)[-1][0] == "cancelled"
