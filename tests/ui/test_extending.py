"""A photo grows on the page: its pixels, mask and strokes move along, and undo takes all of it back."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.inference.canvas import Extension
from cnnlg_tf.ui import limits
from cnnlg_tf.ui.bits import encode_bits
from cnnlg_tf.ui.edits import on_larger, on_smaller
from cnnlg_tf.ui.store import Store
from tests.conftest import make_photo
from tests.ui.pages import REPAIRED, ServedPage, box_mask, decoded, encoded
from tests.ui.test_photos import HOLE, pixels, repair

GROWTH = Extension(left=10, top=6, right=0, bottom=4)  # of a photo of 48 x 64: 58 x 74
INNER = (slice(6, 54), slice(10, 74))


def extend(page: ServedPage, key: str, extension: str, **fields: object) -> dict[str, object]:
    """Extend and wait; returns what the last event says."""
    data = {"extension": extension} | {name: str(value) for name, value in fields.items()}
    # a file part makes the form multipart
    answer = page.client.post(f"/api/photos/{key}/extension", data=data, files={"x": b""})
    name, told = page.finish(answer)[-1]
    assert name == "done", told
    return dict(json.loads(told))


def test_values_go_on_a_larger_canvas_and_back(photo: np.ndarray) -> None:
    for values in (photo, photo[..., 0], HOLE):
        larger = on_larger(values, GROWTH)
        assert larger.shape[:2] == (58, 74) and (larger[INNER] == values).all()
        assert larger.sum() == values.sum()
        assert (on_smaller(larger, GROWTH) == values).all()
        assert on_larger(values, Extension()) is on_smaller(values, Extension()) is values


def test_photo_grows_and_shrinks_with_mask_and_strokes(page: ServedPage, photo: np.ndarray) -> None:
    key = page.open(photo)["key"]
    repair(page, key)
    once = pixels(page, key)
    page.client.put(f"/api/photos/{key}/mask", content=encode_bits(HOLE))
    strokes = np.zeros((48, 64, 4), np.uint8)
    strokes[20, 5:30] = (255, 0, 0, 255)
    page.client.put(f"/api/photos/{key}/sketch", content=encoded(strokes))

    told = extend(page, key, "left=10,top=6,bottom=4")
    assert told["extension"] == [10, 6, 0, 4] and (told["width"], told["height"]) == (74, 58)
    assert told["box"] == [0, 0, 74, 58] and told["repairs"] == 2 and told["masked"]
    grown = pixels(page, key)
    new = ~box_mask(58, 74, 6, 10, 54, 74)
    assert (grown[INNER] == once).all() and (grown[new] == REPAIRED).all()
    mask = decoded(page.client.get(f"/api/photos/{key}/mask").content)
    assert mask.shape == (58, 74) and (mask[INNER] == HOLE).all() and mask.sum() == HOLE.sum()
    sketch = decoded(page.client.get(f"/api/photos/{key}/sketch").content)
    assert (sketch > 0).sum() == 25 and sketch[26, 15:40].all()

    repair(page, key, new & box_mask(58, 74, 0, 0, 58, 20))
    undone = page.client.post(f"/api/photos/{key}/repairs/undo").json()
    assert undone["extension"] == [0, 0, 0, 0] and undone["width"] == 74
    undone = page.client.post(f"/api/photos/{key}/repairs/undo").json()
    assert undone["extension"] == [-10, -6, 0, -4] and undone["changed"] == [0, 0, 64, 48]
    assert (pixels(page, key) == once).all()
    redone = page.client.post(f"/api/photos/{key}/repairs/redo").json()
    assert redone["extension"] == [10, 6, 0, 4] and redone["width"] == 74
    assert (pixels(page, key) == grown).all()
    heat = decoded(page.client.get(f"/api/photos/{key}/view", params={"of": "uncertainty"}).content)
    assert (heat[new][:, 3] > 0).all() and (heat[INNER][HOLE][:, 3] > 0).all()

    page.client.post(f"/api/photos/{key}/repairs/undo")
    page.client.post(f"/api/photos/{key}/repairs/undo")
    assert (pixels(page, key) == photo).all()
    told = repair(page, key, box_mask(48, 64, 30, 3, 36, 9))
    assert told["width"] == 64 and told["undone"] == 0, "what was undone is gone"


def test_two_extensions_outlive_the_server_and_variants_are_of_the_canvas(
    page: ServedPage, photo: np.ndarray
) -> None:
    key = page.open(photo)["key"]
    extend(page, key, "left=10,top=6,bottom=4")
    told = extend(page, key, "2:1", variants=3)
    assert (told["width"], told["height"], told["choices"]) == (116, 58, 3)
    page.client.put(f"/api/photos/{key}/repairs/choice", json={"choice": 2})
    chosen = pixels(page, key)
    inner = (slice(6, 54), slice(31, 95))
    assert (chosen[inner] == photo).all() and (chosen[:, :20] != REPAIRED).any()
    session = Store(page.state).get(key)
    assert session.shape == (58, 116) and (session.pixels() == chosen).all()
    session.undo()
    session.undo()
    assert (session.pixels() == photo).all() and session.shape == (48, 64)
    hole = decoded(page.client.get(f"/api/photos/{key}/repairs/0/mask").content)
    assert hole.shape == (58, 74) and (hole == ~box_mask(58, 74, 6, 10, 54, 74)).all()


def test_original_is_shown_on_the_larger_canvas(page: ServedPage, photo: np.ndarray) -> None:
    key = page.open(photo)["key"]
    extend(page, key, "left=10,top=6,bottom=4")
    before = decoded(page.client.get(f"/api/photos/{key}/view", params={"of": "before"}).content)
    assert (before[INNER][..., :3] == photo).all() and (before[INNER][..., 3] == 255).all()
    assert before.shape == (58, 74, 4) and not before[:6, :, 3].any()
    now = decoded(page.client.get(f"/api/photos/{key}/view").content)
    assert now.shape == (58, 74, 3)


def test_alpha_exif_and_mode_are_of_the_larger_photo(page: ServedPage) -> None:
    layers = np.dstack([make_photo(64, 64), np.full((64, 64), 255, np.uint8)])
    layers[:, 40:, 3] = 0
    exif = Image.Exif()
    exif[0x8769] = {0xA002: 64}  # PixelXDimension
    key = page.open(layers, exif=exif)["key"]
    extend(page, key, "right=16")
    image = Image.open(io.BytesIO(page.client.get(f"/api/photos/{key}/file").content))
    assert image.mode == "RGBA" and image.size == (80, 64)
    alpha = np.asarray(image)[..., 3]
    assert not alpha[:, 40:64].any() and (alpha[:, 64:] == 255).all()
    assert image.getexif().get_ifd(0x8769)[0xA002] == 80


def test_damage_is_looked_for_again_on_another_size(page: ServedPage, photo: np.ndarray) -> None:
    key = page.open(photo)["key"]
    events = page.finish(page.client.post(f"/api/photos/{key}/damage"))
    assert events[-1][0] == "done"
    extend(page, key, "right=16")
    refused = page.client.get(f"/api/photos/{key}/damage")
    assert refused.status_code == 409 and "looked for again" in refused.json()["error"]


def test_repair_and_extension_at_the_same_time(page: ServedPage, photo: np.ndarray) -> None:
    """What was asked of a photo of another size is refused when its turn comes, and nothing is lost."""
    key = page.open(photo)["key"]
    page.network.gate.clear()
    first = page.client.post(
        f"/api/photos/{key}/extension", data={"extension": "right=16"}, files={"x": b""}
    )
    second = page.client.post(f"/api/photos/{key}/repairs", files={"mask": encode_bits(HOLE)})
    page.network.gate.set()
    assert page.finish(first)[-1][0] == "done"
    name, told = page.finish(second)[-1]
    assert name == "failed" and "was extended" in told
    state = page.client.get(f"/api/photos/{key}").json()
    assert state["width"] == 80 and state["masked"] and state["repairs"] == 1


def test_cancelled_extension_changes_nothing(page: ServedPage, photo: np.ndarray) -> None:
    key = page.open(photo)["key"]
    page.network.gate.clear()
    answer = page.client.post(
        f"/api/photos/{key}/extension",
        data={"extension": "right=16", "variants": "4"},
        files={"x": b""},
    )
    page.client.delete(f"/api/jobs/{answer.json()['job']}")
    page.network.gate.set()
    assert page.finish(answer)[-1][0] == "cancelled"
    assert (pixels(page, key) == photo).all()


def test_script_extends_a_file_in_one_request(page: ServedPage, photo: np.ndarray) -> None:
    files = {"photo": ("a.png", encoded(photo))}
    answer = page.client.post("/api/repair", files=files, data={"extension": "left=10"})
    result = decoded(answer.content)
    assert result.shape == (48, 74, 3) and (result[:, 10:] == photo).all()
    assert (result[:, :10] == REPAIRED).all()


@pytest.mark.parametrize(
    ("extension", "message"),
    [
        ("", "must read like left=20%"),
        ("left=0", "by 1 pixel or more"),
        ("left=1000", "at most 4 times"),
        ("64:48", "another than the photo's"),
    ],
)
def test_extensions_that_cannot_be_are_told_at_once(
    page: ServedPage, photo: np.ndarray, extension: str, message: str
) -> None:
    key = page.open(photo)["key"]
    answer = page.client.post(
        f"/api/photos/{key}/extension", data={"extension": extension}, files={"x": b""}
    )
    assert answer.status_code == 400 and message in answer.json()["error"]


def test_canvas_is_limited_like_a_photo(
    page: ServedPage, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = page.open(photo)["key"]
    monkeypatch.setattr(limits, "MAX_PIXELS", 64 * 48)
    answer = page.client.post(
        f"/api/photos/{key}/extension", data={"extension": "left=1"}, files={"x": b""}
    )
    assert answer.status_code == 413 and "65 x 48" in answer.json()["error"]
