"""A whole photo's repair as one graph, for devices: crop, scale, repair, paste exactly; 8 bits in and out.

    photo -> crop -> at most 512 x 512 px -> decoded, at half of it if the hole is thick -> real pixels laid -> pasted

Resampling is a product with a matrix that the graph makes, so that every runtime resamples alike, at any size.
"""

from typing import TYPE_CHECKING

import tensorflow as tf

from cnnlg_tf.models.morphology import dilated
from cnnlg_tf.models.pixels import quotient

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

SIDE = 512  # px: no larger photo is its own crop, and no crop is repaired at more than this squared
STEP = 32  # px: crops' sides are multiples of it where the photo allows
CONTEXT = 0.75  # known pixels around the hole, in its shorter side,
MIN_CONTEXT, MAX_CONTEXT = 32, 128  # from and up to
CELL, STEPS = 4, 8  # a hole is thick where a disc of 8 cells of 4 px fits in: 64 px, as in training
TRAINED_SIDE = 256  # px; no smaller photo is decoded at half its size


def repair_photo(
    model: "CNNLG", image: tf.Tensor, mask: tf.Tensor, compact: bool = True
) -> tf.Tensor:
    """Repair one photo of any size.

    A photo with sides up to 512 px whose hole is up to 64 px thick is repaired as `CNNLG.repair` does. A larger one is
    repaired in one crop around the whole hole: `inference.painting` does better where holes lie far apart.

    Args:
        image: uint8 [1, h, w, 3], sides from 16.
        mask: uint8 [1, h, w, 1], 255 = missing (from 128 on), 0 = known.
        compact: False for runtimes without sizes that depend on data: no photo is cropped or scaled, and time and
            memory follow its area.

    Returns:
        uint8 [1, h, w, 3]; known pixels are the photo's.
    """
    missing = tf.cast(mask, tf.float32) > 127.5
    hole = tf.cast(missing, tf.float32)
    # in floats, which hold 8 bits exactly: few runtimes cut, gather or choose bytes
    photo = tf.cast(image, tf.float32)
    repaired = (_in_crop if compact else _as_it_is)(model, photo / 255.0, hole)
    return tf.cast(tf.where(missing, tf.round(255.0 * repaired), photo), tf.uint8)


def _in_crop(model: "CNNLG", photo: tf.Tensor, hole: tf.Tensor) -> tf.Tensor:
    """The repair of what is around the hole, laid out over the photo: [1, h, w, 3] in [0, 1]."""
    top, height, left, width = crop_box(hole)
    crop = photo[:, top : top + height, left : left + width]
    crop_hole = hole[:, top : top + height, left : left + width]
    work_height, work_width = work_size(height, width)
    work, work_hole = shrunk(crop, crop_hole, work_height, work_width)
    halves = tf.logical_and(is_thick(work_hole), tf.maximum(work_height, work_width) > TRAINED_SIDE)
    guide = _decoded(model, work, work_hole, work_height, work_width, 1 + tf.cast(halves, tf.int32))
    large = enlarged(model.refine(work, work_hole, guide), height, width)
    for axis, start, length in ((1, top, height), (2, left, width)):
        place = tf.range(tf.shape(photo)[axis]) - start
        large = tf.gather(large, tf.clip_by_value(place, 0, length - 1), axis=axis)
    return large


def _as_it_is(model: "CNNLG", photo: tf.Tensor, hole: tf.Tensor) -> tf.Tensor:
    """The repair of a photo at its own size: what belongs where is decoded at both sizes, and one is taken."""
    known = tf.where(hole > 0.5, 0.0, photo)
    height, width = photo.shape[1:3]
    if height is None or width is None:
        height, width = tf.shape(photo)[1], tf.shape(photo)[2]
    halves = tf.logical_and(is_thick(hole), tf.maximum(height, width) > TRAINED_SIDE)
    low, full = (_decoded(model, known, hole, height, width, factor) for factor in (2, 1))
    return model.refine(known, hole, tf.where(halves, low, full), compact=False)


