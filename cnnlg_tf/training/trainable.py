"""CNNLG with a train_step: the phase's losses, the penalty, and the discriminator."""

from typing import Any

import keras
import tensorflow as tf

from cnnlg_tf.config import ModelConfig, PhaseConfig
from cnnlg_tf.errors import TrainingError
from cnnlg_tf.models.cnnlg import CNNLG
from cnnlg_tf.models.sketch import make_sketch
from cnnlg_tf.training import losses
from cnnlg_tf.training.batch import Batch, Critics, Forward, Metrics
from cnnlg_tf.training.critics import PatchDiscriminator, VGGFeatures
from cnnlg_tf.training.distribution import in_cluster
from cnnlg_tf.training.objectives import critic_views, forward, to_size
from cnnlg_tf.training.penalties import dense_gradients, penalised_gradients


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
        self.critics = Critics()
        self.discriminator_optimizer: keras.optimizers.Optimizer | None = None

    def begin_phase(
        self,
        phase: PhaseConfig,
        optimizer: keras.optimizers.Optimizer,
        *,
        vgg: VGGFeatures | None = None,
        discriminator: PatchDiscriminator | None = None,
        start: CNNLG | None = None,
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
        jit_compile: bool = False,
    ) -> None:
        """Set what the next `fit` trains for, and create all optimiser state."""
        self.phase = phase
        self.critics = Critics(vgg, discriminator, start)
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
        """The weights of the model that the phase trains."""
        networks = [self.prior, self.latent_guide, self.gradient_guide]
        parts = {
            "damage": [self.damage_finder],
            "merge": [*networks, self.merge],
            "reward": [self.latent_guide, self.merge],
        }.get(self._phase().kind, networks)
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
            result = forward(self, batch, phase, self.critics, training=True)
            total = result.metrics["loss"] / self._replicas()
            return self.optimizer.scale_loss(total), result

        active = tf.logical_and(
            self.optimizer.iterations >= phase.optimizer.warmup_steps,
            self.optimizer.iterations % phase.penalty.every == 0,
        )
        variables = self.generator_variables
        gradients, result, penalty = penalised_gradients(loss, variables, phase.penalty, active)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        metrics = result.metrics | {"penalty": penalty}
        if phase.needs_discriminator:
            metrics["discriminator"] = self._train_discriminator(batch, result.repaired, phase)
        return self._average(metrics)

    def test_step(self, data: dict[str, tf.Tensor]) -> Metrics:
        """The losses of a batch, without an update."""
        result = forward(self, self._unpack(data), self._phase(), self.critics, training=False)
        return self._average(result.metrics)

    def _train_discriminator(
        self, batch: Batch, repaired: tf.Tensor, phase: PhaseConfig
    ) -> tf.Tensor:
        discriminator, optimizer = self.critics.discriminator, self.discriminator_optimizer
        if discriminator is None or optimizer is None:
            raise TrainingError(
                "an adversarial loss needs a discriminator; begin_phase received none"
            )
        painted, real, mask = critic_views(batch, tf.stop_gradient(repaired), phase)
        with tf.GradientTape() as tape:
            on_real, on_fake = (
                tf.cast(discriminator(x, training=True)[-1], tf.float32) for x in (real, painted)
            )
            touched = to_size(mask, on_fake)
            value = tf.reduce_mean(losses.hinge_discriminator(on_real, on_fake, touched))
            scaled = value / self._replicas()
        variables = discriminator.trainable_variables
        gradients = dense_gradients(tape, scaled, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return value

    def _unpack(self, data: dict[str, tf.Tensor]) -> Batch:
        """uint8 arrays as the data pipeline gives them -> Batch."""
        image, damaged = (
            tf.cast(x, tf.float32) / 127.5 - 1.0
            for x in (data["image"], data.get("damaged", data["image"]))
        )
        step = tf.cast(self.optimizer.iterations, tf.int32)
        seed = tf.stack([tf.constant(self.seed, tf.int32), step])
        mask = tf.cast(data["mask"], tf.float32)
        sketch = None
        if "sketch" in data:
            strokes = tf.cast(data["sketch_mask"], tf.float32)
            sketch = make_sketch(tf.cast(data["sketch"], tf.float32) / 255.0, strokes, mask)
        return Batch(image, damaged, mask, seed, sketch)

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
