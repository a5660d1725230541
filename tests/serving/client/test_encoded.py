"""What `repair_bytes` sends is plain, and what it gives back is the caller's photo."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from cnnlg_tf.errors import ImageError, MaskError, ServingError
from cnnlg_tf.photos import decode_photo, encode_photo
from cnnlg_tf.photos.photo import Photo
from cnnlg_tf.serving.client.encoded import EncodedRepair

PIXELS = np.random.default_rng(0).integers(0, 255, (12, 20, 3), np.uint8)
HOLE = np.zeros((12, 20), bool)
HOLE[2:5, 3:9] = True


def encoded(array: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def served(pair: EncodedRepair) -> bytes:
    """A server that paints 128 into the hole, with what any PNG library reads."""
    inputs = {name: Image.open(io.BytesIO(value[0])) for name, value in pair.inputs().items()}
    assert {image.mode for image in inputs.values()} <= {"RGB", "L"}
    hole = np.asarray(inputs["mask_bytes"]) > 127
    photo = np.where(hole[..., np.newaxis], 128, np.asarray(inputs["image_bytes"]))
    return pair.finish(encoded(photo.astype(np.uint8)))


MASK = encoded(HOLE.astype(np.uint8) * 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_photo_travels_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "a view"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(PIXELS, "PNG", exif=exif.tobytes(), icc_profile=profile, dpi=(300, 300))
    upright = decode_photo(data, "p").pixels
    hole = np.zeros(upright.shape[:2], bool)
    hole[1:4, 2:9] = True
    reply = served(EncodedRepair.of(data, encoded(hole.astype(np.uint8) * 255)))
    photo = Image.open(io.BytesIO(reply))
    np.testing.assert_array_equal(np.asarray(photo), np.where(hole[..., None], 128, upright))
    assert photo.getexif()[0x010E] == "a view"
    assert photo.getexif().get(0x0112, 1) == 1
    assert photo.info["icc_profile"] == profile
    assert round(photo.info["dpi"][0]) == 300


def test_alpha_and_depth_come_back_and_hidden_colours_are_not_known() -> None:
    deep = PIXELS.astype(np.uint16) * 257 + 3
    alpha = np.full(HOLE.shape, 65535, np.uint16)
    alpha[9:] = 0
    data = encode_photo(Photo(deep, alpha=alpha, bits=16), "PNG")
    pair = EncodedRepair.of(data, MASK)
    sent = np.asarray(Image.open(io.BytesIO(pair.inputs()["mask_bytes"][0])))
    np.testing.assert_array_equal(sent > 127, HOLE | (alpha == 0))
    back = decode_photo(served(pair), "back")
    np.testing.assert_array_equal(back.pixels[~HOLE], deep[~HOLE])
    np.testing.assert_array_equal(back.pixels[HOLE], 128 * 257)
    np.testing.assert_array_equal(back.alpha, alpha)


@pytest.mark.parametrize(
    "mask",
    [
        np.dstack([np.full((12, 20, 3), 255, np.uint8), HOLE.astype(np.uint8) * 255]),
        np.dstack([np.zeros((12, 20, 3), np.uint8), HOLE.astype(np.uint8) * 255]),
        HOLE.astype(np.uint8),
        np.dstack([HOLE.astype(np.uint8) * 255, *[np.zeros((12, 20), np.uint8)] * 2]),
        HOLE,
    ],
    ids=["white on transparent", "black on transparent", "0 and 1", "red", "1 bit"],
)
def test_masks_mean_what_they_mean_everywhere(mask: np.ndarray) -> None:
    pair = EncodedRepair.of(encoded(PIXELS), encoded(mask))
    np.testing.assert_array_equal(pair.hole, HOLE)


def test_what_cannot_be_a_photo_and_its_mask_or_the_reply() -> None:
    with pytest.raises(ImageError, match="photo of the request"):
        EncodedRepair.of(b"no photo", MASK)
    with pytest.raises(MaskError, match="mask of the request"):
        EncodedRepair.of(encoded(PIXELS), b"no mask")
    with pytest.raises(MaskError, match="mask must be .* like the photo"):
        EncodedRepair.of(encoded(PIXELS), encoded(HOLE[:9].astype(np.uint8)))
    pair = EncodedRepair.of(encoded(PIXELS), MASK)
    with pytest.raises(ServingError, match="the reply must be a photo of shape") as caught:
        pair.finish(encoded(PIXELS[:9]))
    assert caught.value.code == "INTERNAL"
