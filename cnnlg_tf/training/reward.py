"""Learning by reward: the latent guide and the merge as a stochastic policy, taught by how its repairs look.

Of each photo `samples` repairs are drawn. What is drawn: h from the latent guide's distribution, and in each cell of
8 x 8 px how much of the synthesis is taken: the cell's mean logit of the merge, with normal noise of deviation `noise`.
A repair is rewarded cell by cell, over the cells around, for looking like the photo; with the mean of the other samples
as baseline (REINFORCE leave-one-out, Kool et al., 2019)

    loss = -mean((R_i - mean_(j != i) R_j) log p(what was drawn in i)) + kl KL(policy || the policy at the start)

and nothing but the policy is differentiated: rewards need no gradient.
"""

from typing import NamedTuple

import tensorflow as tf

from cnnlg_tf.config import PhaseConfig
from cnnlg_tf.errors import TrainingError
from cnnlg_tf.models import gaussian, likelihood
from cnnlg_tf.models.cnnlg import CNNLG
from cnnlg_tf.models.fill import upsample
from cnnlg_tf.models.gaussian import Gaussian
from cnnlg_tf.models.gradient_guide import image_gradients
from cnnlg_tf.models.merge import Merge
from cnnlg_tf.models.prior import Context
from cnnlg_tf.models.synthesis_scale import Synthesis
from cnnlg_tf.training.batch import Batch, Critics, Forward
from cnnlg_tf.training.critics import PatchDiscriminator, VGGFeatures

CELL = 8  # px: the cells of h
AROUND = 5  # cells: what was drawn in one is rewarded for what it does to these
LEAST_GRADIENT = 0.02  # of images in [-1, 1]: below, a photo has no texture to be as sharp as


class _Policy(NamedTuple):
    """What repairs are drawn from: the latent guide's distribution of h, and the merge."""

    context: Context
    latent: Gaussian
    merge: Merge


class _Drawn(NamedTuple):
    """Repairs drawn from a policy, all samples of a photo's one after the other: n = samples * b.

    h: [n, h/8, w/8, c]; guide: [n, h, w, 3] in [-1, 1]; synthesis: what was laid; shift: [n, h/8, w/8, 1], the noise
    on the cells' logits; repaired: [n, h, w, 3] in [-1, 1].
    """

    h: tf.Tensor
    guide: tf.Tensor
    synthesis: Synthesis
    shift: tf.Tensor
    repaired: tf.Tensor


def rewarding(model: CNNLG, batch: Batch, phase: PhaseConfig, critics: Critics) -> Forward:
    """The loss of a reward phase, and one of the samples as the repair.

    Raises:
        TrainingError: the model has no latent guide or no merge, or the phase no VGG or no model to start from.
    """
    samples = phase.reward.samples
    image, mask = (_repeat(x, samples) for x in (batch.image, batch.mask))
    now = _policy(model, image, mask)
    if now is None:
        raise TrainingError("a phase of kind reward needs the latent guide and the merge")
    start = None if critics.start is None else _policy(critics.start, image, mask)
    if critics.vgg is None or start is None:
        raise TrainingError("a phase of kind reward needs VGG and the model that it starts from")
    drawn = _draw(model, now, image, mask, phase, batch.seed)
    touched = tf.nn.max_pool2d(mask, CELL, CELL, "VALID")[..., 0]  # [n, h/8, w/8]
    terms = _rewards(image, drawn.repaired, phase, critics.vgg, critics.discriminator)
    reward = tf.stop_gradient(_around(tf.add_n(list(terms.values()))[..., None])[..., 0])
    by_photo = _by_photo(reward, samples)  # [samples, b, h/8, w/8]
    others = (tf.reduce_sum(by_photo, axis=0) - by_photo) / (samples - 1)
    advantage = tf.reshape(by_photo - others, tf.shape(reward))
    spread = tf.sqrt(_mean(tf.square(advantage), touched) + 1e-8)
    log_prob, divergence = _compare(now, start, drawn, mask, phase)
    gain = _mean(tf.stop_gradient(advantage / spread) * log_prob, touched)
    drift = _mean(divergence, touched)
    metrics = {name: _mean(term, touched) for name, term in terms.items()}
    metrics |= {"reward": _mean(reward, touched), "spread": spread, "drift": drift}
    first = drawn.repaired[: tf.shape(batch.image)[0]]
    return Forward({"loss": phase.reward.kl * drift - gain, **metrics}, first)


def _policy(model: CNNLG, image: tf.Tensor, mask: tf.Tensor) -> _Policy | None:
    """What the model would draw; None where it lacks a part of that."""
    context = model.context(image, mask)
    latent = model.guide(context.filled, context.mask)
    return None if latent is None or model.merge is None else _Policy(context, latent, model.merge)


