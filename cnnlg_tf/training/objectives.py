"""What each kind of phase minimises: a forward pass and its losses, as functions of the model and a batch."""

import tensorflow as tf

from cnnlg_tf.config import PhaseConfig
from cnnlg_tf.errors import TrainingError
from cnnlg_tf.models import gaussian, likelihood
from cnnlg_tf.models.cnnlg import CNNLG
from cnnlg_tf.models.gradient_guide import image_gradients
from cnnlg_tf.models.prior import Context, Decoded
from cnnlg_tf.models.sketch import halved
from cnnlg_tf.training import losses
from cnnlg_tf.training.batch import Batch, Critics, Forward, Metrics
from cnnlg_tf.training.critics import crop_at_hole
from cnnlg_tf.training.reward import rewarding

ENLARGED = 1.0 / 3.0  # share of a merge phase's guides that are of half the resolution


def forward(
    model: CNNLG, batch: Batch, phase: PhaseConfig, critics: Critics, training: bool
) -> Forward:
    """The losses of a batch in a phase of any kind; `training` lets normalisations learn."""
    if phase.kind == "generation":
        return generation(model, batch, phase)
    if phase.kind == "damage":
        return damage(model, batch, phase, training)
    if phase.kind == "merge":
        return merging(model, batch, phase, critics)
    if phase.kind == "reward":
        return rewarding(model, batch, phase, critics)
    return prediction(model, batch, phase, critics)


def generation(model: CNNLG, batch: Batch, phase: PhaseConfig) -> Forward:
    """The prior on whole images: the decoder sees h only, the hole is everywhere."""
    everywhere = tf.ones_like(batch.mask)
    nothing = tf.zeros_like(batch.image)
    context = Context(nothing, everywhere, tf.concat([nothing, nothing], axis=-1))
    latent = gaussian.Gaussian(*_float32(model.prior.encoder(batch.image)))
    drawn = latent.mean + tf.exp(0.5 * latent.log_variance) * _noise(latent.mean, batch.seed)
    decoded = model.prior.decoder(context, drawn)
    divergence = gaussian.kl_divergence(latent, gaussian.standard_like(latent))
    terms = _pixel_terms(batch._replace(mask=everywhere), decoded, phase)
    terms["kl"] = losses.latent_kl(divergence, everywhere)
    return _total(terms, phase, likelihood.mean(decoded.pixels))


def damage(model: CNNLG, batch: Batch, phase: PhaseConfig, training: bool) -> Forward:
    """Which pixels of a photo with visible damage are damaged."""
    if model.damage_finder is None:
        raise TrainingError("a phase of kind damage needs the damage finder")
    logits = tf.cast(model.damage_finder(batch.damaged, training=training), tf.float32)
    terms = {"missing": losses.missing_cross_entropy(logits, batch.mask)}
    if phase.losses.overlap > 0:
        terms["overlap"] = losses.overlap_loss(logits, batch.mask)
    return _total(terms, phase, batch.damaged)


def prediction(model: CNNLG, batch: Batch, phase: PhaseConfig, critics: Critics) -> Forward:
    """The network's own repair of holes, from guides that learn the latent map and the gradients."""
    terms, repaired = _own_terms(model, batch, phase)
    composite = _composite(repaired, batch.image, batch.mask)
    terms |= _critic_terms(batch, composite, phase, critics)
    return _total(terms, phase, composite)


def merging(model: CNNLG, batch: Batch, phase: PhaseConfig, critics: Critics) -> Forward:
    """The whole repair: pixel losses on the network's own and on the merged picture, critics on the merged.

    A third of the guides are repairs of half the resolution, enlarged, as thick holes of large photos get them.
    """
    if model.merge is None:
        raise TrainingError("a phase of kind merge needs the merge")
    terms, own = _own_terms(model, batch, phase)
    enlarged = tf.stop_gradient(_enlarged_repair(model, batch))
    share = _uniform(batch.mask[:, :1, :1], batch.seed, 0.0, 1.0)
    guide = tf.where(share < ENLARGED, enlarged, _composite(own, batch.image, batch.mask))
    merged = model.lay(batch.image, batch.mask, guide, sketch=batch.sketch)
    for name, term in _error_terms(batch, merged).items():
        terms[name] = 0.5 * (terms[name] + term)
    shown = tf.clip_by_value(merged, -1.0, 1.0)
    terms |= _critic_terms(batch, shown, phase, critics)
    return _total(terms, phase, shown)


