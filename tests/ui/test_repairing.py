"""A stroke is repaired in a part of the photo, to the same pixels as in the whole."""

import io
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image, ImageCms

from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.windows import Box
from cnnlg_tf.photos import Metadata, Photo, decode_mask
from cnnlg_tf.ui.bits import decode_bits, encode_bits
from cnnlg_tf.ui.edits import Edit
from cnnlg_tf.ui.jobs import Job
from cnnlg_tf.ui.repairing import Wishes, part_around, repair_session
from cnnlg_tf.ui.sessions import Session
from cnnlg_tf.ui.views import view
from tests.conftest import make_photo
from tests.networks import MeanFill
from tests.ui.pages import box_mask, decoded, encoded


@pytest.mark.parametrize(
    ("mask", "part"),
    [
        (box_mask(4000, 6000, 2000, 3000, 2010, 3100), Box(1280, 2304, 2560, 3840)),
        (box_mask(4000, 6000, 0, 0, 5, 5), Box(0, 0, 768, 768)),
        (box_mask(300, 300, 100, 100, 200, 200), Box(0, 0, 300, 300)),
        (box_mask(4000, 6000, 1000, 0, 3000, 2000), Box(0, 0, 4000, 4096)),
    ],
)
def test_part_holds_the_strokes_and_their_surroundings(mask: np.ndarray, part: Box) -> None:
    assert part_around(mask) == part


@pytest.mark.parametrize("hole", [(700, 900, 712, 1010), (1300, 1400, 1440, 1490)])
def test_part_gives_the_pixels_of_the_whole(tmp_path: Any, hole: tuple[int, int, int, int]) -> None:
    """MeanFill depends on all that a window shows: equal windows, equal pixels."""
    photo = np.random.default_rng(0).integers(0, 256, (1500, 1600, 3), np.uint8)
    mask = box_mask(1500, 1600, *hole)
    session = Session.create(tmp_path / "s", "a.bmp", encoded(photo, "a.bmp"), None)
    inpainter = Inpainter(MeanFill())
    repair_session(inpainter, session, mask, Wishes(), Job(lambda job: {}))
    assert (session.pixels() == inpainter.repair(photo, mask).photo).all()
    part = part_around(mask)
    assert part != Box(0, 0, 1500, 1600)


def test_hidden_colours_are_no_surroundings(tmp_path: Any) -> None:
    layers = np.dstack([make_photo(64, 64), np.full((64, 64), 255, np.uint8)])
    layers[:, 32:] = (255, 255, 255, 0)
    session = Session.create(tmp_path / "s", "a.png", encoded(layers), None)
    mask = box_mask(64, 64, 10, 10, 20, 20)
    repair_session(Inpainter(MeanFill()), session, mask, Wishes(), Job(lambda job: {}))
    known = layers[:, :32, :3][~mask[:, :32]]
    assert np.abs(session.pixels()[mask].mean(axis=0) - known.mean(axis=0)).max() < 1
    assert (session.result().alpha == layers[..., 3]).all()


def test_edit_comes_back_from_its_file(tmp_path: Any) -> None:
    hole = np.random.default_rng(0).random((5, 7)) < 0.5
    count = int(hole.sum())
    values = [np.full((count, 3), value, np.uint16) for value in (1, 2, 3)]
    edit = Edit(Box(3, 4, 8, 11), hole, values[0], tuple(values[1:]), np.full(count, 9, np.uint8))
    edit.save(tmp_path / "0.npz")
    back = Edit.load(tmp_path / "0.npz")
    assert back.box == edit.box and (back.hole == hole).all()
    pixels = np.full((20, 20, 3), 1, np.uint16)
    back.put(pixels, 1)
    assert (pixels[3:8, 4:11][hole] == 3).all() and pixels.sum() == 20 * 20 * 3 + 2 * 3 * count
    assert (back.taken_back(pixels) == 1).all() and (pixels == 1).all()
    assert back.whole_hole(20, 20).sum() == count


@pytest.mark.parametrize("width", [1, 7, 8, 9, 64])
def test_one_bit_masks_are_proper_png_files(width: int) -> None:
    mask = np.random.default_rng(width).random((5, width)) < 0.5
    data = encode_bits(mask)
    image = Image.open(io.BytesIO(data))
    assert image.mode == "1" and (np.asarray(image) == mask).all()
    assert (decode_mask(data, "m.png") == mask).all()
    back = decode_bits(data)
    assert back is not None and back.dtype == bool and (back == mask).all()


def test_other_files_are_left_to_the_decoder() -> None:
    mask = box_mask(40, 50, 3, 4, 20, 30)
    data = encode_bits(mask)
    grey = encoded((mask * 255).astype(np.uint8))
    filtered = encoded(make_photo(40, 50)[..., 0] > 128)
    bomb = encode_bits(np.zeros((4000, 4000), bool)).replace(
        (4000).to_bytes(4) * 2, (4000).to_bytes(4) + (10).to_bytes(4)
    )
    for other in (b"", b"x" * 100, data[:60], grey, bomb, encoded(make_photo(40, 50))):
        assert decode_bits(other) is None
    found = decode_bits(filtered)
    assert found is None or (found == (make_photo(40, 50)[..., 0] > 128)).all()


def test_views_carry_profiles_of_colour_only() -> None:
    pixels = make_photo()
    whole = Box(0, 0, 48, 64)
    deep = Photo((pixels.astype(np.uint16) << 8) + pixels)
    data, media_type = view(deep, deep.pixels, whole, 64)
    assert media_type == "image/png" and (decoded(data) == pixels).all()
    unknown = pixels.astype(np.float32) / 255
    unknown[0, 0] = np.nan
    data, _ = view(Photo(unknown), unknown, whole, 64)
    assert (decoded(data)[0, 0] == 0).all() and (decoded(data)[1:] == pixels[1:]).all()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    coloured = Photo(pixels, metadata=Metadata(icc_profile=profile))
    data, _ = view(coloured, pixels, whole, 64)
    assert cast(Any, Image.open(io.BytesIO(data))).info["icc_profile"] == profile
