"""Which sources may be laid: what is known, less what a sample leaves out."""

import numpy as np
import tensorflow as tf

from cnnlg_tf.models.patch_sources import UNUSABLE, Layer, Sources, blurred
from cnnlg_tf.models.usable_sources import FEW, Listed, few_of, list_usable

SEED = np.array([3, 4], np.int32)


def sources(side: int = 64) -> Sources:
    """Of two photos, one with a hole and one that is missing."""
    image = np.random.default_rng(0).integers(0, 256, (2, side, side, 3)).astype(np.float32)
    hole = np.zeros((2, side, side, 1), np.float32)
    hole[0, 20:40, 20:40], hole[1] = 1.0, 1.0
    return Sources(Layer(tf.constant(image), tf.constant(hole), blurred(tf.constant(image))), None)


def laid(listed: Listed) -> np.ndarray:
    source, energy = (np.asarray(x) for x in listed)
    return source[energy < UNUSABLE]


def test_lists_the_whole_patches_in_order() -> None:
    all_of = sources()
    expected = np.flatnonzero(np.asarray(all_of.energy) < UNUSABLE)
    np.testing.assert_array_equal(laid(list_usable(all_of, 1, None, 0.0, compact=True)), expected)


def test_written_out_it_lists_the_same() -> None:
    for seed in (None, SEED):
        compact, whole = (
            list_usable(sources(), 2, seed, 0.8, compact=compact) for compact in (True, False)
        )
        np.testing.assert_array_equal(laid(compact), laid(whole))


def test_a_sample_leaves_half_of_its_temperature_out() -> None:
    shares = []
    for number in range(20):
        seed = np.array([number, 1], np.int32)
        some = laid(list_usable(sources(), 1, seed, 1.0, compact=True))
        shares.append(len(some) / len(laid(list_usable(sources(), 1, None, 0.0, compact=True))))
    assert 0.3 < np.mean(shares) < 0.7
    assert min(shares) < max(shares)


def test_a_few_are_spread_over_the_photo_that_has_any() -> None:
    all_of = sources()
    listed = list_usable(all_of, 1, None, 0.0, compact=True)
    few = few_of(listed, all_of, tf.constant(2))
    found = laid(few)
    assert len(np.unique(found)) == FEW
    photo, row, _ = (np.asarray(x) for x in all_of.photo.split(tf.constant(found)))
    assert (photo == 0).all()
    assert row.min() < 8
    assert row.max() > 48
