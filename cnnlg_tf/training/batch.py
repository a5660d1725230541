"""What passes through a training step: a batch, the networks that judge, and what a forward pass leaves."""

from typing import NamedTuple

import tensorflow as tf

from cnnlg_tf.models.cnnlg import CNNLG
from cnnlg_tf.models.sketch import Sketch
from cnnlg_tf.training.critics import PatchDiscriminator, VGGFeatures

Metrics = dict[str, tf.Tensor]


class Batch(NamedTuple):
    """image, damaged: [b, h, w, 3] in [-1, 1]; mask: [b, h, w, 1], 1 = missing; seed: int32 [2].

    `damaged` shows damage in phases of kind damage, and is the image in the others. `sketch`: in the hole of some of
    the images, for phases with a sketch_share.
    """

    image: tf.Tensor
    damaged: tf.Tensor
    mask: tf.Tensor
    seed: tf.Tensor
    sketch: Sketch | None = None


class Critics(NamedTuple):
    """The networks that judge a repair, where the phase has them; `start`: what a reward phase starts from."""

    vgg: VGGFeatures | None = None
    discriminator: PatchDiscriminator | None = None
    start: CNNLG | None = None


class Forward(NamedTuple):
    """What a forward pass leaves for the other steps: total loss's parts, and the composited repair."""

    metrics: Metrics
    repaired: tf.Tensor