def critic_views(
    batch: Batch, composite: tf.Tensor, phase: PhaseConfig
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The repair, the photo and the mask where the critics look: squares around a pixel of the hole."""
    seed = tf.random.split(batch.seed, 4)[3]
    images = [composite, batch.image, batch.mask]
    painted, real, mask = crop_at_hole(images, batch.mask, phase.critic_crop, seed)
    return painted, real, mask


def to_size(mask: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """The mask at a coarser size: how much of each cell is missing."""
    factor = mask.shape[1] // like.shape[1]
    return tf.nn.avg_pool2d(mask, factor, factor, "VALID")


def _own_terms(model: CNNLG, batch: Batch, phase: PhaseConfig) -> tuple[Metrics, tf.Tensor]:
    """The losses of the network's own repair, and that."""
    context = model.context(batch.image, batch.mask, sketch=batch.sketch)
    terms: Metrics = {}
    latent = _training_latent(model, batch, context, phase, terms)
    decoded = model.prior.decoder(context, latent)
    terms |= _pixel_terms(batch, decoded, phase)
    repaired = likelihood.mean(decoded.pixels)
    target = image_gradients(batch.image)
    terms["gradient"] = losses.gradient_l1(image_gradients(repaired), target, batch.mask)
    if model.gradient_guide is not None:
        terms["gradient"] += losses.gradient_l1(context.gradients, target, batch.mask)
    return terms, repaired


def _enlarged_repair(model: CNNLG, batch: Batch) -> tf.Tensor:
    """The network's repair at half the resolution, enlarged: [b, h, w, 3]."""
    known = 1.0 - batch.mask
    count = tf.nn.avg_pool2d(known, 2, 2, "VALID")
    low = tf.nn.avg_pool2d(batch.image * known, 2, 2, "VALID") / tf.maximum(count, 0.25)
    missing = tf.cast(count < 0.5, tf.float32)
    sketch = None if batch.sketch is None else halved(batch.sketch, missing)
    context = model.context(low, missing, sketch=sketch)
    decoded = model.prior.decoder(context, model.latent(context))
    repaired = _composite(likelihood.mean(decoded.pixels), low, missing)
    return tf.image.resize(repaired, batch.image.shape[1:3], "bicubic")


def _composite(repaired: tf.Tensor, image: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    return mask * repaired + (1.0 - mask) * image


def _training_latent(
    model: CNNLG, batch: Batch, context: Context, phase: PhaseConfig, terms: Metrics
) -> tf.Tensor:
    """h from the posterior for a share of the samples, from the guide for the others; adds kl.

    Half of the guide's are its mean, half drawn at a random temperature, so that `sample` works as well.
    """
    latent = model.guide(context.filled, context.mask)
    if latent is None:
        return model.latent(context)
    posterior = gaussian.Gaussian(*_float32(model.prior.encoder(batch.image)))
    # The guide follows the posterior and not the other way round: a posterior that may move towards the guide
    # ends up saying nothing that the guide does not know.
    target = tf.nest.map_structure(tf.stop_gradient, posterior)
    divergence = gaussian.kl_divergence(target, latent)
    to_standard = gaussian.kl_divergence(posterior, gaussian.standard_like(posterior))
    terms["kl"] = losses.latent_kl(divergence + 0.1 * to_standard, batch.mask)
    seeds = tf.random.split(batch.seed, 3)
    noise = _noise(posterior.mean, seeds[0])
    one = batch.mask[:, :1, :1]  # a number an image
    temperature = tf.nn.relu(_uniform(one, seeds[1], -1.0, 1.0))
    guided = latent.mean + temperature * tf.exp(0.5 * latent.log_variance) * noise
    drawn = posterior.mean + tf.exp(0.5 * posterior.log_variance) * noise
    share = _uniform(one, seeds[2], 0.0, 1.0)
    return tf.where(share < phase.posterior_share, drawn, guided)


def _pixel_terms(batch: Batch, decoded: Decoded, phase: PhaseConfig) -> Metrics:
    terms = _error_terms(batch, likelihood.mean(decoded.pixels))
    terms["coarse_l1"] = losses.coarse_l1(decoded.coarse, batch.image, batch.mask)
    if phase.losses.nll > 0:
        log_prob = likelihood.log_prob(decoded.pixels, batch.image)
        terms["nll"] = losses.hole_nll(log_prob, batch.mask)
    return terms


def _error_terms(batch: Batch, repaired: tf.Tensor) -> Metrics:
    return {
        "l1": losses.hole_l1(repaired, batch.image, batch.mask),
        "log_mse": losses.log_mse(repaired, batch.image, batch.mask),
    }


def _critic_terms(
    batch: Batch, composite: tf.Tensor, phase: PhaseConfig, critics: Critics
) -> Metrics:
    weights, terms = phase.losses, {}
    painted, real, mask = critic_views(batch, composite, phase)
    if critics.vgg is not None and weights.needs_vgg:
        features, targets = critics.vgg(painted), critics.vgg(real)
        terms["perceptual"] = losses.perceptual(features, targets)
        if weights.unit_perceptual > 0:
            terms["unit_perceptual"] = losses.unit_perceptual(features, targets)
        terms["style"] = losses.style(features, targets)
    if critics.discriminator is not None and weights.adversarial > 0:
        fake, true = (_float32(critics.discriminator(x)) for x in (painted, real))
        terms["adversarial"] = losses.hinge_generator(fake[-1], to_size(mask, fake[-1]))
        terms["feature_matching"] = losses.perceptual(fake[:-1], true[:-1])
    return terms


def _total(terms: Metrics, phase: PhaseConfig, repaired: tf.Tensor) -> Forward:
    metrics = {name: tf.reduce_mean(term) for name, term in terms.items()}
    weighted = [getattr(phase.losses, name) * value for name, value in metrics.items()]
    return Forward({"loss": tf.add_n(weighted), **metrics}, repaired)


def _noise(like: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Standard normal noise; the replicas of one step together draw what one device would."""
    return _own_part(tf.random.stateless_normal(_all_replicas(like), seed), like)


def _uniform(like: tf.Tensor, seed: tf.Tensor, low: float, high: float) -> tf.Tensor:
    return _own_part(tf.random.stateless_uniform(_all_replicas(like), seed, low, high), like)


def _all_replicas(like: tf.Tensor) -> tf.Tensor:
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return tf.concat([[replicas * tf.shape(like)[0]], tf.shape(like)[1:]], axis=0)


def _own_part(drawn: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    count = tf.shape(like)[0]
    context = tf.distribute.get_replica_context()
    index = 0 if context is None else context.replica_id_in_sync_group
    return tf.ensure_shape(drawn[index * count : (index + 1) * count], like.shape)


def _float32(tensors: tf.Tensor) -> tf.Tensor:
    return tf.nest.map_structure(lambda x: tf.cast(x, tf.float32), tensors)
