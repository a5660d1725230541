"""Strokes go to the server and back, reach the network where the photo is marked, and are done when it is repaired."""

import json

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import ImageError
from cnnlg_tf.ui.bits import encode_bits
from cnnlg_tf.ui.sketches import Sketch, decode_sketch, encode_sketch
from cnnlg_tf.ui.store import Store
from tests.conftest import make_photo
from tests.ui.pages import ServedPage, box_mask, encoded
from tests.ui.test_photos import HOLE, repair


def strokes_of(page: ServedPage, key: str) -> np.ndarray:
    """RGBA of the strokes that the server has."""
    data = page.client.get(f"/api/photos/{key}/sketch").content
    sketch = decode_sketch(data, "s.png")
    layer = sketch.layer((slice(None), slice(None)), np.ones(sketch.places.shape, bool))
    if layer is None:
        return np.zeros((*sketch.places.shape, 4), np.uint8)
    assert layer.alpha is not None
    return np.dstack([layer.pixels, layer.alpha])


def test_sketch_is_a_proper_png_file() -> None:
    rng = np.random.default_rng(0)
    sketch = Sketch(
        rng.integers(0, 4, (7, 9)).astype(np.uint8), rng.integers(0, 256, (3, 3)).astype(np.uint8)
    )
    data = encode_sketch(sketch)
    back = decode_sketch(data, "s.png")
    assert (back.places == sketch.places).all() and (back.colours == sketch.colours).all()
    import io

    layers = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    drawn = sketch.places > 0
    assert (layers[..., 3] == 255 * drawn).all()
    assert (layers[drawn][:, :3] == sketch.colours[sketch.places[drawn] - 1]).all()


@pytest.mark.parametrize("colours", [1, 255, 2000])
def test_other_files_with_a_transparent_layer_are_taken(colours: int) -> None:
    rng = np.random.default_rng(1)
    layers = np.zeros((50, 60, 4), np.uint8)
    palette = rng.integers(0, 256, (colours, 3))
    layers[5:45, 5:55, :3] = palette[np.arange(2000).reshape(40, 50) % colours]
    layers[5:45, 5:55, 3] = 255
    sketch = decode_sketch(encoded(layers), "s.png")
    drawn = layers[..., 3] > 0
    assert ((sketch.places > 0) == drawn).all()
    error = np.abs(sketch.colours[sketch.places[drawn] - 1].astype(int) - layers[drawn][:, :3])
    assert error.max() == 0 if colours <= 255 else error.mean() < 16


def test_broken_and_opaque_files_are_told() -> None:
    data = encode_sketch(Sketch(np.full((4, 4), 3, np.uint8), np.zeros((1, 3), np.uint8)))
    with pytest.raises(ImageError, match="transparent layer"):
        decode_sketch(encoded(make_photo(20, 20)), "photo.png")
    with pytest.raises(ImageError):
        decode_sketch(data[:40], "cut.png")
    assert decode_sketch(data, "s.png").places.shape == (4, 4), "a place without a colour"
    assert not decode_sketch(encoded(np.zeros((20, 20, 4), np.uint8)), "s.png").places.any()


def test_strokes_are_kept_and_reach_the_network_where_marked(
    page: ServedPage, photo: np.ndarray
) -> None:
    key = page.open(photo)["key"]
    strokes = np.zeros((48, 64, 4), np.uint8)
    strokes[12, 5:60] = (255, 0, 0, 255)
    answer = page.client.put(f"/api/photos/{key}/sketch", content=encoded(strokes))
    assert answer.status_code == 204
    assert page.client.get(f"/api/photos/{key}").json()["sketched"]
    assert (strokes_of(page, key) == strokes).all()
    assert [photo["key"] for photo in page.client.get("/api/photos").json()] == [key]
    kept = Store(page.state).get(key).sketch()
    assert (kept.places > 0).sum() == 55

    told = repair(page, key)
    (asked,) = page.network.asked
    assert asked.sketch is not None
    drawn = np.zeros((48, 64), bool)
    drawn[12, 20:40] = True
    assert (asked.sketch.drawn == drawn).all(), "strokes count where the photo is marked"
    assert (asked.sketch.colours[drawn] == (1, 0, 0)).all()
    assert told["sketched"]
    strokes[12, 20:40] = 0
    assert (strokes_of(page, key) == strokes).all(), "those that were followed are done"

    page.network.asked.clear()
    repair(page, key, box_mask(48, 64, 30, 30, 36, 40))
    assert page.network.asked[0].sketch is None
    page.client.put(f"/api/photos/{key}/sketch", content=encoded(np.zeros((48, 64, 4), np.uint8)))
    assert not page.client.get(f"/api/photos/{key}").json()["sketched"]


def test_sketch_comes_with_the_request_of_a_script(page: ServedPage, photo: np.ndarray) -> None:
    strokes = np.zeros((48, 64, 4), np.uint8)
    strokes[12, 5:60] = (0, 0, 0, 255)
    key = page.open(photo)["key"]
    files = {"mask": encode_bits(HOLE), "sketch": ("s.png", encoded(strokes))}
    assert page.finish(page.client.post(f"/api/photos/{key}/repairs", files=files))[-1][0] == "done"
    files |= {"photo": ("a.png", encoded(photo))}
    assert page.client.post("/api/repair", files=files).status_code == 200
    assert [asked.sketch is not None for asked in page.network.asked] == [True, True]


def test_network_that_cannot_sketch_is_not_asked_to(
    page: ServedPage, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = page.open(photo)["key"]
    strokes = np.zeros((48, 64, 4), np.uint8)
    strokes[12, 5:60] = (0, 0, 0, 255)
    page.client.put(f"/api/photos/{key}/sketch", content=encoded(strokes))
    monkeypatch.setattr(page.network, "can", frozenset({"detail"}))
    repair(page, key)
    assert page.network.asked[0].sketch is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encoded(np.zeros((10, 10, 4), np.uint8)), "like the photo (48, 64)"),
        (encoded(make_photo()), "on a transparent layer"),
        (b"x", "no image that can be read"),
    ],
)
def test_sketches_that_do_not_fit_are_refused(
    page: ServedPage, photo: np.ndarray, content: bytes, message: str
) -> None:
    key = page.open(photo)["key"]
    answer = page.client.put(f"/api/photos/{key}/sketch", content=content)
    assert answer.status_code == 400 and message in answer.json()["error"]


def test_search_tells_its_progress(page: ServedPage) -> None:
    """Each window of each octave is a step; a cancelled search keeps what an earlier one found."""
    key = page.open(make_photo(700, 900))["key"]
    shares: list[float] = []
    answer = page.client.post(f"/api/photos/{key}/damage")
    events = page.finish(answer)
    shares = [json.loads(data)["share"] for name, data in events if name == "progress"]
    assert events[-1][0] == "done" and shares[-1] == 1.0
