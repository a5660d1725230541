"""Noise that every runtime draws alike: by place and seed, with nothing but look-ups in small tables.

As in Perlin (1985), numbers are mixed by a fixed permutation; no runtime but TensorFlow has its random numbers.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import tensorflow as tf

from cnnlg_tf.models.pixels import quotient

COUNT = 4096
ALONG = ([-1, 1, 1, 1], [1, -1, 1, 1], [1, 1, -1, 1], [1, 1, 1, -1])
_ORDER = np.random.default_rng(0).permutation(COUNT).astype(np.int32)
_MIXED = np.tile(_ORDER, 2)  # of sums of two numbers under COUNT
_NORMAL = np.asarray([NormalDist().inv_cdf((n + 0.5) / COUNT) for n in range(COUNT)], np.float32)


def normal(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Standard normal numbers, float32 [b, h, w, c] = `shape`, for int32 [2] `seed`."""
    places = [tf.reshape(tf.range(shape[axis]), along) for axis, along in enumerate(ALONG)]
    return tf.gather(tf.constant(_NORMAL), _drawn(seed, places))


def uniform(seed: tf.Tensor, *places: tf.Tensor) -> tf.Tensor:
    """Numbers between 0 and 1 by place: int32 tensors from 0 on, which broadcast -> their shape."""
    return (tf.cast(_drawn(seed, places), tf.float32) + 0.5) / COUNT


def _drawn(seed: tf.Tensor, places: Sequence[tf.Tensor]) -> tf.Tensor:
    """From 0 to COUNT - 1; two such numbers are carried from axis to axis, so that hardly any two rows are alike."""
    seed = tf.convert_to_tensor(seed, tf.int32)
    negative = seed < 0
    positive = tf.where(negative, seed + (2**31 - 1) + 1, seed)  # divisions differ below 0
    middle = quotient(positive, COUNT)
    high = quotient(middle, COUNT) + 128 * tf.cast(negative, tf.int32)
    digits = tf.stack([_rest(positive), _rest(middle), high])  # [3, 2]
    mixed = tf.constant(_MIXED)  # once: each constant is in an export's file
    first, second = tf.constant(0), tf.constant(COUNT // 2)
    for by in (*tf.unstack(tf.reshape(digits, [6])), *map(_rest, places)):
        for _ in range(2):  # rounds of a Feistel network: no two pairs become one
            stirred = tf.gather(mixed, second + by)
            first, second = second, tf.gather(mixed, first + stirred)
    return second


def _rest(number: tf.Tensor) -> tf.Tensor:
    return number - COUNT * quotient(number, COUNT)
