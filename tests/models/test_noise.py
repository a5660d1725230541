"""Noise by look-ups: normal, another for every seed, without a pattern."""

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.inference.network import seed_pair
from cnnlg_tf.models import noise

SHAPE = (2, 48, 40, 6)


def draw(seed: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.asarray(noise.normal(tf.constant(shape), tf.constant(seed_pair(seed))))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_numbers_are_normal() -> None:
    drawn = draw(7)
    assert drawn.shape == SHAPE and drawn.dtype == np.float32
    assert abs(drawn.mean()) < 0.02 and drawn.std() == pytest.approx(1.0, abs=0.02)
    inside = [np.mean(np.abs(drawn) < bound) for bound in (0.5, 1.0, 2.0)]
    np.testing.assert_allclose(inside, [0.383, 0.683, 0.954], atol=0.01)
    np.testing.assert_array_equal(drawn, draw(7))


def test_no_place_tells_of_another() -> None:
    drawn = draw(3)
    for axis in range(4):
        for distance in (1, 2, 3):
            if distance < SHAPE[axis]:
                after = np.take(drawn, range(distance, SHAPE[axis]), axis)
                before = np.take(drawn, range(SHAPE[axis] - distance), axis)
                assert abs(correlation(before, after)) < 0.05
    rows = np.corrcoef(drawn.reshape(-1, SHAPE[2] * SHAPE[3]))
    assert np.abs(rows - np.eye(len(rows))).max() < 0.5


@pytest.mark.parametrize("other", [0, 2, 1 + 2**12, 1 + 2**24, 1 + 2**31, 1 + 2**32, 2**64 - 1])
def test_every_bit_of_the_seed_counts(other: int) -> None:
    assert abs(correlation(draw(1), draw(other))) < 0.05


def test_shares_are_uniform_by_place() -> None:
    rows, columns = np.mgrid[0:40, 0:40].astype(np.int32)
    shares = np.asarray(noise.uniform(tf.constant([-5, 9]), rows, columns))
    assert shares.shape == (40, 40) and 0.0 < shares.min() < shares.max() < 1.0
    np.testing.assert_allclose(np.histogram(shares, 4, (0.0, 1.0))[0] / 1600, 0.25, atol=0.04)
