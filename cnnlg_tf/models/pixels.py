"""Operations on images that several networks use."""

import tensorflow as tf

from cnnlg_tf.models.fill import smooth_upsample


def high_frequencies(image: tf.Tensor, halvings: int = 2) -> tf.Tensor:
    """The image minus its averages over cells of 2**halvings px, enlarged smoothly. Sizes are multiples of that."""
    cell = 2**halvings
    return image - smooth_upsample(tf.nn.avg_pool2d(image, cell, cell, "VALID"), halvings)
