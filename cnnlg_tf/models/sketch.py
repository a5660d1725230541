"""Sketches: strokes inside the hole that a repair follows, as walls of the membrane fill and as colours in it."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from cnnlg_tf.models.fill import membrane_fill
from cnnlg_tf.models.morphology import dilated
from cnnlg_tf.models.pixels import known_range

PLAIN = (
    4.5 / 127.5
)  # in units of [-1, 1]; strokes whose channels differ by less are grey: lines without a colour
FAINT = 0.2  # in units of [-1, 1]; the contrast that a grey line gets where both of its sides look alike
HALF_KNOWN = 0.5  # what the decoder sees as the mask under a stroke: neither known nor free

CORNER = 16  # px; sizes are multiples of it

BESIDE = 4  # px beside a stroke in which the synthesis heeds the guide more, and a repair keeps to the fill's colours,
LEEWAY = 0.1  # or leaves them by this, in [-1, 1]


class Sketch(NamedTuple):
    """Strokes that lie in the hole.

    colours: [b, h, w, 3] in [-1, 1], zero beside the strokes; strokes: [b, h, w, 1] of 0 and 1; idle: int32 [], 1 where
    there is no stroke and nothing is to be computed for the sketch, else 0; None: nobody looked.
    """

    colours: tf.Tensor
    strokes: tf.Tensor
    idle: tf.Tensor | None = None

    @property
    def painted(self) -> tf.Tensor:
        """1 where a stroke says what colour belongs there: [b, h, w, 1]. Grey ones say only that an edge does."""
        highest, lowest = (
            f(self.colours, -1, keepdims=True) for f in (tf.reduce_max, tf.reduce_min)
        )
        return self.strokes * tf.cast(highest - lowest > PLAIN, self.strokes.dtype)


def make_sketch(
    colours: tf.Tensor, strokes: tf.Tensor, hole: tf.Tensor, compact: bool = False
) -> Sketch:
    """A sketch as users give it: colours [b, h, w, 3] in [0, 1], whatever beside the strokes; strokes above 0.5.

    compact: nothing is computed for a sketch without strokes, which changes nothing; False for runtimes without sizes
    that depend on data.
    """
    inside = hole * tf.cast(strokes > 0.5, hole.dtype)
    idle = None
    if compact:
        idle = 1 - tf.cast(tf.reduce_max(inside), tf.int32)
    return Sketch(tf.where(inside > 0.5, 2.0 * colours - 1.0, 0.0), inside, idle)


def fill_with_sketch(image: tf.Tensor, mask: tf.Tensor, sketch: Sketch) -> tf.Tensor:
    """The membrane fill that a sketch shapes: [b, h, w, 3].

    Colours hardly spread across strokes, so that what lies on both sides meets there in an edge. A stroke with a colour
    is a known pixel for the fill. A grey one takes the colours around; where these are too much alike to show an edge,
    it is drawn in faintly, darker or lighter as its grey is.
    """

    def fill(some: Sketch, image: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        painted = some.painted
        shown = tf.where(painted > 0.5, some.colours, image)
        filled = membrane_fill(shown, mask * (1.0 - painted), some.strokes)
        lacking = tf.nn.relu(FAINT - _contrast(filled))
        line = filled + tf.clip_by_value(some.colours - filled, -lacking, lacking)
        return filled + (some.strokes - painted) * (line - filled)

    return _where_drawn(sketch, fill, membrane_fill, image, mask)


def half_known(mask: tf.Tensor, sketch: Sketch) -> tf.Tensor:
    """The mask as the decoder and the latent guide see it."""
    return mask * (1.0 - (1.0 - HALF_KNOWN) * sketch.strokes)


def around_strokes(mask: tf.Tensor, sketch: Sketch) -> tf.Tensor:
    """The mask without the strokes and the pixels beside them: what gradients are still to be completed in."""
    return mask * (1.0 - near_strokes(sketch, 1))


def edges(sketch: Sketch) -> tf.Tensor:
    """1 on thin strokes and on the rims of thick ones, 2 px to both sides: [b, h, w, 1]."""
    return near_strokes(sketch, 2) * near_strokes(sketch, 2, inverted=True)


def without_halos(painted: tf.Tensor, filled: tf.Tensor, sketch: Sketch) -> tf.Tensor:
    """A repair that overshoots beside no stroke: there it keeps to the range of the fill's colours around."""

    def keep(some: Sketch, painted: tf.Tensor, filled: tf.Tensor) -> tf.Tensor:
        low, high = known_range(filled, tf.zeros_like(some.strokes), BESIDE)
        within = tf.minimum(tf.maximum(painted, low - LEEWAY), high + LEEWAY)
        beside = dilated(some.strokes, 2 * BESIDE + 1)
        return painted + beside * (within - painted)

    return _where_drawn(sketch, keep, lambda painted, _: painted, painted, filled)


