"""Optimisers and learning-rate schedules from the configuration."""

import keras

from cnnlg_tf.config import DiscriminatorConfig, OptimizerConfig

_CLASSES = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "lion": keras.optimizers.Lion,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "lamb": keras.optimizers.Lamb,
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
    return _CLASSES[config.name](
        learning_rate=schedule,
        weight_decay=config.weight_decay or None,
        global_clipnorm=config.clip_norm,
        use_ema=config.ema is not None,
        ema_momentum=config.ema or 0.99,
    )


def make_discriminator_optimizer(config: DiscriminatorConfig) -> keras.optimizers.Optimizer:
    """Adam without first-moment memory, as is usual for hinge discriminators."""
    return keras.optimizers.Adam(config.learning_rate, beta_1=0.0, beta_2=0.99)
