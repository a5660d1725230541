"""Sketches: strokes inside the hole that a repair follows, as walls of the membrane fill and as colours in it."""

from typing import NamedTuple

import tensorflow as tf

from cnnlg_tf.models.fill import membrane_fill
from cnnlg_tf.models.pixels import known_range

PLAIN = (
    4.5 / 127.5
)  # in units of [-1, 1]; strokes whose channels differ by less are grey: lines without a colour
FAINT = 0.2  # in units of [-1, 1]; the contrast that a grey line gets where both of its sides look alike
HALF_KNOWN = 0.5  # what the decoder sees as the mask under a stroke: neither known nor free

BESIDE = 4  # px beside a stroke in which a repair keeps to the colours of the fill,
LEEWAY = 0.1  # or leaves them by this, in [-1, 1]


class Sketch(NamedTuple):
    """Strokes that lie in the hole.

    colours: [b, h, w, 3] in [-1, 1], zero beside the strokes; strokes: [b, h, w, 1] of 0 and 1.
    """

    colours: tf.Tensor
    strokes: tf.Tensor

    @property
    def painted(self) -> tf.Tensor:
        """1 where a stroke says what colour belongs there: [b, h, w, 1]. Grey ones say only that an edge does."""
        highest, lowest = (
            f(self.colours, -1, keepdims=True) for f in (tf.reduce_max, tf.reduce_min)
        )
        return self.strokes * tf.cast(highest - lowest > PLAIN, self.strokes.dtype)


def make_sketch(colours: tf.Tensor, strokes: tf.Tensor, hole: tf.Tensor) -> Sketch:
    """A sketch as users give it: colours [b, h, w, 3] in [0, 1], whatever beside the strokes; strokes above 0.5."""
    inside = hole * tf.cast(strokes > 0.5, hole.dtype)
    return Sketch(tf.where(inside > 0.5, 2.0 * colours - 1.0, 0.0), inside)


def fill_with_sketch(image: tf.Tensor, mask: tf.Tensor, sketch: Sketch) -> tf.Tensor:
    """The membrane fill that a sketch shapes: [b, h, w, 3].

    Colours hardly spread across strokes, so that what lies on both sides meets there in an edge. A stroke with a colour
    is a known pixel for the fill. A grey one takes the colours around; where these are too much alike to show an edge,
    it is drawn in faintly, darker or lighter as its grey is.
    """
    painted = sketch.painted
    shown = tf.where(painted > 0.5, sketch.colours, image)
    filled = membrane_fill(shown, mask * (1.0 - painted), sketch.strokes)
    lacking = tf.nn.relu(FAINT - _contrast(filled))
    line = filled + tf.clip_by_value(sketch.colours - filled, -lacking, lacking)
    return filled + (sketch.strokes - painted) * (line - filled)


def half_known(mask: tf.Tensor, sketch: Sketch) -> tf.Tensor:
    """The mask as the decoder and the latent guide see it."""
    return mask * (1.0 - (1.0 - HALF_KNOWN) * sketch.strokes)


def around_strokes(mask: tf.Tensor, sketch: Sketch) -> tf.Tensor:
    """The mask without the strokes and the pixels beside them: what gradients are still to be completed in."""
    return mask * (1.0 - tf.nn.max_pool2d(sketch.strokes, 3, 1, "SAME"))


def edges(sketch: Sketch) -> tf.Tensor:
    """1 on thin strokes and on the rims of thick ones, 2 px to both sides: [b, h, w, 1]."""
    wide = tf.nn.max_pool2d(sketch.strokes, 5, 1, "SAME")
    inner = 1.0 - tf.nn.max_pool2d(1.0 - sketch.strokes, 5, 1, "SAME")
    return wide * (1.0 - inner)


def without_halos(painted: tf.Tensor, filled: tf.Tensor, sketch: Sketch) -> tf.Tensor:
    """A repair that overshoots beside no stroke: there it keeps to the range of the fill's colours around."""
    low, high = known_range(filled, tf.zeros_like(sketch.strokes), BESIDE)
    within = tf.minimum(tf.maximum(painted, low - LEEWAY), high + LEEWAY)
    beside = tf.nn.max_pool2d(sketch.strokes, 2 * BESIDE + 1, 1, "SAME")
    return painted + beside * (within - painted)


def redrawn(enlarged: tf.Tensor, hole: tf.Tensor, sketch: Sketch) -> tf.Tensor:
    """An enlarged repair with the sketch's edges as sharp as drawn: what lies beside them meets there anew."""
    return fill_with_sketch(enlarged, hole * edges(sketch), sketch)


def halved(sketch: Sketch, hole: tf.Tensor) -> Sketch:
    """The sketch at half the resolution, in a hole of that: no line is lost."""
    strokes = tf.nn.avg_pool2d(sketch.strokes, 2, 2, "VALID")
    colours = tf.nn.avg_pool2d(sketch.colours, 2, 2, "VALID")
    inside = hole * tf.cast(strokes > 0.0, hole.dtype)
    return Sketch(inside * tf.math.divide_no_nan(colours, strokes), inside)


def _contrast(image: tf.Tensor) -> tf.Tensor:
    """By how much colours differ within 2 px: [b, h, w, 3] -> [b, h, w, 1]."""
    highest, lowest = (tf.nn.max_pool2d(sign * image, 5, 1, "SAME") for sign in (1.0, -1.0))
    return tf.reduce_mean(highest + lowest, axis=-1, keepdims=True)
