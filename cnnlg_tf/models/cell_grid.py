"""The grid of cells that patches are laid on, with a border, so that each cell has neighbours on all sides."""

import tensorflow as tf

from cnnlg_tf.models.patch_sources import CELL
from cnnlg_tf.models.pixels import quotient

BORDER = 3  # cells; the farthest neighbour that is asked


class CellGrid:
    """Cells of CELL x CELL px of a batch of photos, border and all, in one flat row of `count`."""

    def __init__(self, batch: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> None:
        """height, width: of the photos in pixels, multiples of CELL."""
        self.batch = batch
        self.rows = quotient(height, CELL) + 2 * BORDER
        self.columns = quotient(width, CELL) + 2 * BORDER
        self.count = batch * self.rows * self.columns

    def fold(self, cells: tf.Tensor) -> tf.Tensor:
        """[b, h / 2, w / 2, c] -> [n, c], zeros in the border."""
        edge = [BORDER, BORDER]
        return tf.reshape(tf.pad(cells, [[0, 0], edge, edge, [0, 0]]), [-1, cells.shape[-1]])

    def unfold(self, row: tf.Tensor) -> tf.Tensor:
        """[n, c] -> [b, h / 2, w / 2, c], without the border."""
        cells = tf.reshape(row, [self.batch, self.rows, self.columns, row.shape[-1]])
        return cells[:, BORDER:-BORDER, BORDER:-BORDER]

    def split(self, cell: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """(photo, row, column); row and column count without the border."""
        row = quotient(cell, self.columns)
        photo = quotient(row, self.rows)
        return photo, row - photo * self.rows - BORDER, cell - row * self.columns - BORDER

    def join(self, photo: tf.Tensor, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        return (photo * self.rows + row + BORDER) * self.columns + column + BORDER

    def step(self, dy: tf.Tensor, dx: tf.Tensor) -> tf.Tensor:
        """How many places in the row dy rows and dx columns of cells are."""
        return dy * self.columns + dx

    def clip(self, cell: tf.Tensor) -> tf.Tensor:
        return tf.minimum(tf.maximum(cell, 0), self.count - 1)
