from typing import Any

import numpy as np
import pytest

from cnnlg_tf.errors import ImageError, MaskError, ServingError
from cnnlg_tf.serving.client import arrays

PHOTO = arrays.photo_batch(np.zeros((2, 4, 6, 3)))


def test_photos_gain_a_batch_axis_and_a_unit_range() -> None:
    batch = arrays.photo_batch(np.full((4, 6, 3), 51, np.uint8))
    assert batch.shape == (1, 4, 6, 3)
    assert batch.dtype == np.float32
    np.testing.assert_allclose(batch, 0.2)


@pytest.mark.parametrize(
    "mask",
    [
        np.ones((4, 6), bool),
        np.ones((4, 6), np.uint8),
        np.full((4, 6, 1), 255, np.uint8),
        np.ones((1, 4, 6, 1)),
        np.ones((2, 4, 6), np.float16),
        np.ones((2, 4, 6, 1)),
    ],
)
def test_masks_of_every_form_become_one(mask: np.ndarray) -> None:
    batch = arrays.mask_batch(mask, PHOTO)
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, np.ones((2, 4, 6, 1)))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 6)), r"must be \[height, width, 3\].*Received: image.shape=\(4, 6\)"),
        (np.zeros((4, 6, 4)), r"Received: image.shape=\(4, 6, 4\)"),
        (np.zeros((0, 6, 3)), r"Received: image.shape=\(0, 6, 3\)"),
        (np.zeros((4, 6, 3), int), r"floats in \[0, 1\] or uint8. Received: image.dtype=int64"),
        (np.full((4, 6, 3), 255.0), r"must lie in \[0, 1\]. Received: from 255 to 255"),
        (np.full((4, 6, 3), np.nan), "Received: from nan to nan"),
    ],
)
def test_what_is_no_photo_is_refused(image: Any, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        arrays.photo_batch(image)


def test_masks_of_another_photo_are_refused() -> None:
    with pytest.raises(MaskError, match=r"like the image \(4, 6\). Received: mask.shape=\(6, 4\)"):
        arrays.mask_batch(np.zeros((6, 4)), PHOTO)
    with pytest.raises(MaskError, match=r"Received: mask.shape=\(3, 4, 6, 1\)"):
        arrays.mask_batch(np.zeros((3, 4, 6, 1)), PHOTO)
    with pytest.raises(MaskError, match=r"mask must lie in \[0, 1\]. Received: from -1 to -?0"):
        arrays.mask_batch(-np.eye(4, 6), PHOTO)


def test_seeds_keep_all_their_bits() -> None:
    assert arrays.seed_pair(5).tolist() == [5, 0]
    assert arrays.seed_pair(2**64 - 1).tolist() == [-1, -1]
    assert arrays.seed_pair(3 * 2**32 + 2**31).tolist() == [-(2**31), 3]
    for seed in (-1, 2**64):
        with pytest.raises(ServingError, match=f"from 0 to .* Received: {seed}"):
            arrays.seed_pair(seed)


@pytest.mark.parametrize(
    "outputs", [{}, {"repaired": np.zeros(())}, {"repaired": np.zeros((0, 4))}]
)
def test_replies_of_another_model_are_refused(outputs: dict[str, np.ndarray]) -> None:
    with pytest.raises(ServingError, match="must hold a batch of 'repaired'. Received: {"):
        arrays.as_repair(np.zeros((4, 4, 3)), outputs)
    with pytest.raises(ServingError, match="must hold a batch of 'repaired_bytes'"):
        arrays.as_bytes(outputs)
