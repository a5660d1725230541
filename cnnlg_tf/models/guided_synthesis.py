"""Guided synthesis: fill thick holes with real pixels of the photo, laid where the network's repair says they belong.

Coarse to fine (1/8, 1/4, 1/2, 1/1 of the size). At each scale every patch that touches the hole looks for the most
similar known patch; the patches found vote for each missing pixel; repeat. A patch is compared by the colours of the
estimate so far and by those of the blurred guide: the guide says what belongs where, the photo how it looks. As in
PatchMatch (Barnes et al. 2009) patches go on from their neighbours' sources; as in Wexler et al. (2007) patches vote.

Patches are 3 x 3 cells of 2 x 2 px and lie on the grid of cells: a vote then moves whole cells. There is no loop over
pixels: positions that touch the hole are listed, and all candidates of a round are judged at once. Colours are
compared as integers 0..255 held in float32, and the guide is blurred with integer weights: sums stay under 2**24 and
so are exact in any order, and every runtime chooses alike.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from cnnlg_tf.models.fill import upsample
from cnnlg_tf.models.pixels import quotient

CELL = 2  # px
PATCH = 3 * CELL  # px
MARGIN = 4  # px around a photo of sources; no patch in it is whole
REACH = 3  # cells around the grid of positions: the farthest neighbour that is asked
SCALES = (8, 4, 2, 1)
KNOWN_SHARE = 0.05  # of a coarse pixel's area: from here on it counts as known, else strokes eat up all sources
GUIDE_WEIGHT = float(PATCH**2)  # the guide's colour counts as much as a patch's mean colour
UNUSABLE = 1e9  # a distance that no whole patch has
THIN = 7  # px; parts of the hole thinner than this are the network's alone
BLUR = (1.0, 7.0, 21.0, 35.0, 35.0, 21.0, 7.0, 1.0)  # sigma 1.3 px, about the middle of a cell
CHANCE = (0, 8, 2, 1)  # px that a source moves by chance, at each scale
COHERENCE = 0.7  # how much cheaper a source is when all four neighbours go on from it
NEAR = ((0, 1), (0, -1), (1, 0), (-1, 0))  # cells
FAR = tuple((REACH * dy, REACH * dx) for dy, dx in NEAR)
SQUARE = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))  # a patch's cells
DEPTH_STEPS = 6  # cells
REGION = 32  # px: what a sample takes or leaves as one
FAINT = 3 * 16.0**2  # squared difference of colours that may be one texture's
FEW = 256  # sources a photo that every scale considers, wherever they lie
NOISE_COUNT = 3721
NOISE = np.random.default_rng(0).uniform(-1.0, 1.0, (NOISE_COUNT, 2)).astype(np.float32)


class Synthesis(NamedTuple):
    """What the synthesis gives; all [b, h, w, c], in units of images in [0, 1].

    image: the photo with real pixels in the thick parts of its hole, the guide elsewhere in it; distance [.., 1]: root
    mean square difference of the patches laid there; spread [.., 1]: standard deviation of the votes, large where they
    disagree; share [.., 1]: 1 where pixels were laid.
    """

    image: tf.Tensor
    distance: tf.Tensor
    spread: tf.Tensor
    share: tf.Tensor


class _Sources:
    """Patches that may be copied, at one scale: photos, and references after them, in one flat row of padded pixels.

    blocks: [n, 12], the cell that begins at each pixel; guide: [n, 3], the blurred colour in its middle; energy: [n],
    the sum of squares of the patch around the cell, at least UNUSABLE where that is not whole.
    """

    def __init__(self, photo: "_Layer", reference: "_Layer | None") -> None:
        self.photo, self.reference = photo, reference
        layers = [photo] if reference is None else [photo, reference]
        self.blocks = tf.concat([layer.blocks for layer in layers], axis=0)
        self.guide = tf.concat([layer.guide for layer in layers], axis=0)
        self.energy = tf.concat([layer.energy for layer in layers], axis=0)

    def step(self, dy: tf.Tensor, dx: tf.Tensor) -> "_Step":
        """What `moved` needs to go dy rows and dx columns of pixels away."""
        other = None if self.reference is None else dy * self.reference.columns + dx
        return _Step(dy * self.photo.columns + dx, other)

    def moved(self, source: tf.Tensor, step: "_Step") -> tf.Tensor:
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
        self, source: tf.Tensor, step: int, dy: tf.Tensor, dx: tf.Tensor, to: "_Sources"
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


class _Step(NamedTuple):
    """How many places in the row of sources a displacement is, among the photos and among the references."""

    photo: tf.Tensor
    reference: tf.Tensor | None


class _Layer:
    """The photos of one size among the sources, padded by MARGIN; `count` pixels in all."""

    def __init__(self, image: tf.Tensor, hole: tf.Tensor, blurred: tf.Tensor) -> None:
        """image: [b, h, w, 3], integers from 0 to 255; hole: [b, h, w, 1]; blurred: [b, h + 8, w + 8, 3]."""
        margin = [[0, 0], [MARGIN, MARGIN], [MARGIN, MARGIN], [0, 0]]
        colours = tf.pad(image * (1.0 - hole), margin)
        shape = tf.shape(colours)
        self.rows, self.columns = shape[1], shape[2]
        self.square = tf.stack([CELL * (dy * self.columns + dx) for dy, dx in SQUARE])  # [9]
        right = tf.pad(colours[:, :, 1:], [[0, 0], [0, 0], [0, 1], [0, 0]])
        both = tf.concat([colours, right], axis=-1)
        below = tf.pad(both[:, 1:], [[0, 0], [0, 1], [0, 0], [0, 0]])
        self.blocks = tf.reshape(tf.concat([both, below], axis=-1), [-1, 3 * CELL**2])
        self.guide = tf.reshape(blurred, [-1, 3])
        squares = tf.reduce_sum(tf.square(colours), axis=-1, keepdims=True)
        energy = tf.nn.conv2d(squares, tf.ones([PATCH, 1, 1, 1]), 1, "VALID")
        energy = tf.nn.conv2d(energy, tf.ones([1, PATCH, 1, 1]), 1, "VALID")
        missing = tf.pad(hole, margin, constant_values=1.0)
        energy += UNUSABLE * tf.nn.max_pool2d(missing, PATCH, 1, "VALID")
        edge = [CELL, PATCH - CELL - 1]
        energy = tf.pad(energy, [[0, 0], edge, edge, [0, 0]], constant_values=UNUSABLE)
        self.energy = tf.reshape(energy, [-1])
        self.count = tf.size(self.energy)

    def clip(self, source: tf.Tensor) -> tf.Tensor:
        return tf.minimum(tf.maximum(source, 0), self.count - 1)

    def inside(self, source: tf.Tensor) -> tf.Tensor:
        """Far enough from the ends that a whole patch lies between them; usable sources are."""
        edge = CELL * (self.columns + 1)
        return tf.minimum(tf.maximum(source, edge), self.count - 1 - edge)

    def split(self, source: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """(photo, row, column), counted without the margin."""
        row = quotient(source, self.columns)
        photo = quotient(row, self.rows)
        return photo, row - photo * self.rows - MARGIN, source - row * self.columns - MARGIN

    def join(self, photo: tf.Tensor, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        return (photo * self.rows + row + MARGIN) * self.columns + column + MARGIN

    def finer(
        self, source: tf.Tensor, step: int, dy: tf.Tensor, dx: tf.Tensor, to: "_Layer"
    ) -> tf.Tensor:
        photo, row, column = self.split(self.clip(source))
        return to.clip(to.join(photo, step * row + dy, step * column + dx))


class _Patch(NamedTuple):
    """What each position's patch is compared by.

    target: [n, 108, 1], its colours times -2; energy: [n, 1], their squares' sum; guide: [n, 1, 3], the colour there.
    """

    target: tf.Tensor
    energy: tf.Tensor
    guide: tf.Tensor


class _Field(NamedTuple):
    """Sources of all cells of the padded grid: [n] indices, -1 where there is none, and what each costs."""

    source: tf.Tensor
    cost: tf.Tensor


def synthesise(
    image: tf.Tensor,
    mask: tf.Tensor,
    guide: tf.Tensor,
    reference: tf.Tensor | None = None,
    *,
    passes: tuple[int, ...] = (4, 3, 2, 1),
    rounds: tuple[int, ...] = (2, 2, 2, 1),
    seed: tf.Tensor | None = None,
    temperature: tf.Tensor | float = 0.0,
    kept: tf.Tensor | None = None,
    compact: bool = True,
) -> Synthesis:
    """Lay real pixels into the thick parts of the hole.

    Args:
        image: [b, h, w, 3] in [0, 1], sides multiples of 16.
        mask: [b, h, w, 1] of 0 and 1, 1 = missing.
        guide: [b, h, w, 3] in [0, 1], the network's repair.
        reference: [r, h2, w2, 3] in [0, 1], sides multiples of 16: photos to copy from, besides the photo itself;
            below 0 there is nothing to copy.
        passes: searches at each scale, each followed by a vote.
        rounds: of candidates in each search.
        seed: int32 [2], with `temperature`: a share of the sources, half of it, is left out by chance.
        kept: [b, h, w, 1] of 0 and 1, 1 where the guide stays: along the edges of a sketch.
        compact: False judges every position, needed or not: for runtimes without NonZero.
    """
    thick = _thick(mask) if kept is None else _thick(mask) * (1.0 - kept)
    start = _to_integers(tf.where(mask > 0.5, guide, image))
    other = None
    if reference is not None:
        nothing = tf.cast(tf.reduce_min(reference, axis=-1, keepdims=True) < 0.0, tf.float32)
        other = (_to_integers(reference), nothing)
    scale: _Scale | None = None
    for number, factor in enumerate(SCALES):
        finer = _Scale(start, mask, thick, other, factor, compact)
        if scale is None:
            finer.begin(seed, temperature)
        else:
            finer.go_on(scale, seed, temperature)
        for turn in range(passes[number]):
            finer.search(turn, rounds[number], CHANCE[number])
            finer.vote(final=number == len(SCALES) - 1 and turn == passes[number] - 1)
        scale = finer
    return finer.result(thick)


class _Scale:
    """One scale: what can be copied, where to, and the estimate so far."""

    def __init__(
        self,
        start: tf.Tensor,
        mask: tf.Tensor,
        thick: tf.Tensor,
        reference: tuple[tf.Tensor, tf.Tensor] | None,
        factor: int,
        compact: bool,
    ) -> None:
        self.factor, self.compact = factor, compact
        known, hole = _shrink(start, mask, factor)
        if factor > 1:
            start = tf.floor(tf.nn.avg_pool2d(start, factor, factor, "VALID") + 0.5)
            thick = hole * tf.nn.max_pool2d(thick, factor, factor, "VALID")
        image = tf.where(hole > 0.5, start, known)
        other = None
        if reference is not None:
            small, nothing = _shrink(*reference, factor)
            other = _Layer(small, nothing, _blurred(small))
        self.sources = _Sources(_Layer(known, hole, _blurred(image)), other)

        # the grid of cells, padded by REACH
        shape = tf.shape(hole)
        self.batch = shape[0]
        self.rows = quotient(shape[1], CELL) + 2 * REACH
        self.columns = quotient(shape[2], CELL) + 2 * REACH
        cells = tf.nn.max_pool2d(thick, CELL, CELL, "VALID")
        self.touched = self._grid(tf.nn.max_pool2d(cells, 3, 1, "SAME"))[:, 0]
        self.count = tf.size(self.touched)
        listed = tf.where(self.touched > 0.5)[:, 0] if compact else tf.range(self.count)
        self.positions = tf.cast(listed, tf.int32)
        self.at, self.numbers = self.positions[:, None], tf.range(tf.size(self.positions))
        self.place = self._split(self.positions)
        self.anchors = self._anchors(*self.place)
        square = tf.stack([dy * self.columns + dx for dy, dx in SQUARE])
        self.around = self._on_grid(self.at + square)  # [n, 9], the cells of each position's patch
        dy, dx = (tf.constant([way[axis] for way in NEAR + FAR]) for axis in (0, 1))
        self.ways = dy * self.columns + dx
        self.back = self.sources.step(-CELL * dy, -CELL * dx)
        dy, dx = (tf.constant([cell[axis] for cell in SQUARE]) for axis in (0, 1))
        self.to_middle = self.sources.step(-CELL * dy, -CELL * dx)
        thick = self._grid(tf.nn.space_to_depth(tf.repeat(thick, 3, axis=-1), CELL))  # [n, 12]
        self.thick = tf.gather(thick, self.positions)
        folded = _pad_edge(tf.nn.space_to_depth(image, CELL), REACH)
        self.estimate = tf.reshape(folded, [self.count, 3 * CELL**2])
        weights = self._grid(1.3 ** (-CELL * _depth(cells)))[:, 0]
        self.weights = tf.gather(weights, self.around)  # [n, 9]
        self.field = _Field(tf.fill([self.count], -1), tf.fill([self.count], UNUSABLE))
        self.exhaustive = False

    def begin(self, seed: tf.Tensor | None, temperature: tf.Tensor | float) -> None:
        """The first sources, by the guide alone: blurred on both sides, else blur finds blur."""
        self.usable, self.usable_energy = self._list_usable(seed, temperature)
        self.exhaustive = True
        self._take(*self._match_guide(self.usable, self.usable_energy))
        self.vote(final=False)

    def go_on(
        self, coarser: "_Scale", seed: tf.Tensor | None, temperature: tf.Tensor | float
    ) -> None:
        """From a coarser scale's sources; from a few of this scale's where the guide finds those far better.

        A coarse scale may know no place like the one that is missing, and what it laid there looks plausible to itself.
        """
        step = coarser.factor // self.factor
        photo, row, column = self.place
        row_above, column_above = quotient(row, step), quotient(column, step)
        above = coarser._join(photo, row_above, column_above)
        source = tf.gather(coarser.field.source, above)
        within = (CELL * (row - step * row_above), CELL * (column - step * column_above))
        here = coarser.sources.finer(source, step, *within, self.sources)
        found_there = tf.gather(coarser.field.cost, above) < 0.5 * UNUSABLE
        whole = found_there & (tf.gather(self.sources.energy, here) < UNUSABLE)
        usable, energy = self._list_usable(seed, temperature)
        few = self._few(usable)
        found, cost = self._match_guide(tf.gather(usable, few), tf.gather(energy, few))
        farther = self._off_colour(here) > 4.0 * self._off_colour(found) + FAINT
        stays = whole & ~(farther & (cost < UNUSABLE))
        self._take(tf.where(stays, here, found), tf.where(stays, 0.0, cost))
        self.vote(final=False)

    def _list_usable(
        self, seed: tf.Tensor | None, temperature: tf.Tensor | float
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The sources that may be laid, and the first pixel, which never is: where nothing is known, that is found."""
        energy = self.sources.energy
        if seed is not None:
            energy += UNUSABLE * tf.cast(self._left_out(seed, temperature), tf.float32)
        if not self.compact:
            return tf.range(tf.size(energy)), energy
        usable = tf.cast(tf.where(energy < UNUSABLE)[:, 0], tf.int32)
        usable = tf.pad(usable, [[0, 1]])
        return usable, tf.gather(energy, usable)

    def _few(self, usable: tf.Tensor) -> tf.Tensor:
        """Places in the list of usable sources, FEW evenly spread in each photo, and as many in the references."""
        photo = self.sources.photo
        ends = tf.range(1, self.batch + 1) * (photo.rows * photo.columns)
        if self.sources.reference is not None:
            ends = tf.concat([ends, [tf.size(self.sources.energy)]], axis=0)
        # the list is in order: what lies before a photo's end is counted
        before = tf.reduce_sum(tf.cast(usable[:-1][None] < ends[:, None], tf.int32), axis=1)
        first = tf.pad(before[:-1], [[1, 0]])
        count = tf.maximum(before - first, 1)[:, None]
        few = tf.range(FEW) * tf.maximum(quotient(count, FEW), 1)
        few = first[:, None] + few - count * quotient(few, count)
        return tf.minimum(tf.reshape(few, [-1]), tf.size(usable) - 1)

    def _off_colour(self, source: tf.Tensor) -> tf.Tensor:
        """Squared difference of the mean colours of patches and of the guide there: [n] sources -> [n].

        Of means alone: the guide is smooth, and texture differs from it everywhere.
        """
        there = tf.gather(self.sources.guide, self.sources.around(source))  # [n, 9, 3]
        here = tf.gather(self.sources.guide, self.sources.around(self.anchors))
        return tf.reduce_sum(tf.square(tf.reduce_mean(there - here, axis=1)), axis=-1)

    def _match_guide(self, sources: tf.Tensor, energy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        query = tf.gather(self.sources.guide, self.sources.around(self.anchors))  # [n, 9, 3]
        keys = tf.gather(self.sources.guide, self.sources.around(sources))  # [m, 9, 3]
        keys = tf.reshape(keys, [-1, 27])
        size = tf.reduce_sum(tf.square(keys), axis=-1) + tf.where(energy < UNUSABLE, 0.0, UNUSABLE)
        return self._match(tf.reshape(query, [-1, 27]), keys, size, sources)

    def search(self, turn: int, rounds: int, chance: int) -> None:
        """Better sources: the best of all at the coarsest scale, then neighbours' and some by chance."""
        target = tf.gather(self.estimate, self.around)  # [n, 9, 12]
        target = tf.reshape(target, [-1, 9 * 3 * CELL**2])
        guide = tf.gather(self.sources.guide, self.anchors)  # [n, 3]
        if self.exhaustive:
            weight = float(np.sqrt(GUIDE_WEIGHT))
            keys = tf.gather(self.sources.blocks, self.sources.around(self.usable))
            keys = tf.reshape(keys, [-1, 9 * 3 * CELL**2])
            colours = weight * tf.gather(self.sources.guide, self.usable)
            size = self.usable_energy + tf.reduce_sum(tf.square(colours), axis=-1)
            query = tf.concat([target, weight * guide], axis=-1)
            keys = tf.concat([keys, colours], axis=-1)
            self._take(*self._match(query, keys, size, self.usable))
        patch = _Patch(
            -2.0 * target[..., None],
            tf.reduce_sum(tf.square(target), axis=-1, keepdims=True),
            guide[:, None],
        )
        for number in range(rounds):
            self._improve(patch, number, turn * rounds + number, chance)

    def _match(
        self, query: tf.Tensor, keys: tf.Tensor, size: tf.Tensor, sources: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The most similar of the sources for each position, by a matrix product; and 0, or UNUSABLE.

        query: [n, c]; keys: [m, c]; size: [m], the keys' squared lengths; sources: [m].
        """
        # twice the query before, not the product after: OpenVINO would fuse that, and round both to bfloat16
        cost = size[None] + tf.matmul(-2.0 * query, keys, transpose_b=True)  # [n, m]
        cost += UNUSABLE * self.sources.elsewhere(sources, self.place[0])
        best = tf.gather(sources, tf.argmin(cost, axis=1, output_type=tf.int32))
        some = tf.reduce_min(cost, axis=1) < 0.5 * UNUSABLE
        return tf.where(some, best, 0), tf.where(some, 0.0, UNUSABLE)

    def _improve(self, patch: "_Patch", number: int, draw: int, chance: int) -> None:
        """One round: the cheapest of a position's own source, those that go on from neighbours', and some by chance."""
        own = tf.maximum(tf.gather(self.field.source, self.positions), 0)[:, None]  # [n, 1]
        ways, back = self.ways, self.back
        if number % 2:  # the near ones alone
            ways = ways[: len(NEAR)]
            back = _Step(*(None if step is None else step[: len(NEAR)] for step in back))
        source = tf.gather(self.field.source, self._on_grid(self.at + ways))  # [n, w]
        continued = self.sources.moved(source, back)
        continued = tf.where(source < 0, own, continued)
        choices = [own, continued]
        if chance:
            reach = max(1, chance >> number)
            noise = tf.cast(tf.round(reach * self._noise(draw)), tf.int32)  # [n, 2, 2]
            step = self.sources.step(noise[..., 0], noise[..., 1])
            choices.append(self.sources.moved(own, step))
        joined = tf.concat(choices, axis=1)  # [n, c]
        cost = self._cost(joined, patch)
        near = continued if number % 2 else continued[:, : len(NEAR)]
        same = joined[:, :, None] == near[:, None]
        agreeing = tf.reduce_sum(tf.cast(same, tf.float32), axis=-1)
        best = tf.argmin(cost * (1.0 - 0.25 * COHERENCE * agreeing), axis=1, output_type=tf.int32)
        at = self.numbers * joined.shape[1] + best
        self._take(tf.gather(tf.reshape(joined, [-1]), at), tf.gather(tf.reshape(cost, [-1]), at))

    def _noise(self, draw: int) -> tf.Tensor:
        """Two displacements a position, [n, 2, 2] in [-1, 1]."""
        _, row, column = self.place
        draws = [2018 * draw, 2018 * draw + 1009]
        # NOISE_COUNT more: beyond the border rows and columns are negative
        at = (row * 37 + column * 11)[:, None] + tf.constant([d + NOISE_COUNT for d in draws])
        return tf.gather(tf.constant(NOISE), at - NOISE_COUNT * quotient(at, NOISE_COUNT))

    def _left_out(self, seed: tf.Tensor, temperature: tf.Tensor | float) -> tf.Tensor:
        """Which sources a sample does without: regions by chance, [n]."""
        layer = self.sources.photo
        _, row, column = layer.split(tf.range(tf.size(self.sources.energy)))
        side = REGION // self.factor
        at = (row // side) * 61 + (column // side) * 7 + seed[0] % 997 * 31 + seed[1] % 997
        noise = tf.gather(tf.constant(NOISE[:, 0]), at % NOISE_COUNT)  # [n] in [-1, 1]
        return noise < temperature - 1.0

    def _cost(self, choices: tf.Tensor, patch: "_Patch") -> tf.Tensor:
        """Squared differences of patches and guide: [n, c] sources -> [n, c]."""
        rows = tf.gather(self.sources.blocks, self.sources.around(choices))  # [n, c, 9, 12]
        rows = tf.reshape(rows, [-1, choices.shape[1], 9 * 3 * CELL**2])
        product = tf.matmul(rows, patch.target)[..., 0]
        difference = tf.gather(self.sources.guide, choices) - patch.guide
        colour = GUIDE_WEIGHT * tf.reduce_sum(tf.square(difference), axis=-1)
        return tf.gather(self.sources.energy, choices) + product + patch.energy + colour

    def vote(self, final: bool) -> None:
        """Each missing pixel: the weighted mean of what the patches that cover it bring."""
        source = tf.gather(self.field.source, self.around)  # [n, 9]
        brought = self.sources.moved(source, self.to_middle)
        rows = tf.gather(self.sources.blocks, brought)  # [n, 9, 12]
        cost = tf.gather(self.field.cost, self.around)
        good = tf.cast(cost < 0.5 * UNUSABLE, tf.float32)
        cost = good * cost / PATCH**2
        count = tf.maximum(tf.reduce_sum(good, axis=1, keepdims=True), 1.0)
        typical = tf.reduce_sum(cost, axis=1, keepdims=True) / count  # [n, 1]
        share = good * tf.exp(-cost / (0.7 * typical + 2.0)) * self.weights
        total = tf.reduce_sum(share, axis=1, keepdims=True)
        some = tf.cast(total > 0.0, tf.float32)
        share = (share / tf.maximum(total, 1e-20))[:, None]  # [n, 1, 9]
        value = tf.matmul(share, rows)[:, 0]  # [n, 12]
        missing = self.thick * some
        if final:
            second = tf.matmul(share, tf.square(rows))[:, 0]
            variance = tf.reduce_mean(tf.nn.relu(second - tf.square(value)), -1, keepdims=True)
            self.about = tf.concat([typical / 3.0, variance, some], axis=-1)
        else:
            value = tf.floor(value + 0.5)
        before = tf.gather(self.estimate, self.positions)
        value = before + missing * (value - before)
        self.estimate = tf.tensor_scatter_nd_update(self.estimate, self.at, value)

    def result(self, thick: tf.Tensor) -> Synthesis:
        """After the last vote at full size."""
        about = tf.tensor_scatter_nd_update(tf.zeros([self.count, 3]), self.at, self.about)
        distance, spread, share = tf.split(thick * upsample(self._unfold(about), CELL), 3, axis=-1)
        image = tf.nn.depth_to_space(self._unfold(self.estimate), CELL)
        return Synthesis(image / 255.0, tf.sqrt(distance) / 255.0, tf.sqrt(spread) / 255.0, share)

    def _take(self, source: tf.Tensor, cost: tf.Tensor) -> None:
        if not self.compact:  # what need not be matched offers nothing to its neighbours
            source = tf.where(self.touched > 0.5, source, -1)
            cost = tf.where(self.touched > 0.5, cost, UNUSABLE)
        self.field = _Field(
            tf.tensor_scatter_nd_update(self.field.source, self.at, source),
            tf.tensor_scatter_nd_update(self.field.cost, self.at, cost),
        )

    def _grid(self, cells: tf.Tensor) -> tf.Tensor:
        """[b, h / 2, w / 2, c] -> [n, c], with a border of zeros."""
        edge = [REACH, REACH]
        return tf.reshape(tf.pad(cells, [[0, 0], edge, edge, [0, 0]]), [-1, cells.shape[-1]])

    def _unfold(self, grid: tf.Tensor) -> tf.Tensor:
        """[n, c] -> [b, h / 2, w / 2, c], without the border."""
        grid = tf.reshape(grid, [self.batch, self.rows, self.columns, grid.shape[-1]])
        return grid[:, REACH:-REACH, REACH:-REACH]

    def _split(self, cell: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """(photo, row, column) of cells of the padded grid; row and column count without the border."""
        row = quotient(cell, self.columns)
        photo = quotient(row, self.rows)
        return photo, row - photo * self.rows - REACH, cell - row * self.columns - REACH

    def _join(self, photo: tf.Tensor, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        return (photo * self.rows + row + REACH) * self.columns + column + REACH

    def _anchors(self, photo: tf.Tensor, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        """The pixel, among the sources, at which a cell begins."""
        layer = self.sources.photo
        return layer.clip(layer.join(photo, CELL * row, CELL * column))

    def _on_grid(self, cell: tf.Tensor) -> tf.Tensor:
        return tf.minimum(tf.maximum(cell, 0), self.count - 1)


def _to_integers(image: tf.Tensor) -> tf.Tensor:
    return tf.floor(255.0 * tf.clip_by_value(image, 0.0, 1.0) + 0.5)


def _shrink(image: tf.Tensor, mask: tf.Tensor, factor: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Means of the known pixels, rounded, and which cells count as missing."""
    if factor == 1:
        return image, mask
    known = 1.0 - mask
    count = factor**2 * tf.nn.avg_pool2d(known, factor, factor, "VALID")
    total = factor**2 * tf.nn.avg_pool2d(image * known, factor, factor, "VALID")
    # a quarter more, so that no quotient lies half way between integers
    mean = tf.floor((total + 0.25) / tf.maximum(count, 1.0) + 0.5)
    return mean, tf.cast(count < KNOWN_SHARE * factor**2, tf.float32)


def _thick(mask: tf.Tensor) -> tf.Tensor:
    """The hole without its strokes: what lies within an opening by squares of THIN px."""
    core = 1.0 - tf.nn.max_pool2d(1.0 - mask, THIN, 1, "SAME")
    return mask * tf.nn.max_pool2d(core, THIN + 4, 1, "SAME")


def _depth(cells: tf.Tensor) -> tf.Tensor:
    """Chessboard distance to the border in cells, up to DEPTH_STEPS."""
    total, rest = tf.zeros_like(cells), cells
    for _ in range(DEPTH_STEPS):
        total += rest
        rest = 1.0 - tf.nn.max_pool2d(1.0 - rest, 3, 1, "SAME")
    return total


def _blurred(image: tf.Tensor) -> tf.Tensor:
    """Colours blurred about the middle of the cell that begins at each pixel: integers, with MARGIN around."""
    kernel = np.asarray(BLUR, np.float32)
    across = np.tile(kernel[None, :, None, None], [1, 1, 3, 1])
    down = np.tile(kernel[:, None, None, None], [1, 1, 3, 1])
    x = _pad_edge(image, MARGIN + len(BLUR) // 2)[:, 1:, 1:]
    x = tf.nn.depthwise_conv2d(x, across, [1, 1, 1, 1], "VALID")
    x = tf.nn.depthwise_conv2d(x, down, [1, 1, 1, 1], "VALID")
    return tf.floor(x * (1.0 / sum(BLUR) ** 2) + 0.5)


def _pad_edge(image: tf.Tensor, margin: int) -> tf.Tensor:
    """Repeat the outermost rows and columns."""
    for axis in (1, 2):
        size = tf.shape(image)[axis]
        at = tf.clip_by_value(tf.range(-margin, size + margin), 0, size - 1)
        image = tf.gather(image, at, axis=axis)
    return image
