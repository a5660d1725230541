"""Votes for a cell: weighted means of what patches bring."""

import numpy as np
import tensorflow as tf

from cnnlg_tf.models.patch_sources import UNUSABLE
from cnnlg_tf.models.patch_votes import Votes, count_votes


def count(values: list[float], cost: list[float], weights: list[float]) -> Votes:
    """Three patches of one colour value each, and six that are none."""
    brought = np.zeros((1, 9, 12), np.float32)
    brought[0, :3] = np.array(values)[:, None]
    costs, weight = np.full((1, 9), UNUSABLE, np.float32), np.ones((1, 9), np.float32)
    costs[0, :3], weight[0, :3] = cost, weights
    return Votes(*(tf.constant(x) for x in count_votes(brought, tf.constant(costs), weight)))


def test_equal_patches_count_alike() -> None:
    votes = count([10, 20, 60], [36, 36, 36], [1, 1, 1])
    np.testing.assert_allclose(votes.mean, np.full((1, 12), 30.0), rtol=1e-5)
    np.testing.assert_allclose(votes.variance, [[(400 + 100 + 900) / 3]], rtol=1e-4)
    np.testing.assert_allclose(votes.cost, [[1.0]], rtol=1e-6)


def test_cheap_and_weighty_patches_count_more() -> None:
    by_cost = count([0, 100, 100], [36, 360, 360], [1, 1, 1])
    by_weight = count([0, 100, 100], [36, 36, 36], [4, 1, 1])
    assert np.max(by_cost.mean) < 66
    np.testing.assert_allclose(by_weight.mean, np.full((1, 12), 100 / 3), rtol=1e-5)


def test_without_a_patch_there_is_no_vote() -> None:
    votes = count([10, 20, 60], [UNUSABLE] * 3, [1, 1, 1])
    assert float(votes.some[0, 0]) == 0.0
    assert np.isfinite(votes.mean).all()
    assert float(np.max(votes.variance)) == 0.0
