"""A whole photo as one graph: the box, the scales and the paste against what NumPy and OpenCV say."""

from typing import Any

import cv2
import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.painting import _shrunk, enlarged
from cnnlg_tf.models import whole_photo
from cnnlg_tf.models.whole_photo import crop_box, is_thick, repair_photo, work_size
from tests.conftest import make_mask, make_photo


@pytest.fixture(scope="module")
def repair(tiny_model: Any) -> Any:
    graph = tf.function(
        lambda image, mask: repair_photo(tiny_model, image, mask),
        input_signature=[tf.TensorSpec([1, None, None, channels], tf.uint8) for channels in (3, 1)],
        autograph=False,
    )
    return lambda photo, mask: graph(photo[None], mask[None, ..., None]).numpy()[0]


@pytest.fixture(scope="module")
def inpainter(tiny_network: Any) -> Inpainter:
    return Inpainter(tiny_network)


def box(height: int, width: int, *holes: tuple[slice, slice]) -> list[int]:
    hole = np.zeros((1, height, width, 1), np.float32)
    for rows, columns in holes:
        hole[0, rows, columns] = 1.0
    return [int(side) for side in crop_box(tf.constant(hole))]


def test_the_crop_is_the_hole_with_what_is_around() -> None:
    whole = slice(None)
    assert box(300, 512, (slice(3, 5), slice(9, 12))) == [0, 300, 0, 512]  # a small photo is itself
    assert box(900, 1000, (slice(400, 440), slice(600, 620))) == [356, 128, 562, 96]
    assert box(900, 1000, (slice(0, 10), slice(990, 1000))) == [0, 96, 904, 96]  # at the border
    assert box(900, 1000, (slice(100, 110), whole)) == [57, 96, 0, 1000]
    assert box(900, 1000, (slice(0, 400), slice(0, 400))) == [0, 672, 0, 672]  # context up to 128
    assert box(900, 1000, (slice(5, 6), slice(5, 6)), (slice(899, 900), slice(0, 1)))[1] == 900
    assert box(900, 1000) == [0, 96, 0, 96]  # no hole


@pytest.mark.parametrize(
    ("crop", "size"),
    [
        ((512, 512), (512, 512)),
        ((100, 37), (100, 37)),
        ((1024, 1024), (512, 512)),
        ((1000, 262), (1000, 262)),
        ((4096, 64), (4096, 64)),
        ((40000, 20), (22897, 16)),
    ],
)
def test_the_working_size_is_bounded_by_area(crop: tuple[int, int], size: tuple[int, int]) -> None:
    found = work_size(tf.constant(crop[0]), tf.constant(crop[1]))
    assert found[0].numpy() == pytest.approx(size[0], abs=1) and found[1].numpy() == size[1]


def test_scales_are_those_of_windows() -> None:
    """At half the size, and back: as `inference.painting` shrinks and enlarges."""
    image = np.random.default_rng(0).random((48, 64, 3), np.float32)
    hole = make_mask() > 0
    low, low_hole = whole_photo.shrunk(
        tf.constant(image[None]),
        tf.constant(hole[None, ..., None].astype(np.float32)),
        tf.constant(24),
        tf.constant(32),
    )
    expected, expected_hole = _shrunk(image, hole, 2)
    assert np.array_equal(low_hole.numpy()[0, ..., 0] > 0.5, expected_hole)
    known = ~expected_hole
    np.testing.assert_allclose(low.numpy()[0][known], expected[known], atol=1e-5)
    back = whole_photo.enlarged(low, tf.constant(48), tf.constant(64)).numpy()[0]
    inside = (slice(4, -4), slice(4, -4))  # at the border OpenCV repeats the last pixel
    np.testing.assert_allclose(back[inside], enlarged(low.numpy()[0])[inside], atol=1e-5)


def test_a_picture_at_its_own_size_is_itself() -> None:
    image = np.random.default_rng(0).random((1, 37, 51, 3), np.float32)
    nothing = tf.zeros([1, 37, 51, 1])
    size = tf.constant(37), tf.constant(51)
    same, hole = whole_photo.shrunk(tf.constant(image), nothing, *size)
    assert np.array_equal(same, image) and not hole.numpy().any()
    assert np.array_equal(whole_photo.enlarged(tf.constant(image), *size), image)


@pytest.mark.parametrize("radius", [20, 30, 44, 60])
def test_thick_is_what_training_did_not_see(radius: int) -> None:
    disc = cv2.circle(np.zeros((200, 260), np.float32), (120, 90), radius, 1.0, -1)
    assert bool(is_thick(tf.constant(disc[None, ..., None]))) == (radius > 32)
    bar = np.zeros((1, 200, 260, 1), np.float32)
    bar[:, :, 30 : 30 + 2 * radius] = 1.0  # to both borders
    assert bool(is_thick(tf.constant(bar))) == (radius > 32)


@pytest.mark.parametrize("size", [(48, 64), (51, 77), (16, 16)])
def test_small_photos_are_repaired_as_inpaint_does(
    repair: Any, inpainter: Inpainter, size: tuple[int, int]
) -> None:
    photo, mask = make_photo(*size), make_mask(*size)
    found = repair(photo, mask).astype(int)
    expected = inpainter.repair(photo, mask).photo
    assert np.array_equal(found[mask == 0], photo[mask == 0])
    assert np.abs(found - expected)[mask > 0].mean() < 0.5  # of 255: ties of the synthesis


def test_thick_holes_and_large_photos(repair: Any) -> None:
    photo = make_photo(300, 560)
    mask = np.zeros((300, 560), np.uint8)
    mask[100:200, 200:350] = 255
    found = repair(photo, mask)
    assert np.array_equal(found[mask == 0], photo[mask == 0])
    assert (found[mask > 0] != photo[mask > 0]).mean() > 0.9
    rim = np.s_[99:101, 200:350]  # goes on where the photo ends
    assert np.abs(np.diff(found[rim].astype(int), axis=0)).mean() < 40


def test_what_the_hole_holds_is_never_looked_at(repair: Any) -> None:
    photo, mask = make_photo(), make_mask()
    other = np.where(mask[..., None] > 0, np.uint8(255), photo)
    assert np.array_equal(repair(photo, mask), repair(other, mask))


def test_no_hole_all_hole_and_grey_masks(repair: Any) -> None:
    photo = make_photo()
    nothing = np.zeros(photo.shape[:2], np.uint8)
    assert np.array_equal(repair(photo, nothing), photo)
    assert repair(photo, nothing + 255).shape == photo.shape
    grey = np.where(make_mask() > 0, 128, 127).astype(np.uint8)
    assert np.array_equal(repair(photo, grey), repair(photo, make_mask()))


def test_decode_and_refine_are_repair(tiny_model: Any) -> None:
    image = make_photo()[None].astype(np.float32) / 255.0
    mask = (make_mask() > 0)[None, ..., None].astype(np.float32)
    guide = tiny_model.decode(image, mask)
    known = mask[..., 0] < 0.5
    assert np.array_equal(guide.numpy()[known], image[known])
    twice = tiny_model.refine(image, mask, guide).numpy()
    assert np.abs(twice - tiny_model.repair(image, mask)[0].numpy()).mean() < 1e-3
