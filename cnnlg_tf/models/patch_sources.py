"""Patches that the guided synthesis may copy, at one scale: where they lie, what they hold, which are whole."""

from typing import NamedTuple

import tensorflow as tf

from cnnlg_tf.models.flat_grid import FlatGrid
from cnnlg_tf.models.morphology import binomial_along, largest_along, sum_along
from cnnlg_tf.models.pixels import quotient

CELL = 2  # px
PATCH = 3 * CELL  # px
MARGIN = 4  # px around a photo of sources; no patch in it is whole
UNUSABLE = 1e9  # a distance that no whole patch has
BLUR = 7  # order of the binomial weights: sigma 1.3 px, about the middle of a cell
SQUARE = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))  # a patch's cells


class Sources:
    """Patches that may be copied, at one scale: photos, and references after them, in one flat row of padded pixels.

    blocks: [n, 12], the cell that begins at each pixel; guide: [n, 3], the blurred colour in its middle; energy: [n],
    the sum of squares of the patch around the cell, at least UNUSABLE where that is not whole.
    """

    def __init__(self, photo: "Layer", reference: "Layer | None") -> None:
        self.photo, self.reference = photo, reference
        layers = [photo] if reference is None else [photo, reference]
        self.blocks = tf.concat([layer.blocks for layer in layers], axis=0)
        self.guide = tf.concat([layer.guide for layer in layers], axis=0)
        self.energy = tf.concat([layer.energy for layer in layers], axis=0)

    def step(self, dy: tf.Tensor, dx: tf.Tensor) -> "Step":
        """What `moved` needs to go dy rows and dx columns of pixels away."""
        other = None if self.reference is None else self.reference.step(dy, dx)
        return Step(self.photo.step(dy, dx), other)

    def moved(self, source: tf.Tensor, step: "Step") -> tf.Tensor:
        """The source a step away, kept among the photos, or references, that it is of.

        0, which is no whole patch, stands for none and stays.
        """
        moved = self.photo.clip(source + step.photo)
        moved = tf.where(source > 0, moved, 0)
        if self.reference is None or step.reference is None:
            return moved
        first = self.photo.count
        other = first + self.reference.clip(source - first + step.reference)
        return tf.where(source < first, moved, other)

    def around(self, source: tf.Tensor) -> tf.Tensor:
        """[...] -> [..., 9], the cells of a patch."""
        around = self.photo.inside(source)[..., None] + self.photo.square
        if self.reference is None:
            return around
        first = self.photo.count
        other = first + self.reference.inside(source - first)[..., None] + self.reference.square
        return tf.where(source[..., None] < first, around, other)

    def finer(
        self, source: tf.Tensor, step: int, dy: tf.Tensor, dx: tf.Tensor, to: "Sources"
    ) -> tf.Tensor:
        """The same place among the sources of a scale `step` times as fine, and dy, dx of its pixels on."""
        moved = self.photo.finer(source, step, dy, dx, to.photo)
        if self.reference is None or to.reference is None:
            return moved
        first = self.photo.count
        other = self.reference.finer(source - first, step, dy, dx, to.reference)
        return tf.where(source < first, moved, to.photo.count + other)

    def elsewhere(self, source: tf.Tensor, photo: tf.Tensor) -> tf.Tensor:
        """1 where a source is of another photo of the batch: [m], [n] -> [n, m]. References serve all."""
        owner = quotient(source, self.photo.rows * self.photo.columns)
        away = owner[None] != photo[:, None]
        if self.reference is not None:
            away = away & (source < self.photo.count)[None]
        return tf.cast(away, tf.float32)


class Step(NamedTuple):
    """How many places in the row of sources a displacement is, among the photos and among the references."""

    photo: tf.Tensor
    reference: tf.Tensor | None


class Layer(FlatGrid):
    """The photos of one size among the sources, padded by MARGIN."""

    def __init__(self, image: tf.Tensor, hole: tf.Tensor, blurred: tf.Tensor) -> None:
        """image: [b, h, w, 3], integers from 0 to 255; hole: [b, h, w, 1]; blurred: [b, h + 8, w + 8, 3]."""
        margin = [[0, 0], [MARGIN, MARGIN], [MARGIN, MARGIN], [0, 0]]
        colours = tf.pad(image * (1.0 - hole), margin)
        shape = tf.shape(colours)
        super().__init__(shape[0], shape[1], shape[2], MARGIN)
        dy, dx = map(tf.constant, zip(*SQUARE, strict=True))
        self.square = CELL * self.step(dy, dx)  # [9]
        right = tf.pad(colours[:, :, 1:], [[0, 0], [0, 0], [0, 1], [0, 0]])
        both = tf.concat([colours, right], axis=-1)
        below = tf.pad(both[:, 1:], [[0, 0], [0, 1], [0, 0], [0, 0]])
        self.blocks = tf.reshape(tf.concat([both, below], axis=-1), [-1, 3 * CELL**2])
        self.guide = tf.reshape(blurred, [-1, 3])
        squares = tf.reduce_sum(tf.square(colours), axis=-1, keepdims=True)
        missing = tf.pad(hole, margin, constant_values=1.0)
        for axis in (1, 2):
            squares = sum_along(squares, PATCH, axis)
            missing = largest_along(missing, PATCH, axis)
        energy = squares + UNUSABLE * missing
        edge = [CELL, PATCH - CELL - 1]
        energy = tf.pad(energy, [[0, 0], edge, edge, [0, 0]], constant_values=UNUSABLE)
        self.energy = tf.reshape(energy, [-1])

    def inside(self, source: tf.Tensor) -> tf.Tensor:
        """Far enough from the ends that a whole patch lies between them; usable sources are."""
        edge = CELL * (self.columns + 1)
        return tf.minimum(tf.maximum(source, edge), self.count - 1 - edge)

    def finer(
        self, source: tf.Tensor, step: int, dy: tf.Tensor, dx: tf.Tensor, to: "Layer"
    ) -> tf.Tensor:
        photo, row, column = self.split(self.clip(source))
        return to.clip(to.join(photo, step * row + dy, step * column + dx))


def blurred(image: tf.Tensor) -> tf.Tensor:
    """Colours blurred about the middle of the cell that begins at each pixel: integers, with MARGIN around."""
    x = pad_edge(image, MARGIN + (BLUR + 1) // 2)[:, 1:, 1:]
    for axis in (1, 2):
        x = binomial_along(x, BLUR, axis)
    return tf.floor(x * 0.25**BLUR + 0.5)


def pad_edge(image: tf.Tensor, margin: int) -> tf.Tensor:
    """Repeat the outermost rows and columns."""
    for axis in (1, 2):
        size = tf.shape(image)[axis]
        at = tf.clip_by_value(tf.range(-margin, size + margin), 0, size - 1)
        image = tf.gather(image, at, axis=axis)
    return image
