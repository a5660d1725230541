"""Optimisers and learning-rate schedules from the configuration."""

from typing import Any

import keras
import tensorflow as tf

from cnnlg_tf.config import DiscriminatorConfig, OptimizerConfig

ENCODER = "damage_finder/encoder/"  # path of the weights that come trained


class _Replicated:
    """What Keras 3 leaves open where gradients are summed over replicas, and a moving average that warms up.

    The photo encoder's weights, which come trained, take `encoder_rate` of every step. Gradients are clipped after
    the sum over replicas, so that several devices take the step that one would. The average of the weights starts with
    a short memory, min(ema, (1 + t) / (10 + t)) after t steps: a fixed one would keep the initial weights in the
    average of a short run.
    """

    encoder_rate: float

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        at = self._get_variable_index(variable)  # type: ignore[attr-defined]
        if self._trainable_variables[at].path.startswith(ENCODER):  # type: ignore[attr-defined]
            learning_rate = self.encoder_rate * learning_rate
        super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]

    def _clip_gradients(self, grads: list[Any]) -> list[Any]:
        return grads

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> list[tuple[Any, Any]]:
        pairs = super()._all_reduce_sum_gradients(grads_and_vars)  # type: ignore[misc]
        clipped = super()._clip_gradients([gradient for gradient, _ in pairs])  # type: ignore[misc]
        return list(zip(clipped, [variable for _, variable in pairs], strict=True))

    def _update_model_variables_moving_average(self, trainable_variables: list[Any]) -> None:
        def update(distribution: Any, variables: list[Any], averages: list[Any]) -> None:
            step = tf.cast(self.iterations, tf.float32)  # type: ignore[attr-defined]
            momentum = tf.minimum(self.ema_momentum, (1.0 + step) / (10.0 + step))  # type: ignore[attr-defined]
            momentum = tf.where(step > 0.0, momentum, 0.0)

            def move(average: Any, variable: Any) -> Any:
                return average.assign(momentum * average + (1.0 - momentum) * variable)

            for variable, average in zip(variables, averages, strict=True):
                distribution.extended.update(average, move, args=(variable,), group=False)

        tf.__internal__.distribute.interim.maybe_merge_call(
            update,
            self._distribution_strategy,  # type: ignore[attr-defined]
            [v.value for v in trainable_variables],
            [a.value for a in self._model_variables_moving_average],  # type: ignore[attr-defined]
        )


_CLASSES = {
    name: type(base.__name__, (_Replicated, base), {})
    for name, base in {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "lion": keras.optimizers.Lion,
        "sgd": keras.optimizers.SGD,
        "rmsprop": keras.optimizers.RMSprop,
        "lamb": keras.optimizers.Lamb,
    }.items()
}


def make_optimizer(config: OptimizerConfig, steps: int) -> keras.optimizers.Optimizer:
    """Linear warm-up, then a cosine from the learning rate down to `final_fraction` of it over `steps`."""
    warmup = min(config.warmup_steps, steps - 1)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / 100 if warmup else config.learning_rate,
        decay_steps=steps - warmup,
        alpha=config.final_fraction,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = _CLASSES[config.name](
        learning_rate=schedule,
        weight_decay=config.weight_decay,
        global_clipnorm=config.clip_norm,
        use_ema=config.ema is not None,
        ema_momentum=config.ema or 0.99,
    )
    optimizer.encoder_rate = config.encoder_rate
    return optimizer


def make_discriminator_optimizer(config: DiscriminatorConfig) -> keras.optimizers.Optimizer:
    """Adam without first-moment memory, as is usual for hinge discriminators."""
    return keras.optimizers.Adam(config.learning_rate, beta_1=0.0, beta_2=0.99)
