"""The grid of cells that patches are laid on, with a border, so that each cell has neighbours on all sides."""

import tensorflow as tf

from cnnlg_tf.models.flat_grid import FlatGrid
from cnnlg_tf.models.patch_sources import CELL
from cnnlg_tf.models.pixels import quotient

BORDER = 3  # cells; the farthest neighbour that is asked


class CellGrid(FlatGrid):
    """Cells of CELL x CELL px of a batch of photos, border and all, in one flat row."""

    def __init__(self, batch: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> None:
        """height, width: of the photos in pixels, multiples of CELL."""
        rows, columns = (quotient(side, CELL) + 2 * BORDER for side in (height, width))
        super().__init__(batch, rows, columns, BORDER)

    def fold(self, cells: tf.Tensor) -> tf.Tensor:
        """[b, h / 2, w / 2, c] -> [n, c], zeros in the border."""
        edge = [BORDER, BORDER]
        return tf.reshape(tf.pad(cells, [[0, 0], edge, edge, [0, 0]]), [-1, cells.shape[-1]])

    def unfold(self, row: tf.Tensor) -> tf.Tensor:
        """[n, c] -> [b, h / 2, w / 2, c], without the border."""
        cells = tf.reshape(row, [self.batch, self.rows, self.columns, row.shape[-1]])
        return cells[:, BORDER:-BORDER, BORDER:-BORDER]
