"""Open, mark, repair, undo, choose, save over the page's API: what the browser does, without one."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from cnnlg_tf.inference.holes import grown
from cnnlg_tf.ui import limits
from cnnlg_tf.ui.bits import encode_bits
from cnnlg_tf.ui.store import Store
from tests.conftest import make_photo
from tests.stained import a_blob, a_scene, stained
from tests.ui.pages import REPAIRED, ServedPage, box_mask, decoded, encoded

HOLE = box_mask(48, 64, 10, 20, 18, 40)


def repair(
    page: ServedPage, key: str, mask: np.ndarray = HOLE, **fields: object
) -> dict[str, object]:
    """Repair and wait; returns what the last event says."""
    data = {name: str(value) for name, value in fields.items()}
    answer = page.client.post(
        f"/api/photos/{key}/repairs", data=data, files={"mask": encode_bits(mask)}
    )
    name, told = page.finish(answer)[-1]
    assert name == "done", told
    return dict(json.loads(told))


def pixels(page: ServedPage, key: str) -> np.ndarray:
    """The photo as it would be saved in PNG."""
    return decoded(page.client.get(f"/api/photos/{key}/file", params={"format": "PNG"}).content)


def test_repair_undo_redo_and_choose(page: ServedPage, photo: np.ndarray) -> None:
    key = page.open(photo)["key"]
    state = repair(page, key, variants=4)
    assert state["box"] == [20, 10, 20, 8] and state["choices"] == 4 and not state["masked"]
    repaired = pixels(page, key)
    assert (repaired[HOLE] == REPAIRED).all()
    assert (repaired[~HOLE] == photo[~HOLE]).all()

    chosen = page.client.put(f"/api/photos/{key}/repairs/choice", json={"choice": 2}).json()
    assert chosen["chosen"] == 2
    variant = pixels(page, key)
    assert (variant[~HOLE] == photo[~HOLE]).all() and (variant[HOLE] != REPAIRED).any()

    undone = page.client.post(f"/api/photos/{key}/repairs/undo").json()
    assert (undone["repairs"], undone["undone"], undone["changed"]) == (0, 1, [20, 10, 20, 8])
    assert (pixels(page, key) == photo).all()
    page.client.post(f"/api/photos/{key}/repairs/redo")
    assert (pixels(page, key) == variant).all(), "redo brings the variant that was chosen"
    assert page.client.post(f"/api/photos/{key}/repairs/redo").status_code == 409


def test_second_repair_keeps_the_first_and_undo_goes_one_back(
    page: ServedPage, photo: np.ndarray
) -> None:
    key = page.open(photo)["key"]
    repair(page, key)
    other = box_mask(48, 64, 12, 30, 30, 50)
    repair(page, key, other, variants=2)
    page.client.put(f"/api/photos/{key}/repairs/choice", json={"choice": 1})
    page.client.post(f"/api/photos/{key}/repairs/undo")
    once = pixels(page, key)
    assert (once[HOLE] == REPAIRED).all() and (once[~HOLE] == photo[~HOLE]).all()
    hole = decoded(page.client.get(f"/api/photos/{key}/repairs/1/mask").content)
    assert (hole == other).all()


def test_work_outlives_the_server(page: ServedPage, photo: np.ndarray) -> None:
    key = page.open(photo)["key"]
    repair(page, key, variants=2)
    page.client.put(f"/api/photos/{key}/repairs/choice", json={"choice": 1})
    page.client.put(f"/api/photos/{key}/mask", content=encode_bits(HOLE))
    before = pixels(page, key)
    again = Store(page.state)  # what a second start reads
    assert again.token == page.token
    session = again.get(key)
    assert (session.pixels() == before).all()
    assert (session.mask() == HOLE).all()
    assert (session.record.head, session.record.chosen) == (1, [1])
    session.undo()
    assert (session.pixels() == photo).all()


def test_mask_goes_there_and_back_and_grows(page: ServedPage) -> None:
    key = page.open(make_photo(50, 67))["key"]
    mask = np.zeros((50, 67), bool)
    mask[20, 30] = mask[49, 66] = True
    assert page.client.put(f"/api/photos/{key}/mask", content=encode_bits(mask)).status_code == 204
    assert (decoded(page.client.get(f"/api/photos/{key}/mask").content) == mask).all()
    grown = decoded(page.client.post(f"/api/photos/{key}/mask/grow", json={"pixels": 3}).content)
    assert grown[20, 27:34].all() and not grown[20, 26] and not grown[17, 27], "a disc"
    shrunk = decoded(page.client.post(f"/api/photos/{key}/mask/grow", json={"pixels": -3}).content)
    assert shrunk[20, 30] and not shrunk[20, 31]
    refused = page.client.put(f"/api/photos/{key}/mask", content=encode_bits(mask[:40]))
    assert refused.status_code == 400 and "(50, 67)" in refused.json()["error"]


@pytest.mark.parametrize(
    "name", ["photo.jpg", "photo.png", "photo.webp", "photo.tif", "photo.avif"]
)
def test_file_comes_back_in_its_format_with_exif_and_profile(page: ServedPage, name: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    original = make_photo(96, 128)
    save = (
        {"lossless": True}
        if name.endswith("webp")
        else {"quality": 95}
        if name.endswith("jpg")
        else {}
    )
    key = page.open(original, name, exif=exif, icc_profile=profile, **save)["key"]
    known = decoded(encoded(original, name, **save))
    repair(page, key, box_mask(96, 128, 10, 20, 18, 40))
    answer = page.client.get(f"/api/photos/{key}/file")
    image = Image.open(io.BytesIO(answer.content))
    suffix = Path(name).suffix
    assert f"photo_repaired{suffix}" in answer.headers["content-disposition"]
    assert (
        image.format
        == {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF", "avif": "AVIF"}[suffix[1:]]
    )
    assert image.getexif()[0x010F] == "A camera"
    assert image.info["icc_profile"] == profile
    result = np.asarray(image.convert("RGB"))
    if suffix not in (".jpg", ".avif"):
        outside = ~box_mask(96, 128, 10, 20, 18, 40)
        assert (result[outside] == known[outside]).all()


def test_16_bits_stay_16_bits(page: ServedPage) -> None:
    deep = (make_photo().astype(np.uint16) << 8) + 77
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, deep, photometric="rgb")
    answer = page.client.post("/api/photos", files={"photo": ("deep.tif", buffer.getvalue())})
    assert answer.json()["bits"] == 16
    key = answer.json()["key"]
    page.opened.append(key)
    repair(page, key)
    result = tifffile.imread(io.BytesIO(page.client.get(f"/api/photos/{key}/file").content))
    assert result.dtype == np.uint16 and (result[~HOLE] == deep[~HOLE]).all()
    notes = page.client.get(f"/api/photos/{key}/file", params={"format": "JPEG"}).headers["x-notes"]
    assert "16%20bits" in notes


def test_references_and_wishes_reach_the_network(page: ServedPage, photo: np.ndarray) -> None:
    key = page.open(photo)["key"]
    files = {"photo": ("other.png", encoded(make_photo(40, 40, seed=3)))}
    added = page.client.post(f"/api/photos/{key}/references", files=files).json()
    assert page.client.get(f"/api/photos/{key}").json()["references"] == [added]
    repair(page, key, detail=1.5)
    (asked,) = page.network.asked
    assert asked.detail == 1.5 and [r.shape for r in asked.reference] == [(40, 40, 3)]
    thumbnail = page.client.get(f"/api/photos/{key}/references/{added['key']}")
    assert thumbnail.headers["content-type"] == "image/jpeg"
    page.client.delete(f"/api/photos/{key}/references/{added['key']}")
    assert page.client.get(f"/api/photos/{key}/references/{added['key']}").status_code == 404


def test_cancelled_repair_changes_nothing(page: ServedPage, photo: np.ndarray) -> None:
    key = page.open(photo)["key"]
    page.network.gate.clear()
    answer = page.client.post(
        f"/api/photos/{key}/repairs", data={"variants": "4"}, files={"mask": encode_bits(HOLE)}
    )
    page.client.delete(f"/api/jobs/{answer.json()['job']}")
    page.network.gate.set()
    assert page.finish(answer)[-1][0] == "cancelled"
    state = page.client.get(f"/api/photos/{key}").json()
    assert state["repairs"] == 0 and state["masked"]
    assert (pixels(page, key) == photo).all()


def test_views_are_cut_and_shrunk(page: ServedPage) -> None:
    original = make_photo(100, 200)
    key = page.open(original)["key"]
    part = page.client.get(f"/api/photos/{key}/view", params={"box": "50,20,64,32"})
    assert part.headers["content-type"] == "image/png"
    assert (decoded(part.content) == original[20:52, 50:114]).all()
    small = page.client.get(f"/api/photos/{key}/view", params={"side": 50})
    assert decoded(small.content).shape == (25, 50, 3)
    repair(page, key, box_mask(100, 200, 0, 0, 10, 10))
    before = page.client.get(f"/api/photos/{key}/view", params={"of": "before"})
    assert (decoded(before.content) == original).all()
    heat = decoded(page.client.get(f"/api/photos/{key}/view", params={"of": "uncertainty"}).content)
    assert heat[:10, :10, 3].all() and not heat[10:, 10:, 3].any()


def test_script_repairs_files_in_one_request(page: ServedPage, photo: np.ndarray) -> None:
    files = {
        "photo": ("a.png", encoded(photo)),
        "mask": ("m.png", encoded((HOLE * 255).astype(np.uint8))),
    }
    answer = page.client.post("/api/repair", files=files)
    result = decoded(answer.content)
    assert (result[HOLE] == REPAIRED).all() and (result[~HOLE] == photo[~HOLE]).all()
    jpeg = page.client.post("/api/repair", files=files, data={"format": "JPEG", "quality": "80"})
    assert Image.open(io.BytesIO(jpeg.content)).format == "JPEG"
    assert page.client.get("/api/photos").json() == [], "nothing is kept"


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "message"),
    [
        (
            "POST",
            "/api/photos",
            {"files": {"photo": ("a.png", b"no picture")}},
            400,
            "no image that can be read",
        ),
        ("POST", "/api/photos", {"files": {"other": ("a.png", b"x")}}, 400, "a file named photo"),
        ("POST", "/api/photos", {"json": {}}, 415, "multipart/form-data"),
        ("POST", "/api/repair", {"files": {"photo": ("a.png", b"x")}}, 400, "a file named mask"),
        ("GET", "/api/photos/0123456789abcdef", {}, 404, "no such open photo"),
        ("GET", "/api/photos/..%2f..%2fetc", {}, 404, "Not Found"),
        ("GET", "/api/photos/KEY/view?box=0,0,0,5", {}, 400, "box must lie in the photo"),
        ("GET", "/api/photos/KEY/view?box=a", {}, 400, "box must be left,top,width,height"),
        ("GET", "/api/photos/KEY/view?side=1", {}, 400, "side must be a number from 16 to 4096"),
        ("GET", "/api/photos/KEY/view?of=x", {}, 400, "of must be now, before or uncertainty"),
        ("GET", "/api/photos/KEY/view?choice=1", {}, 409, "choice must be"),
        ("GET", "/api/photos/KEY/file?format=EXE", {}, 400, "format must be one of PNG"),
        (
            "GET",
            "/api/photos/KEY/file?format=JPEG&quality=0",
            {},
            400,
            "quality must be a number from 1",
        ),
        ("POST", "/api/photos/KEY/save", {"json": {}}, 409, "this machine's folder"),
        ("POST", "/api/photos/KEY/repairs", {"files": {"x": b""}}, 400, "something must be marked"),
        ("POST", "/api/photos/KEY/repairs/undo", {}, 409, "a repair to undo"),
        ("PUT", "/api/photos/KEY/repairs/choice", {"json": {"choice": 1.5}}, 400, "a whole number"),
        ("PUT", "/api/photos/KEY/repairs/choice", {"json": [1]}, 400, "a JSON object"),
        ("PUT", "/api/photos/KEY/repairs/choice", {"content": b"{"}, 400, "must be JSON"),
        (
            "POST",
            "/api/photos/KEY/mask/grow",
            {"json": {"pixels": 65}},
            400,
            "pixels must be a number from -64",
        ),
        ("GET", "/api/photos/KEY/repairs/0/mask", {}, 404, "no repair 0"),
        ("GET", "/api/photos/KEY/references/0", {}, 404, "no reference 0"),
        ("GET", "/api/jobs/x/events", {}, 404, "no such job"),
        ("POST", "/api/folder/open", {"json": {"name": "a.png"}}, 404, "no photo 'a.png'"),
        ("POST", "/api/folder/repair", {"json": {}}, 409, "started with a folder"),
    ],
)
def test_bad_requests_get_a_clear_line(
    page: ServedPage, method: str, path: str, content: dict[str, object], status: int, message: str
) -> None:
    key = page.open(make_photo())["key"] if "KEY" in path else ""
    answer = page.client.request(method, path.replace("KEY", key), **content)  # type: ignore[arg-type]
    assert answer.status_code == status, answer.text
    assert message in answer.text


def test_limits_on_pixels_and_sessions(
    serve_page: Callable[..., ServedPage], photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = serve_page()
    monkeypatch.setattr(limits, "MAX_PIXELS", 3000)
    refused = page.client.post("/api/photos", files={"photo": ("a.png", encoded(photo))})
    assert refused.status_code == 413 and "64 x 48" in refused.json()["error"]
    monkeypatch.undo()
    monkeypatch.setattr("cnnlg_tf.ui.store.MAX_SESSIONS", 2)
    first, second = (page.open(photo)["key"] for _ in range(2))
    page.client.put(f"/api/photos/{second}/mask", content=encode_bits(HOLE))
    third = page.open(photo)["key"]
    assert page.client.get(f"/api/photos/{first}").status_code == 404, "untouched ones make room"
    page.client.put(f"/api/photos/{third}/mask", content=encode_bits(HOLE))
    full = page.client.post("/api/photos", files={"photo": ("a.png", encoded(photo))})
    assert full.status_code == 429 and "at most 2 photos" in full.json()["error"]
    page.client.delete(f"/api/photos/{second}")
    page.open(photo)


def test_description_names_each_route_once(page: ServedPage) -> None:
    described = page.client.get("/api").json()
    text = json.dumps(described)
    for reference in {part.split('"')[0] for part in text.split('"#/')[1:]}:
        here = described
        for word in reference.split("/"):
            here = here[word]
    operations = {
        (path, method): entry
        for path, methods in described["paths"].items()
        for method, entry in methods.items()
    }
    for entry in operations.values():
        assert set(entry) <= {"summary", "description", "parameters", "requestBody", "responses"}
        assert entry["summary"] and entry["responses"]
        for answer in entry["responses"].values():  # a comma in YAML's braces starts a new key
            assert set(answer) <= {"description", "content", "$ref"}
        for parameter in entry.get("parameters", []):
            assert set(parameter) <= {"name", "in", "required", "schema", "description"}
    assert ("/api/photos/{key}/repairs", "post") in operations
    assert len(operations) >= 27
    parameters = operations["/api/photos/{key}/view", "get"]["parameters"]
    assert {p["name"] for p in parameters} == {"key", "box", "side", "of", "choice"}


def test_failing_network_is_told_and_the_page_lives(
    serve_page: Callable[..., ServedPage], photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = serve_page()
    monkeypatch.setattr(type(page.network), "fill", lambda *_: 1 / 0)
    key = page.open(photo)["key"]
    answer = page.client.post(f"/api/photos/{key}/repairs", files={"mask": encode_bits(HOLE)})
    name, told = page.finish(answer)[-1]
    assert name == "failed" and "ZeroDivisionError" in told
    monkeypatch.undo()
    repair(page, key)


def test_damage_is_found_once_and_masked_at_any_sensitivity(
    page: ServedPage, photo: np.ndarray
) -> None:
    """FakeNetwork takes bright pixels as damaged: the brighter, the more likely."""
    torn = np.minimum(photo, 120)
    torn[5:10, 5:40] = 250  # probability .999
    torn[10:15, 5:40] = 195  # .58
    key = page.open(torn)["key"]
    early = page.client.get(f"/api/photos/{key}/damage")
    assert early.status_code == 409 and "looked for first" in early.json()["error"]
    assert page.finish(page.client.post(f"/api/photos/{key}/damage"))[-1][0] == "done"

    def mask(sensitivity: float) -> np.ndarray:
        answer = page.client.get(f"/api/photos/{key}/damage", params={"sensitivity": sensitivity})
        return decoded(answer.content)

    assert (mask(0.5) == grown(torn.min(axis=-1) >= 195, 2)).all(), "as `repair` grows it"
    assert (mask(0.3) == grown(torn.min(axis=-1) >= 250, 2)).all()
    assert not mask(0.0).any() and mask(1.0)[5:10, 5:40].all()
    refused = page.client.get(f"/api/photos/{key}/damage", params={"sensitivity": 2})
    assert refused.status_code == 400 and "from 0 to 1" in refused.json()["error"]


def test_a_stain_is_lifted_where_that_is_asked_for(page: ServedPage) -> None:
    scene, hole, middle = a_scene(), a_blob() > 0, np.s_[100:140, 130:170]
    for lift in (False, True):
        key = page.open((255 * stained(scene, a_blob())).astype(np.uint8))["key"]
        repair(page, key, hole, lift=lift)
        result = decoded(page.client.get(f"/api/photos/{key}/file").content)
        assert (np.abs(result[middle] / 255 - scene[middle]).mean() < 0.03) == lift
    files = {"mask": encode_bits(hole)}
    refused = page.client.post(f"/api/photos/{key}/repairs", data={"lift": "perhaps"}, files=files)
    assert refused.status_code == 400
    assert "lift must be true or false. Received: 'perhaps'" in refused.json()["error"]


def test_hidden_colours_are_not_damaged(page: ServedPage) -> None:
    layers = np.full((48, 64, 4), 255, np.uint8)
    layers[:, 32:, 3] = 0
    key = page.open(layers)["key"]
    page.finish(page.client.post(f"/api/photos/{key}/damage"))
    mask = decoded(page.client.get(f"/api/photos/{key}/damage").content)
    assert mask[:, :32].all() and not mask[:, 32:].any()


def test_heic_opens_and_is_saved_as_heic(page: ServedPage) -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra `heic` is not installed")
    buffer = io.BytesIO()
    heif.from_pillow(Image.fromarray(make_photo(64, 96))).save(buffer, quality=90)
    answer = page.client.post("/api/photos", files={"photo": ("phone.heic", buffer.getvalue())})
    key = answer.json()["key"]
    page.opened.append(key)
    assert answer.json()["format"] == "HEIF"
    saved = page.client.get(f"/api/photos/{key}/file")
    assert "phone_repaired.heic" in saved.headers["content-disposition"]
    assert heif.open_heif(io.BytesIO(saved.content)).size == (96, 64)


def test_repair_of_a_closed_or_changed_photo(page: ServedPage, photo: np.ndarray) -> None:
    key = page.open(photo)["key"]
    repair(page, key)
    page.network.gate.clear()
    answer = page.client.post(
        f"/api/photos/{key}/repairs", files={"mask": encode_bits(box_mask(48, 64, 5, 5, 30, 30))}
    )
    page.client.post(f"/api/photos/{key}/repairs/undo")
    page.network.gate.set()
    assert page.finish(answer)[-1][0] == "done"
    page.client.post(f"/api/photos/{key}/repairs/undo")
    assert (pixels(page, key) == photo).all(), (
        "undo brings what was there, not what was there earlier"
    )
    page.network.gate.clear()
    answer = page.client.post(f"/api/photos/{key}/repairs", files={"mask": encode_bits(HOLE)})
    page.client.delete(f"/api/photos/{key}")
    page.network.gate.set()
    assert page.finish(answer)[-1][0] == "cancelled"
    assert not (page.state / "sessions" / key).exists()


def test_cleared_files_are_told(page: ServedPage, photo: np.ndarray) -> None:
    key = page.open(photo)["key"]
    repair(page, key)
    (page.state / "sessions" / key / "edits" / "0.npz").unlink()
    answer = page.client.post(f"/api/photos/{key}/repairs/undo")
    assert (
        answer.status_code == 500
        and "cannot be read or written: No such file" in answer.json()["error"]
    )
