"""CNNLG with a train_step: the losses of the generation and prediction steps, the penalty, and the discriminator."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from cnnlg_tf.config import ModelConfig, PhaseConfig
from cnnlg_tf.errors import TrainingError
from cnnlg_tf.models import gaussian, likelihood
from cnnlg_tf.models.cnnlg import CNNLG
from cnnlg_tf.models.gradient_guide import image_gradients
from cnnlg_tf.models.prior import Context, Decoded
from cnnlg_tf.training import losses
from cnnlg_tf.training.critics import PatchDiscriminator, VGGFeatures, crop_at_hole
from cnnlg_tf.training.distribution import in_cluster
from cnnlg_tf.training.penalties import dense_gradients, penalised_gradients

Metrics = dict[str, tf.Tensor]


class Batch(NamedTuple):
    """image, damaged: [b, h, w, 3] in [-1, 1]; mask: [b, h, w, 1], 1 = missing; seed: int32 [2].

    `damaged` shows damage in phases of kind damage, and is the image in the others.
    """

    image: tf.Tensor
    damaged: tf.Tensor
    mask: tf.Tensor
    seed: tf.Tensor


class Forward(NamedTuple):
    """What a forward pass leaves for the other steps: total loss's parts, and the composited repair."""

    metrics: Metrics
    repaired: tf.Tensor


