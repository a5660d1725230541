"""Which known position each position copies, made coherent: neighbours go on from each other's sources.

The best match of each position alone jumps about. As in PatchMatch (Barnes et al. 2009), positions therefore also try
what would go on from a neighbour's source; as in iterated conditional modes (Besag 1986), agreeing with neighbours is
worth something by itself.
"""

import tensorflow as tf

ROUNDS = 3
AGREEMENT = 0.1  # what a neighbour that goes on from the same source adds to the cosine similarity
NEIGHBOURS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def coherent_field(
    similarity: tf.Tensor, best: tf.Tensor, height: tf.Tensor, width: tf.Tensor
) -> tf.Tensor:
    """Let each position choose between its source and those that go on from its neighbours' sources, a few times.

    Args:
        similarity: [b, n, m] of n = height * width positions to m sources; the first n sources are the positions
            themselves, in the same order. Sources that must not be copied are far below the others.
        best: int32 [b, n], the sources to start from.
        height, width: of the grid of positions.

    Returns:
        int32 [b, n], the sources chosen.
    """
    batch, sources = tf.shape(similarity)[0], tf.shape(similarity)[2]
    flat = tf.reshape(similarity, [-1])
    first = sources * tf.reshape(tf.range(batch * height * width), [batch, height * width])
    for _ in range(ROUNDS):
        continued = _continued(best, height, width)
        score, chosen = _score(flat, first, best, continued), best
        for candidate in continued:
            value = _score(flat, first, candidate, continued)
            chosen = tf.where(value > score, candidate, chosen)
            score = tf.maximum(value, score)
        best = chosen
    return best


def _continued(best: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> list[tf.Tensor]:
    """For each neighbour, the source one step from the neighbour's; the position's own where there is none."""
    grid = tf.reshape(best, [-1, height, width])
    padded = tf.pad(grid, [[0, 0], [1, 1], [1, 1]], constant_values=-1)
    found = []
    for down, right in NEIGHBOURS:
        source = padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
        row = source // width
        column = source - row * width - right
        row = row - down
        inside = (source >= 0) & (row >= 0) & (row < height) & (column >= 0) & (column < width)
        inside = inside & (
            source < height * width
        )  # sources of other photos have no neighbours here
        moved = tf.where(inside, row * width + column, grid)
        found.append(tf.reshape(moved, tf.shape(best)))
    return found


def _score(
    flat: tf.Tensor, first: tf.Tensor, candidate: tf.Tensor, continued: list[tf.Tensor]
) -> tf.Tensor:
    """Similarity of a candidate, [b, n], and what its agreement with the neighbours is worth."""
    agreeing = tf.add_n([tf.cast(candidate == other, flat.dtype) for other in continued])
    return tf.gather(flat, first + candidate) + AGREEMENT * agreeing
