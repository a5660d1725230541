"""The grid of cells: folding and unfolding, and places in the row."""

import numpy as np
import tensorflow as tf

from cnnlg_tf.models.cell_grid import BORDER, CellGrid


def test_folds_cells_into_a_row_and_back() -> None:
    cells = np.random.default_rng(0).random((2, 5, 7, 3)).astype(np.float32)
    grid = CellGrid(tf.constant(2), tf.constant(10), tf.constant(14))
    row = grid.fold(tf.constant(cells))
    assert row.shape == (int(grid.count), 3)
    np.testing.assert_array_equal(grid.unfold(row), cells)
    np.testing.assert_allclose(np.sum(row), cells.sum(), rtol=1e-5)  # the border is zeros


def test_joins_what_it_splits() -> None:
    grid = CellGrid(tf.constant(2), tf.constant(8), tf.constant(12))
    cells = tf.range(grid.count)
    photo, row, column = grid.split(cells)
    np.testing.assert_array_equal(grid.join(photo, row, column), cells)
    assert np.min(row) == np.min(column) == -BORDER
    assert (np.max(photo), np.max(row), np.max(column)) == (1, 4 + BORDER - 1, 6 + BORDER - 1)


def test_a_step_goes_to_the_neighbour_and_stays_on_the_grid() -> None:
    grid = CellGrid(tf.constant(1), tf.constant(8), tf.constant(12))
    here = grid.join(0, 1, 2)
    assert int(here + grid.step(2, -1)) == int(grid.join(0, 3, 1))
    ends = grid.clip(tf.constant([-5, int(grid.count) + 5]))
    np.testing.assert_array_equal(ends, [0, int(grid.count) - 1])