class TrainableCNNLG(CNNLG):
    """CNNLG that trains one phase at a time; weights are those of `CNNLG`.

    Args:
        config: the architecture.
        seed: of all noise in training; step n draws the same noise in every run.
    """

    def __init__(self, config: ModelConfig | None = None, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self.seed = seed
        self.phase: PhaseConfig | None = None
        self.vgg: VGGFeatures | None = None
        self.discriminator: PatchDiscriminator | None = None
        self.discriminator_optimizer: keras.optimizers.Optimizer | None = None

    def begin_phase(
        self,
        phase: PhaseConfig,
        optimizer: keras.optimizers.Optimizer,
        *,
        vgg: VGGFeatures | None = None,
        discriminator: PatchDiscriminator | None = None,
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
        jit_compile: bool = False,
    ) -> None:
        """Set what the next `fit` trains for, and create all optimiser state."""
        self.phase = phase
        self.vgg = vgg
        self.discriminator = discriminator
        self.discriminator_optimizer = discriminator_optimizer
        self.compile(optimizer=optimizer, jit_compile=jit_compile)
        self.optimizer.build(self.generator_variables)
        if discriminator is not None and discriminator_optimizer is not None:
            discriminator(tf.zeros([1, 32, 32, 3]))
            discriminator_optimizer.build(discriminator.trainable_variables)

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: all weights exist. Keras would take the first batches for it, and training would miss them."""

    @property
    def generator_variables(self) -> list[Any]:
        """The weights of the model that the phase trains: the finder's, or all others."""
        parts = [self.prior, self.latent_guide, self.gradient_guide]
        if self._phase().kind == "damage":
            parts = [self.damage_finder]
        return [v for part in parts if part is not None for v in part.trainable_variables]

    @property
    def trainable_weights(self) -> list[Any]:
        """What the optimiser trains: at the end of `fit` Keras sets these to their averages, by position."""
        return super().trainable_weights if self.phase is None else self.generator_variables

    def train_step(self, data: dict[str, tf.Tensor]) -> Metrics:
        """One step: unpack, losses and gradients with the penalty, apply, discriminator, metrics."""
        phase = self._phase()
        batch = self._unpack(data)

        def loss() -> tuple[tf.Tensor, Forward]:
            forward = self._forward(batch, phase, training=True)
            total = forward.metrics["loss"] / self._replicas()
            return self.optimizer.scale_loss(total), forward

        active = tf.logical_and(
            self.optimizer.iterations >= phase.optimizer.warmup_steps,
            self.optimizer.iterations % phase.penalty.every == 0,
        )
        variables = self.generator_variables
        gradients, forward, penalty = penalised_gradients(loss, variables, phase.penalty, active)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        metrics = forward.metrics | {"penalty": penalty}
        if phase.losses.adversarial > 0:
            metrics["discriminator"] = self._train_discriminator(batch, forward.repaired, phase)
        return self._average(metrics)

    def test_step(self, data: dict[str, tf.Tensor]) -> Metrics:
        """The losses of a batch, without an update."""
        return self._average(
            self._forward(self._unpack(data), self._phase(), training=False).metrics
        )

    def _forward(self, batch: Batch, phase: PhaseConfig, training: bool) -> Forward:
        if phase.kind == "generation":
            return self._generation(batch, phase, training)
        if phase.kind == "damage":
            return self._damage(batch, phase, training)
        return self._prediction(batch, phase, training)

    def _generation(self, batch: Batch, phase: PhaseConfig, training: bool) -> Forward:
        """The prior on whole images: the decoder sees h only, the hole is everywhere."""
        everywhere = tf.ones_like(batch.mask)
        nothing = tf.zeros_like(batch.image)
        context = Context(nothing, everywhere, tf.concat([nothing, nothing], axis=-1))
        posterior = self._float32(self.prior.encoder(batch.image))
        latent = gaussian.Gaussian(*posterior)
        drawn = latent.mean + tf.exp(0.5 * latent.log_variance) * self._noise(
            latent.mean, batch.seed
        )
        decoded = self.prior.decoder(context, drawn, training=training)
        divergence = gaussian.kl_divergence(latent, gaussian.standard_like(latent))
        terms = self._pixel_terms(batch._replace(mask=everywhere), decoded, phase)
        terms["kl"] = losses.latent_kl(divergence, everywhere)
        return self._total(terms, phase, likelihood.mean(decoded.pixels))

    def _damage(self, batch: Batch, phase: PhaseConfig, training: bool) -> Forward:
        """Which pixels of a photo with visible damage are damaged."""
        if self.damage_finder is None:
            raise TrainingError("a phase of kind damage needs the damage finder")
        logits = tf.cast(self.damage_finder(batch.damaged, training=training), tf.float32)
        terms = {"missing": losses.missing_cross_entropy(logits, batch.mask)}
        if phase.losses.overlap > 0:
            terms["overlap"] = losses.overlap_loss(logits, batch.mask)
        return self._total(terms, phase, batch.damaged)

    def _prediction(self, batch: Batch, phase: PhaseConfig, training: bool) -> Forward:
        """The repair of holes, from guides that learn the latent map and the gradients."""
        context = self.context(batch.image, batch.mask)
        terms: Metrics = {}
        latent = self._training_latent(batch, context, phase, terms)
        decoded = self.prior.decoder(context, latent, training=training)
        terms |= self._pixel_terms(batch, decoded, phase)
        target = image_gradients(batch.image)
        repaired = likelihood.mean(decoded.pixels)
        terms["gradient"] = losses.gradient_l1(image_gradients(repaired), target, batch.mask)
        if self.gradient_guide is not None:
            terms["gradient"] += losses.gradient_l1(context.gradients, target, batch.mask)
        shown = tf.clip_by_value(repaired + decoded.texture, -1.0, 1.0)
        composite = batch.mask * shown + (1.0 - batch.mask) * batch.image
        terms |= self._critic_terms(batch, composite, phase)
        return self._total(terms, phase, composite)

    def _training_latent(
        self, batch: Batch, context: Context, phase: PhaseConfig, terms: Metrics
    ) -> tf.Tensor:
        """h from the posterior for a share of the samples, from the guide for the others; adds kl.

        Half of the guide's are its mean, half drawn at a random temperature, so that `sample` works as well.
        """
        latent = self.guide(context.filled, batch.mask)
        if latent is None:
            return self.latent(context)
        posterior = gaussian.Gaussian(*self._float32(self.prior.encoder(batch.image)))
        # The guide follows the posterior and not the other way round: a posterior that may move towards the guide
        # ends up saying nothing that the guide does not know.
        target = tf.nest.map_structure(tf.stop_gradient, posterior)
        divergence = gaussian.kl_divergence(target, latent)
        to_standard = gaussian.kl_divergence(posterior, gaussian.standard_like(posterior))
        terms["kl"] = losses.latent_kl(divergence + 0.1 * to_standard, batch.mask)
        seeds = tf.random.split(batch.seed, 3)
        noise = self._noise(posterior.mean, seeds[0])
        one = batch.mask[:, :1, :1]  # a number an image
        temperature = tf.nn.relu(self._uniform(one, seeds[1], -1.0, 1.0))
        guided = latent.mean + temperature * tf.exp(0.5 * latent.log_variance) * noise
        drawn = posterior.mean + tf.exp(0.5 * posterior.log_variance) * noise
        share = self._uniform(one, seeds[2], 0.0, 1.0)
        return tf.where(share < phase.posterior_share, drawn, guided)

    def _pixel_terms(self, batch: Batch, decoded: Decoded, phase: PhaseConfig) -> Metrics:
        repaired = likelihood.mean(decoded.pixels)
        terms = {
            "l1": losses.hole_l1(repaired, batch.image, batch.mask),
            "log_mse": losses.log_mse(repaired, batch.image, batch.mask),
            "coarse_l1": losses.coarse_l1(decoded.coarse, batch.image, batch.mask),
        }
        if phase.losses.nll > 0:
            log_prob = likelihood.log_prob(decoded.pixels, batch.image)
            terms["nll"] = losses.hole_nll(log_prob, batch.mask)
        return terms

    def _critic_terms(self, batch: Batch, composite: tf.Tensor, phase: PhaseConfig) -> Metrics:
        weights, terms = phase.losses, {}
        painted, real, mask = self._critic_views(batch, composite, phase)
        if self.vgg is not None and weights.needs_vgg:
            features, targets = self.vgg(painted), self.vgg(real)
            terms["perceptual"] = losses.perceptual(features, targets)
            if weights.unit_perceptual > 0:
                terms["unit_perceptual"] = losses.unit_perceptual(features, targets)
            terms["style"] = losses.style(features, targets)
        if self.discriminator is not None and weights.adversarial > 0:
            fake, true = self.discriminator(painted), self.discriminator(real)
            terms["adversarial"] = losses.hinge_generator(fake[-1], _to_size(mask, fake[-1]))
            terms["feature_matching"] = losses.perceptual(fake[:-1], true[:-1])
        return terms

    def _critic_views(
        self, batch: Batch, composite: tf.Tensor, phase: PhaseConfig
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        seed = tf.random.split(batch.seed, 4)[3]
        images = [composite, batch.image, batch.mask]
        painted, real, mask = crop_at_hole(images, batch.mask, phase.critic_crop, seed)
        return painted, real, mask

    def _train_discriminator(
        self, batch: Batch, repaired: tf.Tensor, phase: PhaseConfig
    ) -> tf.Tensor:
        discriminator, optimizer = self.discriminator, self.discriminator_optimizer
        if discriminator is None or optimizer is None:
            raise TrainingError(
                "an adversarial loss needs a discriminator; begin_phase received none"
            )
        painted, real, mask = self._critic_views(batch, tf.stop_gradient(repaired), phase)
        with tf.GradientTape() as tape:
            on_real = discriminator(real, training=True)[-1]
            on_fake = discriminator(painted, training=True)[-1]
            touched = _to_size(mask, on_fake)
            value = tf.reduce_mean(losses.hinge_discriminator(on_real, on_fake, touched))
            scaled = value / self._replicas()
        variables = discriminator.trainable_variables
        gradients = dense_gradients(tape, scaled, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return value

    def _total(self, terms: Metrics, phase: PhaseConfig, repaired: tf.Tensor) -> Forward:
        metrics = {name: tf.reduce_mean(term) for name, term in terms.items()}
        weighted = [getattr(phase.losses, name) * value for name, value in metrics.items()]
        return Forward({"loss": tf.add_n(weighted), **metrics}, repaired)

    def _unpack(self, data: dict[str, tf.Tensor]) -> Batch:
        """uint8 arrays as the data pipeline gives them -> Batch."""
        image, damaged = (
            tf.cast(x, tf.float32) / 127.5 - 1.0
            for x in (data["image"], data.get("damaged", data["image"]))
        )
        step = tf.cast(self.optimizer.iterations, tf.int32)
        seed = tf.stack([tf.constant(self.seed, tf.int32), step])
        return Batch(image, damaged, tf.cast(data["mask"], tf.float32), seed)

    def _noise(self, like: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Standard normal noise; the replicas of one step together draw what one device would."""
        shape = tf.concat([[self._replicas() * tf.shape(like)[0]], tf.shape(like)[1:]], axis=0)
        return self._own_part(tf.random.stateless_normal(shape, seed), like)

    def _uniform(self, like: tf.Tensor, seed: tf.Tensor, low: float, high: float) -> tf.Tensor:
        shape = tf.concat([[self._replicas() * tf.shape(like)[0]], tf.shape(like)[1:]], axis=0)
        return self._own_part(tf.random.stateless_uniform(shape, seed, low, high), like)

    def _own_part(self, drawn: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        count = tf.shape(like)[0]
        context = tf.distribute.get_replica_context()
        index = 0 if context is None else context.replica_id_in_sync_group
        return tf.ensure_shape(drawn[index * count : (index + 1) * count], like.shape)

    def _average(self, metrics: Metrics) -> Metrics:
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return metrics
        reduced: Metrics = context.all_reduce(tf.distribute.ReduceOp.MEAN, metrics)
        if in_cluster(context.strategy):  # there Keras takes the mean over an axis
            reduced = {name: value[None] for name, value in reduced.items()}
        return reduced

    def _replicas(self) -> int:
        count: int = tf.distribute.get_strategy().num_replicas_in_sync
        return count

    def _phase(self) -> PhaseConfig:
        if self.phase is None:
            raise TrainingError("begin_phase must be called before training")
        return self.phase

    @staticmethod
    def _float32(tensors: Any) -> Any:
        return tf.nest.map_structure(lambda x: tf.cast(x, tf.float32), tensors)


def _to_size(mask: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """The mask at a coarser size: how much of each cell is missing."""
    factor = mask.shape[1] // like.shape[1]
    return tf.nn.avg_pool2d(mask, factor, factor, "VALID")
