"""Lists of the sources that may be laid: all, all but what a sample leaves out, or a few evenly spread ones."""

from typing import NamedTuple

import tensorflow as tf

from cnnlg_tf.models import noise
from cnnlg_tf.models.patch_sources import MARGIN, UNUSABLE, Sources
from cnnlg_tf.models.pixels import quotient

REGION = 32  # px: what a sample takes or leaves as one
FEW = 256  # sources a photo that every scale considers, wherever they lie


class Listed(NamedTuple):
    """Sources [m] and the energy of each [m], at least UNUSABLE where it may not be laid."""

    source: tf.Tensor
    energy: tf.Tensor

    def pick(self, place: tf.Tensor) -> "Listed":
        """Those at these places of the list."""
        return Listed(tf.gather(self.source, place), tf.gather(self.energy, place))


def list_usable(
    sources: Sources,
    factor: int,
    seed: tf.Tensor | None,
    temperature: tf.Tensor | float,
    compact: bool,
) -> Listed:
    """The sources that may be laid, in order; those that may not follow them.

    Of these the first pixel is enough, which never may: where nothing is known, that is found.

    Args:
        sources: of one scale.
        factor: the scale's.
        seed: int32 [2], with `temperature`: regions are left out by chance, half of it of them.
        compact: False lists every one, for runtimes without NonZero.
    """
    energy = sources.energy
    if seed is not None:
        left_out = _left_out(sources, factor, seed, temperature)
        energy += UNUSABLE * tf.cast(left_out, tf.float32)
    usable = energy < UNUSABLE
    if compact:
        listed = tf.cast(tf.where(usable)[:, 0], tf.int32)
    else:
        number, upto = tf.range(tf.size(energy)), tf.cumsum(tf.cast(usable, tf.int32))
        place = tf.where(usable, upto - 1, upto[-1] + number - upto)
        listed = tf.scatter_nd(place[:, None], number, tf.shape(number))
    listed = tf.pad(listed, [[0, 1]])
    return Listed(listed, tf.gather(energy, listed))


def few_of(listed: Listed, sources: Sources, batch: tf.Tensor) -> Listed:
    """FEW of the usable ones, evenly spread, of each of `batch` photos, and as many of the references."""
    photo = sources.photo
    ends = tf.range(1, batch + 1) * (photo.rows * photo.columns)
    if sources.reference is not None:
        ends = tf.concat([ends, [tf.size(sources.energy)]], axis=0)
    # usable ones are in order: those before a photo's end are counted
    counted = (listed.source[None] < ends[:, None]) & (listed.energy < UNUSABLE)[None]
    before = tf.reduce_sum(tf.cast(counted, tf.int32), axis=1)
    first = tf.pad(before[:-1], [[1, 0]])
    count = tf.maximum(before - first, 1)[:, None]
    few = tf.range(FEW) * tf.maximum(quotient(count, FEW), 1)
    few = first[:, None] + few - count * quotient(few, count)
    return listed.pick(tf.minimum(tf.reshape(few, [-1]), tf.size(listed.source) - 1))


def _left_out(
    sources: Sources, factor: int, seed: tf.Tensor, temperature: tf.Tensor | float
) -> tf.Tensor:
    """Which sources a sample does without: regions by chance, [n]."""
    _, row, column = sources.photo.split(tf.range(tf.size(sources.energy)))
    side = REGION // factor
    # MARGIN regions more: in the margin rows and columns are negative
    row, column = (quotient(place + MARGIN * side, side) for place in (row, column))
    return noise.uniform(seed, row, column) < 0.5 * temperature
