"""Photos made new: squares of the size asked for, from photos of any size; all chance comes from the generator."""

from collections.abc import Callable
from itertools import repeat

import numpy as np
import pytest

from cnnlg_tf.data.synthetic import dead_leaves
from cnnlg_tf.data.variety import cut_turned, join, recolour, vary


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return dead_leaves(200, np.random.default_rng(0))[:150]


@pytest.mark.parametrize("size", [(150, 200), (40, 31), (1, 90), (400, 64)])
def test_a_cut_fits_photos_of_any_size(size: tuple[int, int], photo: np.ndarray) -> None:
    small = np.resize(photo, (*size, 3))
    for seed in range(20):
        cut = cut_turned(small, 64, np.random.default_rng(seed))
        assert cut.shape == (64, 64, 3) and cut.dtype == np.uint8
        assert small.min() <= cut.mean() <= small.max()


def test_a_cut_shows_the_photo_and_nothing_else() -> None:
    """Of a photo that is red on its left and blue on its right: all cuts are of these colours, not all alike."""
    photo = np.zeros((120, 160, 3), np.uint8)
    photo[:, :80, 0], photo[:, 80:, 2] = 200, 200
    shares = []
    for seed in range(40):
        cut = cut_turned(photo, 48, np.random.default_rng(seed)).astype(int)
        pure = (np.abs(cut - (200, 0, 0)).max(-1) < 30) | (np.abs(cut - (0, 0, 200)).max(-1) < 30)
        assert pure.mean() > 0.8
        shares.append((cut[..., 0] > 100).mean())
    assert min(shares) < 0.2 and max(shares) > 0.8 and 0.3 < np.mean(shares) < 0.7


@pytest.mark.parametrize("make", [recolour, lambda x, rng: join(x, 255 - x, rng)])
def test_what_is_made_is_an_image_and_new(
    make: Callable[[np.ndarray, np.random.Generator], np.ndarray], photo: np.ndarray
) -> None:
    square = photo[:96, :96]
    made = [make(square, np.random.default_rng(seed)) for seed in range(30)]
    assert all(each.shape == square.shape and each.dtype == np.uint8 for each in made)
    changed = [np.abs(each.astype(int) - square).mean() > 3 for each in made]
    assert np.mean(changed) > 0.6
    assert len({each.tobytes() for each in made}) > 20


def test_chance_comes_from_the_generator_alone(photo: np.ndarray) -> None:
    first, again, other = (
        vary(repeat(photo), 64, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first.shape == (64, 64, 3)
