"""One scale of the guided synthesis: search for patches to lay, and their vote for each missing pixel."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from cnnlg_tf.models.cell_grid import BORDER, CellGrid
from cnnlg_tf.models.fill import upsample
from cnnlg_tf.models.loops import State, repeated
from cnnlg_tf.models.morphology import dilated
from cnnlg_tf.models.nearest_source import NearestSource, weighed
from cnnlg_tf.models.patch_sources import (
    CELL,
    PATCH,
    SQUARE,
    UNUSABLE,
    Layer,
    Sources,
    Step,
    blurred,
    pad_edge,
)
from cnnlg_tf.models.patch_votes import Votes, count_votes
from cnnlg_tf.models.pixels import border_distance, quotient
from cnnlg_tf.models.usable_sources import Listed, few_of, list_usable

KNOWN_SHARE = 0.05  # of a coarse pixel's area: from here on it counts as known, else strokes eat up all sources
GUIDE_WEIGHT = float(PATCH**2)  # the guide's colour counts as much as a patch's mean colour
# the same beyond the frame, by the scale's factor
BEYOND_WEIGHTS = {8: GUIDE_WEIGHT, 4: GUIDE_WEIGHT, 2: 1.0, 1: 0.0}
SURE = 8.0  # how much more the guide counts where it is sure
COHERENCE = 0.7  # how much cheaper a source is when all four neighbours go on from it
NEAR = ((0, 1), (0, -1), (1, 0), (-1, 0))  # cells
FAR = tuple((BORDER * dy, BORDER * dx) for dy, dx in NEAR)
DEPTH_STEPS = 6  # cells
FAINT = 3 * 48.0**2  # squared difference of mean colours; less makes mosaics, more stacks up errors
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


class Heed(NamedTuple):
    """Where the guide counts more or less; both [b, h, w, 1] of 0 and 1.

    beyond: 1 where the photo goes on beyond its frame; sure: 1 where the guide is known to be right, None nowhere.
    """

    beyond: tf.Tensor
    sure: tf.Tensor | None


class _Patch(NamedTuple):
    """What each position's patch is compared by.

    target: [n, 108, 1], its colours times -2; energy: [n, 1], their squares' sum; guide: [n, 1, 3], the colour there;
    weight: [n, 1], the guide's.
    """

    target: tf.Tensor
    energy: tf.Tensor
    guide: tf.Tensor
    weight: tf.Tensor


class _Field(NamedTuple):
    """Sources of all cells of the padded grid: [n] indices, -1 where there is none, and what each costs."""

    source: tf.Tensor
    cost: tf.Tensor


class Scale:
    """One scale: what can be copied, where to, and the estimate so far."""

    def __init__(
        self,
        start: tf.Tensor,
        mask: tf.Tensor,
        thick: tf.Tensor,
        reference: tuple[tf.Tensor, tf.Tensor] | None,
        heed: Heed,
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
            other = Layer(small, nothing, blurred(small))
        self.sources = Sources(Layer(known, hole, blurred(image)), other)

        shape = tf.shape(hole)
        self.grid = CellGrid(shape[0], shape[1], shape[2])
        cells = tf.nn.max_pool2d(thick, CELL, CELL, "VALID")
        self.touched = self.grid.fold(dilated(cells, 3))[:, 0]
        listed = tf.where(self.touched > 0.5)[:, 0] if compact else tf.range(self.grid.count)
        self.positions = tf.cast(listed, tf.int32)
        self.at, self.numbers = self.positions[:, None], tf.range(tf.size(self.positions))
        self.place = self.grid.split(self.positions)
        self.anchors = self._anchors(*self.place)
        self.nearest = NearestSource(self.sources, factor, self.place)
        dy, dx = map(tf.constant, zip(*SQUARE, strict=True))
        # [n, 9], the cells of each position's patch
        self.around = self.grid.clip(self.at + self.grid.step(dy, dx))
        self.to_middle = self.sources.step(-CELL * dy, -CELL * dx)
        dy, dx = map(tf.constant, zip(*NEAR, *FAR, strict=True))
        self.ways = self.grid.step(dy, dx)
        self.back = self.sources.step(-CELL * dy, -CELL * dx)
        thick = self.grid.fold(tf.nn.space_to_depth(tf.repeat(thick, 3, axis=-1), CELL))  # [n, 12]
        self.thick = tf.gather(thick, self.positions)
        folded = pad_edge(tf.nn.space_to_depth(image, CELL), BORDER)
        self.estimate = tf.reshape(folded, [self.grid.count, 3 * CELL**2])
        weights = self.grid.fold(1.3 ** (-CELL * border_distance(cells, DEPTH_STEPS)))[:, 0]
        self.weights = tf.gather(weights, self.around)  # [n, 9]
        self.trust = tf.ones([tf.size(self.positions), 1])  # how much the guide counts
        if heed.sure is not None:
            self.trust += SURE * self._at_positions(heed.sure)
        less = (GUIDE_WEIGHT - BEYOND_WEIGHTS[factor]) * self._at_positions(heed.beyond)
        self.guide_weight = GUIDE_WEIGHT * self.trust - less
        self.field = _Field(tf.fill([self.grid.count], -1), tf.fill([self.grid.count], UNUSABLE))
        self.usable: Listed | None = None  # all of these are searched, where they are listed

    def begin(self, seed: tf.Tensor | None, temperature: tf.Tensor | float) -> None:
        """The first sources, by the guide alone: blurred on both sides, else blur finds blur."""
        self.usable = list_usable(self.sources, self.factor, seed, temperature, self.compact)
        self._take(*self._match_guide(self.usable))
        self._vote()

    def go_on(
        self, coarser: "Scale", seed: tf.Tensor | None, temperature: tf.Tensor | float
    ) -> None:
        """From a coarser scale's sources; from a few of this scale's where the guide finds those far better.

        A coarse scale may know no place like the one that is missing, and what it laid there looks plausible to itself.
        """
        step = coarser.factor // self.factor
        photo, row, column = self.place
        row_above, column_above = quotient(row, step), quotient(column, step)
        above = coarser.grid.join(photo, row_above, column_above)
        source = tf.gather(coarser.field.source, above)
        within = (CELL * (row - step * row_above), CELL * (column - step * column_above))
        here = coarser.sources.finer(source, step, *within, self.sources)
        found_there = tf.gather(coarser.field.cost, above) < 0.5 * UNUSABLE
        whole = found_there & (tf.gather(self.sources.energy, here) < UNUSABLE)
        listed = list_usable(self.sources, self.factor, seed, temperature, self.compact)
        found, cost = self._match_guide(few_of(listed, self.sources, self.grid.batch))
        faint = FAINT / self.trust[:, 0]
        farther = self._off_colour(here) > 4.0 * self._off_colour(found) + faint
        heeded = self.guide_weight[:, 0] > 0.0
        stays = whole & ~(farther & heeded & (cost < UNUSABLE))
        self._take(tf.where(stays, here, found), tf.where(stays, 0.0, cost))
        self._vote()

    def _off_colour(self, source: tf.Tensor) -> tf.Tensor:
        """Squared difference of the mean colours of patches and of the guide there: [n] sources -> [n].

        Of means alone: the guide is smooth, and texture differs from it everywhere.
        """
        there = tf.gather(self.sources.guide, self.sources.around(source))  # [n, 9, 3]
        here = tf.gather(self.sources.guide, self.sources.around(self.anchors))
        return tf.reduce_sum(tf.square(tf.reduce_mean(there - here, axis=1)), axis=-1)

    def _match_guide(self, listed: Listed) -> tuple[tf.Tensor, tf.Tensor]:
        query = tf.gather(self.sources.guide, self.sources.around(self.anchors))  # [n, 9, 3]
        keys = tf.gather(self.sources.guide, self.sources.around(listed.source))  # [m, 9, 3]
        keys = tf.reshape(keys, [-1, 27])
        query, keys = weighed(tf.reshape(query, [-1, 27]), keys, self.trust)
        energy = tf.where(listed.energy < UNUSABLE, 0.0, UNUSABLE)
        return self.nearest.find(query, keys, Listed(listed.source, energy))

    def improve(self, passes: int, rounds: int, chance: int) -> None:
        """Search and vote `passes` times, each search with so many `rounds` of candidates."""

        def one(turn: tf.Tensor, state: State) -> State:
            self._set_state(state)
            self._search(turn, rounds, chance)
            self._vote()
            return self._state()

        self._set_state(repeated(passes, one, self._state()))

    def _state(self) -> State:
        """What a pass changes."""
        return *self.field, self.estimate

    def _set_state(self, state: State) -> None:
        source, cost, self.estimate = state
        self.field = _Field(source, cost)

    def _search(self, turn: tf.Tensor, rounds: int, chance: int) -> None:
        """Better sources: the best of all at the coarsest scale, then neighbours' and some by chance."""
        target = tf.gather(self.estimate, self.around)  # [n, 9, 12]
        target = tf.reshape(target, [-1, 9 * 3 * CELL**2])
        guide = tf.gather(self.sources.guide, self.anchors)  # [n, 3]
        if self.usable is not None:
            keys = tf.gather(self.sources.blocks, self.sources.around(self.usable.source))
            keys = tf.reshape(keys, [-1, 9 * 3 * CELL**2])
            colours = tf.gather(self.sources.guide, self.usable.source)
            wanted, colours = weighed(guide, colours, self.guide_weight)
            query, keys = tf.concat([target, wanted], -1), tf.concat([keys, colours], -1)
            self._take(*self.nearest.find(query, keys, self.usable))
        patch = _Patch(
            (-2.0 * target)[..., None],  # not of [.., 1], which onnxruntime multiplies one by one
            tf.reduce_sum(tf.square(target), axis=-1, keepdims=True),
            guide[:, None],
            self.guide_weight,
        )
        for number in range(rounds):
            self._try_candidates(patch, number, turn * rounds + number, chance)

    def _try_candidates(self, patch: "_Patch", number: int, draw: tf.Tensor, chance: int) -> None:
        """One round: the cheapest of a position's own source, those that go on from neighbours', and some by chance."""
        own = tf.maximum(tf.gather(self.field.source, self.positions), 0)[:, None]  # [n, 1]
        ways, back = self.ways, self.back
        near_alone = number % 2 or self.factor == 1  # far ones hardly help there, and cost the most
        if near_alone:
            ways = ways[: len(NEAR)]
            back = Step(*(None if step is None else step[: len(NEAR)] for step in back))
        source = tf.gather(self.field.source, self.grid.clip(self.at + ways))  # [n, w]
        continued = self.sources.moved(source, back)
        continued = tf.where(source < 0, own, continued)
        choices = [own, continued]
        if chance:
            reach = max(1, chance >> number)
            by = tf.cast(tf.round(reach * self._noise(draw)), tf.int32)  # [n, 2, 2]
            step = self.sources.step(by[..., 0], by[..., 1])
            choices.append(self.sources.moved(own, step))
        joined = tf.concat(choices, axis=1)  # [n, c]
        cost = self._cost(joined, patch)
        near = continued if near_alone else continued[:, : len(NEAR)]
        same = joined[:, :, None] == near[:, None]
        agreeing = tf.reduce_sum(tf.cast(same, tf.float32), axis=-1)
        best = tf.argmin(cost * (1.0 - 0.25 * COHERENCE * agreeing), axis=1, output_type=tf.int32)
        at = self.numbers * joined.shape[1] + best
        self._take(tf.gather(tf.reshape(joined, [-1]), at), tf.gather(tf.reshape(cost, [-1]), at))

    def _noise(self, draw: tf.Tensor) -> tf.Tensor:
        """Two displacements a position, [n, 2, 2] in [-1, 1]."""
        _, row, column = self.place
        draws = 2018 * draw + tf.constant([0, 1009])
        # NOISE_COUNT more: beyond the border rows and columns are negative
        at = (row * 37 + column * 11)[:, None] + draws + NOISE_COUNT
        return tf.gather(tf.constant(NOISE), at - NOISE_COUNT * quotient(at, NOISE_COUNT))

    def _cost(self, choices: tf.Tensor, patch: "_Patch") -> tf.Tensor:
        """Squared differences of patches and guide: [n, c] sources -> [n, c]."""
        rows = tf.gather(self.sources.blocks, self.sources.around(choices))  # [n, c, 9, 12]
        rows = tf.reshape(rows, [-1, choices.shape[1], 9 * 3 * CELL**2])
        product = tf.matmul(rows, patch.target)[..., 0]
        difference = tf.gather(self.sources.guide, choices) - patch.guide
        colour = patch.weight * tf.reduce_sum(tf.square(difference), axis=-1)
        return tf.gather(self.sources.energy, choices) + product + patch.energy + colour

    def _vote(self) -> None:
        """Each missing pixel: the weighted mean of what the patches that cover it bring, rounded."""
        votes = self._votes()
        self._write(tf.floor(votes.mean + 0.5), votes)

    def result(self, thick: tf.Tensor) -> Synthesis:
        """At full size: a last vote, not rounded, and how it went."""
        votes = self._votes()
        self._write(votes.mean, votes)
        about = tf.concat([votes.cost / 3.0, votes.variance, votes.some], axis=-1)
        about = tf.tensor_scatter_nd_update(tf.zeros([self.grid.count, 3]), self.at, about)
        about = thick * upsample(self.grid.unfold(about), CELL)
        distance, spread, share = tf.split(about, 3, axis=-1)
        image = tf.nn.depth_to_space(self.grid.unfold(self.estimate), CELL)
        return Synthesis(image / 255.0, tf.sqrt(distance) / 255.0, tf.sqrt(spread) / 255.0, share)

    def _votes(self) -> Votes:
        source = tf.gather(self.field.source, self.around)  # [n, 9]
        brought = tf.gather(self.sources.blocks, self.sources.moved(source, self.to_middle))
        return count_votes(brought, tf.gather(self.field.cost, self.around), self.weights)

    def _write(self, value: tf.Tensor, votes: Votes) -> None:
        """Lay [n, 12] where pixels are missing and there are votes."""
        missing = self.thick * votes.some
        before = tf.gather(self.estimate, self.positions)
        value = before + missing * (value - before)
        self.estimate = tf.tensor_scatter_nd_update(self.estimate, self.at, value)

    def _take(self, source: tf.Tensor, cost: tf.Tensor) -> None:
        if not self.compact:  # what need not be matched offers nothing to its neighbours
            source = tf.where(self.touched > 0.5, source, -1)
            cost = tf.where(self.touched > 0.5, cost, UNUSABLE)
        self.field = _Field(
            tf.tensor_scatter_nd_update(self.field.source, self.at, source),
            tf.tensor_scatter_nd_update(self.field.cost, self.at, cost),
        )

    def _at_positions(self, mask: tf.Tensor) -> tf.Tensor:
        """Where cells hold some of a full size mask, [b, h, w, 1] of 0 and 1: [n, 1]."""
        side = CELL * self.factor
        cells = self.grid.fold(tf.nn.max_pool2d(mask, side, side, "VALID"))
        return tf.gather(cells, self.positions)

    def _anchors(self, photo: tf.Tensor, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        """The pixel, among the sources, at which a cell begins."""
        layer = self.sources.photo
        return layer.clip(layer.join(photo, CELL * row, CELL * column))


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
