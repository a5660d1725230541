"""Guided synthesis: fill thick holes with real pixels of the photo, laid where the network's repair says they belong.

Coarse to fine (1/8, 1/4, 1/2, 1/1 of the size). At each scale every patch that touches the hole looks for the most
similar known patch; the patches found vote for each missing pixel; repeat. A patch is compared by the colours of the
estimate so far and by those of the blurred guide: the guide says what belongs where, the photo how it looks. Beyond the
photo's frame the network guesses, and is asked at the coarser scales alone. As in PatchMatch (Barnes et al. 2009)
patches go on from their neighbours' sources; as in Wexler et al. (2007) patches vote.

Patches are 3 x 3 cells of 2 x 2 px and lie on the grid of cells: a vote then moves whole cells. There is no loop over
pixels: positions that touch the hole are listed, and all candidates of a round are judged at once. Colours are
compared as integers 0..255 held in float32, and the guide is blurred with integer weights: sums stay under 2**24 and
so are exact in any order, and every runtime chooses alike.
"""

import tensorflow as tf

from cnnlg_tf.models.morphology import dilated
from cnnlg_tf.models.pixels import beyond_frame
from cnnlg_tf.models.synthesis_scale import Heed, Scale, Synthesis

SCALES = (8, 4, 2, 1)
CHANCE = (0, 8, 2, 0)  # px that a source moves by chance, at each scale
THIN = 7  # px; parts of the hole thinner than this are the network's alone


def synthesise(
    image: tf.Tensor,
    mask: tf.Tensor,
    guide: tf.Tensor,
    reference: tf.Tensor | None = None,
    *,
    passes: tuple[int, ...] = (8, 8, 6, 4),
    rounds: tuple[int, ...] = (2, 2, 1, 1),
    seed: tf.Tensor | None = None,
    temperature: tf.Tensor | float = 0.0,
    kept: tf.Tensor | None = None,
    sure: tf.Tensor | None = None,
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
        sure: [b, h, w, 1] of 0 and 1, 1 where the guide is known to be right and counts more: beside strokes.
        compact: False judges every position, needed or not, with the same result: for runtimes without NonZero.
    """
    thick = _thick(mask) if kept is None else _thick(mask) * (1.0 - kept)
    start = _to_integers(tf.where(mask > 0.5, guide, image))
    other = None
    if reference is not None:
        nothing = tf.cast(tf.reduce_min(reference, axis=-1, keepdims=True) < 0.0, tf.float32)
        other = (_to_integers(reference), nothing)
    heed = Heed(beyond_frame(mask), sure)
    scale: Scale | None = None
    for number, factor in enumerate(SCALES):
        finer = Scale(start, mask, thick, other, heed, factor, compact)
        if scale is None:
            finer.begin(seed, temperature)
        else:
            finer.go_on(scale, seed, temperature)
        finer.improve(passes[number], rounds[number], CHANCE[number])
        scale = finer
    return finer.result(thick)


def _to_integers(image: tf.Tensor) -> tf.Tensor:
    return tf.floor(255.0 * tf.clip_by_value(image, 0.0, 1.0) + 0.5)


def _thick(mask: tf.Tensor) -> tf.Tensor:
    """The hole without its strokes: what lies within an opening by squares of THIN px."""
    core = 1.0 - dilated(1.0 - mask, THIN)
    return mask * dilated(core, THIN + 4)
