"""The most similar of many sources for each position, by one matrix product; of those alike the nearer."""

import tensorflow as tf

from cnnlg_tf.models.cell_grid import BORDER
from cnnlg_tf.models.patch_sources import CELL, MARGIN, UNUSABLE, Sources
from cnnlg_tf.models.pixels import quotient
from cnnlg_tf.models.usable_sources import Listed

APART = 8  # px, what distances in the photo are counted in
NEARNESS = 16.0  # what APART px away add to a source's squared distance: this squared
AWAY = 16.0  # times APART px: as how far away references count


class NearestSource:
    """Finds sources for n positions; what lies near is of the same thing, in the same light."""

    def __init__(
        self, sources: Sources, factor: int, place: tuple[tf.Tensor, tf.Tensor, tf.Tensor]
    ) -> None:
        """factor: the scale's; place: (photo, row, column) of each position's cell, [n] each."""
        self.sources, self.factor = sources, factor
        self.photo, row, column = place
        here = self._steps(CELL * row, CELL * column)
        own = 0.5 * tf.reduce_sum(tf.square(here), axis=-1, keepdims=True)
        self.here = tf.concat([here, own], axis=-1)  # [n, 3]

    def find(
        self, query: tf.Tensor, keys: tf.Tensor, listed: Listed
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The most similar of the listed sources for each position, [n]; and 0, or UNUSABLE where there is none.

        query: [n, c]; keys: [m, c]; listed: m, with the keys' squared lengths for energy.
        """
        places, far = self._far(listed.source)
        query, keys = tf.concat([query, self.here], axis=1), tf.concat([keys, places], axis=1)
        size = listed.energy + far
        # twice the query before, not the product after: OpenVINO would fuse that, and round both to bfloat16
        cost = size[None] + tf.matmul(-2.0 * query, keys, transpose_b=True)  # [n, m]
        cost += UNUSABLE * self.sources.elsewhere(listed.source, self.photo)
        best = tf.gather(listed.source, tf.argmin(cost, axis=1, output_type=tf.int32))
        some = tf.reduce_min(cost, axis=1) < 0.5 * UNUSABLE
        return tf.where(some, best, 0), tf.where(some, 0.0, UNUSABLE)

    def _far(self, source: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What `find` compares `self.here` with: keys [m, 3], and their share of the keys' squared lengths [m].

        Together they give the squared distance less the position's own square; of references that of AWAY.
        """
        _, row, column = self.sources.photo.split(source)
        there = self._steps(row, column)
        far = tf.reduce_sum(tf.square(there), axis=-1)
        strange = tf.cast(source >= self.sources.photo.count, tf.float32)
        there *= 1.0 - strange[:, None]
        far += strange * ((NEARNESS * AWAY) ** 2 - far)
        return tf.concat([there, strange[:, None]], axis=-1), far

    def _steps(self, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        """Places in steps of APART px, each NEARNESS long: [...] pixels of this scale -> [..., 2], integers."""
        unit = APART // self.factor
        at = tf.stack([row, column], axis=-1) + MARGIN * BORDER * unit  # none is negative
        return NEARNESS * tf.cast(quotient(at, unit) - MARGIN * BORDER, tf.float32)


def weighed(query: tf.Tensor, keys: tf.Tensor, weight: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What to match for squared differences times a weight [n, 1]: [n, c], [m, c] -> [n, c + 1], [m, c + 1]."""
    squares = tf.reduce_sum(tf.square(keys), axis=-1, keepdims=True)
    return tf.concat([weight * query, -0.5 * weight], -1), tf.concat([keys, squares], -1)