def crop_box(hole: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """(top, height, left, width) of what is looked at: the photo if it is small, else the hole and what is around.

    hole: float32 [1, h, w, 1] of 0 and 1.
    """
    photo_height, photo_width = tf.shape(hole)[1], tf.shape(hole)[2]
    first_row, rows = _extent(tf.reduce_max(hole, axis=[0, 2, 3]))
    first_column, columns = _extent(tf.reduce_max(hole, axis=[0, 1, 3]))
    context = tf.cast(CONTEXT * tf.cast(tf.minimum(rows, columns), tf.float32), tf.int32)
    context = tf.clip_by_value(context, MIN_CONTEXT, MAX_CONTEXT)
    small = tf.maximum(photo_height, photo_width) <= SIDE
    top, height = _widened(first_row, rows, context, photo_height, small)
    left, width = _widened(first_column, columns, context, photo_width, small)
    return top, height, left, width


def work_size(height: tf.Tensor, width: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The size at which a crop is repaired: its own up to SIDE squared, else smaller in the same proportions."""
    area = tf.cast(height, tf.float32) * tf.cast(width, tf.float32)
    factor = tf.minimum(1.0, float(SIDE) / tf.sqrt(area))

    def scaled(length: tf.Tensor) -> tf.Tensor:
        rounded = tf.cast(tf.round(factor * tf.cast(length, tf.float32)), tf.int32)
        return tf.minimum(length, tf.maximum(rounded, 16))

    return scaled(height), scaled(width)


def shrunk(
    image: tf.Tensor, hole: tf.Tensor, height: tf.Tensor, width: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Means of the known pixels of each cell, and the cells that are missing for the most part.

    A cell of few known pixels is missing beside one that is known; where there is none such, it is all that is known.
    At its own size a picture comes back as it is, its hole black.
    """
    known = 1.0 - hole
    both = _resampled(
        tf.concat([image * known, known], axis=-1),
        _means(height, tf.shape(image)[1]),
        _means(width, tf.shape(image)[2]),
    )
    share = both[..., 3:]
    low = tf.clip_by_value(both[..., :3] / tf.maximum(share, 1e-6), 0.0, 1.0)
    mostly = tf.cast(share >= 0.5, tf.float32)
    beside = dilated(mostly, 3)
    some = tf.cast(share > 0.0, tf.float32) * (1.0 - beside)
    return low, 1.0 - tf.maximum(mostly, some)


def enlarged(image: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """A picture at another, larger size, by cubic interpolation, in [0, 1]; at its own size as it is."""
    rows, columns = _cubic(height, tf.shape(image)[1]), _cubic(width, tf.shape(image)[2])
    return tf.clip_by_value(_resampled(image, rows, columns), 0.0, 1.0)


def is_thick(hole: tf.Tensor) -> tf.Tensor:
    """bool []: whether a disc of about 70 px fits into the hole, float32 [1, h, w, 1].

    A photo's border is no known pixel.
    """
    known = tf.nn.max_pool2d(1.0 - hole, CELL, CELL, "VALID")
    for step in range(STEPS):  # squares and crosses in turn: nearly a disc
        if step % 2:
            known = dilated(known, 3)
        else:
            known = tf.maximum(dilated(known, (1, 3)), dilated(known, (3, 1)))
    return tf.reduce_min(known) < 0.5


def _decoded(
    model: "CNNLG",
    image: tf.Tensor,
    hole: tf.Tensor,
    height: tf.Tensor,
    width: tf.Tensor,
    factor: tf.Tensor | int,
) -> tf.Tensor:
    """What belongs where, from a picture at 1 / factor of its size."""
    low_height, low_width = (quotient(side + factor - 1, factor) for side in (height, width))
    low, low_hole = shrunk(image, hole, low_height, low_width)
    return enlarged(model.decode(low, low_hole), height, width)


def _extent(holds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """(first, count) of the rows or columns that the hole takes, from float32 [n] of 0 and 1; (0, 1) without a hole."""
    count = tf.shape(holds)[0]
    places, inside = tf.range(count), holds > 0.5
    first = tf.reduce_min(tf.where(inside, places, count))
    last = tf.reduce_max(tf.where(inside, places, -1))
    return tf.where(last < 0, 0, first), tf.maximum(last - first + 1, 1)


def _widened(
    first: tf.Tensor, count: tf.Tensor, context: tf.Tensor, length: tf.Tensor, small: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """(start, size) of a crop along an axis of `length` pixels."""
    size = STEP * quotient(count + 2 * context + STEP - 1, STEP)
    size = tf.where(small, length, tf.minimum(size, length))
    start = quotient(tf.maximum(2 * first + count - size, 0), 2)
    return tf.minimum(start, length - size), size


def _resampled(image: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """[1, h, w, c] times matrices [h2, h] and [w2, w]: [1, h2, w2, c]."""
    planes = tf.transpose(image, [0, 3, 1, 2])  # [1, c, h, w]
    planes = tf.matmul(tf.matmul(rows, planes), columns, transpose_b=True)  # [1, c, h2, w2]
    result = tf.transpose(planes, [0, 2, 3, 1])
    result.set_shape([1, None, None, image.shape[-1]])  # which a product of free sizes forgets
    return result


def _grid(count: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Places of `count` results as a column, of `length` sources as a row, and how many sources make a result."""
    results = tf.cast(tf.range(count), tf.float32)[:, None]
    sources = tf.cast(tf.range(length), tf.float32)[None]
    return results, sources, tf.cast(length, tf.float32) / tf.cast(count, tf.float32)


def _means(count: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """[count, length]: each row averages its share of the sources."""
    results, sources, step = _grid(count, length)
    ends = tf.minimum((results + 1.0) * step, sources + 1.0)
    return tf.maximum(ends - tf.maximum(results * step, sources), 0.0) / step


def _cubic(count: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """[count, length]: cubic interpolation with a = -0.75, as OpenCV's."""
    results, sources, step = _grid(count, length)
    place = (results + 0.5) * step - 0.5
    place = tf.clip_by_value(place, 0.0, tf.cast(length, tf.float32) - 1.0)
    far = tf.abs(place - sources)
    near = (1.25 * far - 2.25) * far * far + 1.0
    beyond = -0.75 * ((far - 5.0) * far + 8.0) * far + 3.0
    weights = tf.where(far <= 1.0, near, tf.where(far < 2.0, beyond, 0.0))
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
