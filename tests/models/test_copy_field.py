"""The field of copied positions: neighbours agree where that costs little, and nothing unusable is chosen."""

import numpy as np
import tensorflow as tf

from cnnlg_tf.models.copy_field import coherent_field

HEIGHT, WIDTH = 4, 12
COUNT = HEIGHT * WIDTH


def choose(similarity: np.ndarray) -> np.ndarray:
    tensor = tf.constant(similarity.astype(np.float32))
    best = tf.argmax(tensor, axis=2, output_type=tf.int32)
    return coherent_field(tensor, best, HEIGHT, WIDTH).numpy()


def offsets(field: np.ndarray) -> np.ndarray:
    return field - np.arange(COUNT)


def noisy(level: float) -> np.ndarray:
    """The left half may be copied; the right half prefers what lies six to its left, but for noise."""
    rng = np.random.default_rng(0)
    similarity = rng.uniform(0.0, level, size=(1, COUNT, COUNT))
    columns = np.arange(COUNT) % WIDTH
    similarity[:, :, columns >= 6] -= 4.0
    for position in np.flatnonzero(columns >= 6):
        similarity[0, position, position - 6] += 0.02
    return similarity


def test_neighbours_agree_where_it_costs_little() -> None:
    similarity, right = noisy(0.05), np.arange(COUNT) % WIDTH >= 6
    alone = similarity.argmax(axis=2)
    together = choose(similarity)
    assert np.mean(offsets(alone[0])[right] == -6) < 0.6
    assert np.mean(offsets(together[0])[right] == -6) > 0.8


def test_a_much_better_source_wins_over_agreement() -> None:
    similarity = noisy(0.0)
    similarity[0, 8, 1] = 0.9
    assert choose(similarity)[0, 8] == 1


def test_what_must_not_be_copied_is_not_chosen_and_batches_are_apart() -> None:
    rng = np.random.default_rng(1)
    similarity = rng.uniform(0.0, 1.0, size=(2, COUNT, COUNT + 7))  # seven sources of another photo
    banned = rng.uniform(size=(2, 1, COUNT + 7)) < 0.5
    similarity -= 4.0 * banned
    field = choose(similarity)
    assert field.min() >= 0 and field.max() < COUNT + 7
    assert not np.take_along_axis(banned[:, 0], field, axis=1).any()
    np.testing.assert_array_equal(field[1], choose(similarity[1:])[0])
