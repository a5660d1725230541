"""The loss on validation photos, and how flat it is there: what a gradient penalty is about."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import numpy as np
import tensorflow as tf

from cnnlg_tf.evaluation.cases import Case
from cnnlg_tf.models import likelihood
from cnnlg_tf.models.cnnlg import CNNLG
from cnnlg_tf.training.losses import hole_nll
from cnnlg_tf.training.penalties import plain_gradients

BATCH = 4
CASES = 32

NLL = "validation NLL, nats"
GRADIENT = "validation ||dL/dtheta||^2"


def validate(model: CNNLG, cases: Iterable[Case]) -> dict[str, float]:
    """NLL of the holes in nats a colour value, and the squared norm of its gradient by the weights.

    Both are means over batches of 4, of the first 32 cases; sizes must be multiples of 16. The
    latent map is the guide's mean.
    """

    def loss() -> tuple[tf.Tensor, tf.Tensor]:
        value = tf.reduce_mean(_nll(model, image, mask))
        return value, value

    found = []
    stream = islice(cases, CASES)
    while batch := list(islice(stream, BATCH)):
        image, mask = _tensors(batch)
        result = plain_gradients(loss, model.trainable_variables)
        found.append((float(result.auxiliary), float(result.penalty)))
    nll, gradient = np.mean(found, axis=0)
    return {NLL: float(nll), GRADIENT: float(gradient)}


def hole_likelihood(model: CNNLG) -> Callable[[Case], float]:
    """What tells the NLL of a case's hole in nats a colour value; traced once for each size.

    Sizes must be multiples of 16. The latent map is the guide's mean.
    """
    traced = tf.function(lambda image, mask: _nll(model, image, mask)[0])

    def nll(case: Case) -> float:
        return float(traced(*_tensors([case])))

    return nll


def _tensors(cases: Sequence[Case]) -> tuple[tf.Tensor, tf.Tensor]:
    """Images [b, h, w, 3] in [-1, 1] and masks [b, h, w, 1]."""
    image = tf.constant(np.stack([case.image for case in cases]) / 127.5 - 1, tf.float32)
    mask = tf.constant(np.stack([case.mask for case in cases])[..., None], tf.float32)
    return image, mask


def _nll(model: CNNLG, image: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """[b, h, w, 3] in [-1, 1] and [b, h, w, 1] -> [b]."""
    context = model.context(image, mask)
    decoded = model.prior.decoder(context, model.latent(context))
    return hole_nll(likelihood.log_prob(decoded.pixels, image), mask)