def _draw(
    model: CNNLG,
    policy: _Policy,
    image: tf.Tensor,
    mask: tf.Tensor,
    phase: PhaseConfig,
    seed: tf.Tensor,
) -> _Drawn:
    seeds = tf.random.split(seed, 2)
    h = gaussian.sample(policy.latent, seeds[0])
    own = likelihood.mean(model.prior.decoder(policy.context, h).pixels)
    guide = mask * tf.clip_by_value(own, -1.0, 1.0) + (1.0 - mask) * image
    synthesis = model.synthesis(image, mask, guide)
    cells = tf.shape(h[..., :1])
    shift = phase.reward.noise * tf.random.stateless_normal(cells, seeds[1])
    logit, added = policy.merge.weigh(guide, synthesis, mask)
    merged = policy.merge.join(guide, synthesis, mask, logit + upsample(shift, CELL), added)
    repaired = tf.clip_by_value(merged, -1.0, 1.0)
    drawn = _Drawn(h, guide, synthesis, shift, repaired)
    return _Drawn(*tf.nest.map_structure(tf.stop_gradient, tuple(drawn)))


def _compare(
    now: _Policy, start: _Policy, drawn: _Drawn, mask: tf.Tensor, phase: PhaseConfig
) -> tuple[tf.Tensor, tf.Tensor]:
    """At each cell: the log probability of what was drawn there, and KL(policy || policy at the start), in nats."""
    logit, old = (
        _cells(policy.merge.weigh(drawn.guide, drawn.synthesis, mask)[0]) for policy in (now, start)
    )
    latent = tf.nest.map_structure(tf.stop_gradient, start.latent)
    chosen = tf.stop_gradient(logit) + drawn.shift[..., 0]
    variance = phase.reward.noise**2
    log_prob = gaussian.log_prob(now.latent, drawn.h) - 0.5 * tf.square(chosen - logit) / variance
    divergence = gaussian.kl_divergence(now.latent, latent)
    return log_prob, divergence + 0.5 * tf.square(logit - tf.stop_gradient(old)) / variance


def _rewards(
    image: tf.Tensor,
    repaired: tf.Tensor,
    phase: PhaseConfig,
    vgg: VGGFeatures,
    discriminator: PatchDiscriminator | None,
) -> dict[str, tf.Tensor]:
    """What each cell is rewarded for, weighted: [n, h/8, w/8] each.

    fidelity: minus the distance of unit-length VGG features; sharpness: minus how far the mean gradient is from the
    photo's, as a ratio; realism: what the discriminator says.
    """
    weights, distance = phase.reward, 0.0
    for found, true in zip(vgg(repaired), vgg(image), strict=True):
        found, true = (tf.math.l2_normalize(x, axis=-1, epsilon=1e-6) for x in (found, true))
        off = tf.reduce_sum(tf.square(found - true), axis=-1, keepdims=True)
        distance += _cells(off, image.shape[1] // off.shape[1])
    terms = {"fidelity": -weights.fidelity * distance}
    if weights.sharpness > 0:
        ours, theirs = (
            _cells(tf.reduce_sum(tf.abs(image_gradients(x)), axis=-1, keepdims=True))
            for x in (repaired, image)
        )
        ratio = tf.math.log((ours + LEAST_GRADIENT) / (theirs + LEAST_GRADIENT))
        terms["sharpness"] = -weights.sharpness * tf.abs(ratio)
    if discriminator is not None:
        score = tf.cast(discriminator(repaired)[-1][..., 0], tf.float32)
        terms["realism"] = weights.realism * score
    return terms


def _cells(image: tf.Tensor, factor: int = 1) -> tf.Tensor:
    """The mean over cells of a map at 1/factor of the size: [n, h/factor, w/factor, 1] -> [n, h/8, w/8]."""
    side = CELL // factor
    return tf.nn.avg_pool2d(image, side, side, "VALID")[..., 0]


def _around(cells: tf.Tensor) -> tf.Tensor:
    return tf.nn.avg_pool2d(cells, AROUND, 1, "SAME")


def _mean(cells: tf.Tensor, touched: tf.Tensor) -> tf.Tensor:
    """Over the cells that touch a hole."""
    return tf.reduce_sum(cells * touched) / tf.maximum(tf.reduce_sum(touched), 1.0)


def _repeat(x: tf.Tensor, samples: int) -> tf.Tensor:
    return tf.tile(x, [samples, 1, 1, 1])


def _by_photo(cells: tf.Tensor, samples: int) -> tf.Tensor:
    return tf.reshape(cells, tf.concat([[samples, -1], tf.shape(cells)[1:]], axis=0))
