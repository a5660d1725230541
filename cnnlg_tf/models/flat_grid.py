"""Places of a batch of pictures, each with a border around it, numbered in one flat row."""

import tensorflow as tf

from cnnlg_tf.models.pixels import quotient


class FlatGrid:
    """`count` places: `rows` by `columns` of each of `batch` pictures, a border of `border` places among them."""

    def __init__(self, batch: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, border: int) -> None:
        self.batch, self.rows, self.columns, self.border = batch, rows, columns, border
        self.count = batch * rows * columns

    def split(self, place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """(picture, row, column); row and column count without the border, so that in it they may be negative."""
        row = quotient(place, self.columns)
        picture = quotient(row, self.rows)
        row_within = row - picture * self.rows - self.border
        return picture, row_within, place - row * self.columns - self.border

    def join(self, picture: tf.Tensor, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        """The place that `split` gives these of."""
        return (picture * self.rows + row + self.border) * self.columns + column + self.border

    def step(self, dy: tf.Tensor, dx: tf.Tensor) -> tf.Tensor:
        """How many places away what lies dy rows and dx columns away is."""
        return dy * self.columns + dx

    def clip(self, place: tf.Tensor) -> tf.Tensor:
        """The place, or the nearest end of the row."""
        return tf.minimum(tf.maximum(place, 0), self.count - 1)