def redrawn(enlarged: tf.Tensor, hole: tf.Tensor, sketch: Sketch) -> tf.Tensor:
    """An enlarged repair with the sketch's edges as sharp as drawn: what lies beside them meets there anew."""

    def redraw(some: Sketch, enlarged: tf.Tensor, hole: tf.Tensor) -> tf.Tensor:
        return fill_with_sketch(enlarged, hole * edges(some), some)

    return _where_drawn(sketch, redraw, lambda enlarged, _: enlarged, enlarged, hole)


def near_strokes(sketch: Sketch, reach: int, *, inverted: bool = False) -> tf.Tensor:
    """1 within `reach` px of a stroke, inverted of a pixel without one: [b, h, w, 1]."""

    def widen(some: Sketch, strokes: tf.Tensor) -> tf.Tensor:
        return dilated(1.0 - strokes if inverted else strokes, 2 * reach + 1)

    return _where_drawn(sketch, widen, tf.ones_like if inverted else tf.zeros_like, sketch.strokes)


def halved(sketch: Sketch, hole: tf.Tensor) -> Sketch:
    """The sketch at half the resolution, in a hole of that: no line is lost."""
    strokes = tf.nn.avg_pool2d(sketch.strokes, 2, 2, "VALID")
    colours = tf.nn.avg_pool2d(sketch.colours, 2, 2, "VALID")
    inside = hole * tf.cast(strokes > 0.0, hole.dtype)
    return Sketch(inside * tf.math.divide_no_nan(colours, strokes), inside)


def _where_drawn(
    sketch: Sketch,
    drawn: Callable[..., tf.Tensor],
    plain: Callable[..., tf.Tensor],
    *images: tf.Tensor,
) -> tf.Tensor:
    """drawn(sketch, *images); plain(*images), where no stroke is, which is the same for less work.

    The other one gets a corner: no runtime needs control flow, or has to take tensors without elements.
    """
    if sketch.idle is None:
        return drawn(sketch, *images)
    batch, height, width, _ = tf.unstack(tf.shape(sketch.strokes))
    idle, active = sketch.idle, 1 - sketch.idle

    def cut(x: tf.Tensor, whole: tf.Tensor) -> tf.Tensor:
        rows, columns = (CORNER + whole * (side - CORNER) for side in (height, width))
        return x[:, :rows, :columns]

    some = Sketch(cut(sketch.colours, active), cut(sketch.strokes, active))
    changed = drawn(some, *(cut(image, active) for image in images))
    channels = changed.shape[-1]
    parts = [plain(*(cut(image, idle) for image in images)), changed]
    flat = tf.concat([tf.reshape(part, [-1, channels]) for part in parts], axis=0)
    start = active * batch * CORNER**2
    result = flat[start : start + batch * height * width]
    return tf.reshape(result, [batch, height, width, channels])


def _contrast(image: tf.Tensor) -> tf.Tensor:
    """By how much colours differ within 2 px: [b, h, w, 3] -> [b, h, w, 1]."""
    highest, lowest = (dilated(sign * image, 5) for sign in (1.0, -1.0))
    return tf.reduce_mean(highest + lowest, axis=-1, keepdims=True)
