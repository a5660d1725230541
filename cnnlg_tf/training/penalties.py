"""J(theta): penalties on the weights, and the gradients of a loss with them.

- `weight_uniformity` pushes the filters of each layer towards equal norms.
- The gradient penalty ||dL/dtheta||^2 is computed exactly by a nested tape, or by a finite difference: with
  g = dL/dtheta, its gradient 2 H g is close to 2 ||g|| (g(theta + r g / ||g||) - g) / r (arXiv 2202.03599, 2210.02720).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from cnnlg_tf.config import PenaltyConfig

LossFunction = Callable[[], tuple[tf.Tensor, Any]]


class Penalised(NamedTuple):
    """gradients of loss + weight * J; the loss function's second output; J."""

    gradients: list[tf.Tensor]
    auxiliary: Any
    penalty: tf.Tensor


def weight_uniformity(kernels: list[tf.Tensor]) -> tf.Tensor:
    """Mean over layers of the squared coefficient of variation of their filters' norms.

    kernels: [..., out] each; a filter is everything that feeds one output channel.
    """
    spreads = []
    for kernel in kernels:
        square = tf.reduce_sum(tf.square(kernel), axis=list(range(kernel.shape.rank - 1)))
        norms = tf.sqrt(square + 1e-12)
        spreads.append(tf.math.reduce_variance(norms) / (tf.square(tf.reduce_mean(norms)) + 1e-12))
    return tf.add_n(spreads) / float(len(spreads))


def squared_norm(gradients: list[tf.Tensor]) -> tf.Tensor:
    """Squared Frobenius norm over all tensors."""
    return tf.add_n([tf.reduce_sum(tf.square(g)) for g in gradients])


def plain_gradients(loss: LossFunction, variables: list[Any]) -> Penalised:
    """dL/dtheta without a penalty; `penalty` is ||dL/dtheta||^2, for the record."""
    with tf.GradientTape() as tape:
        value, auxiliary = loss()
    gradients = dense_gradients(tape, value, variables)
    return Penalised(gradients, auxiliary, squared_norm(gradients))


def uniformity_gradients(loss: LossFunction, variables: list[Any], weight: float) -> Penalised:
    """Gradients of L + weight * weight_uniformity over the kernels among `variables`."""
    with tf.GradientTape() as tape:
        value, auxiliary = loss()
        penalty = weight_uniformity(
            [tf.convert_to_tensor(v) for v in variables if len(v.shape) > 1]
        )
        value += weight * penalty
    return Penalised(dense_gradients(tape, value, variables), auxiliary, penalty)


def exact_gradients(loss: LossFunction, variables: list[Any], weight: float) -> Penalised:
    """Gradients of L + weight * ||dL/dtheta||^2 by double backpropagation: about three times a step's work."""
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            value, auxiliary = loss()
        penalty = squared_norm(dense_gradients(inner, value, variables))
        total = value + weight * penalty
    return Penalised(dense_gradients(outer, total, variables), auxiliary, penalty)


def finite_difference_gradients(
    loss: LossFunction, variables: list[Any], weight: float, radius: float
) -> Penalised:
    """The same by a second gradient at theta + radius * g / ||g||: about twice a step's work.

    `loss` must draw the same random numbers in both calls. The weights are put back bit for bit.
    """
    first = plain_gradients(loss, variables)
    norm = tf.sqrt(first.penalty)
    ahead = _gradients_ahead(loss, variables, first.gradients, radius / (norm + 1e-12))
    mixing = 2.0 * weight * norm / radius
    gradients = [g + mixing * (a - g) for g, a in zip(first.gradients, ahead, strict=True)]
    return Penalised(gradients, first.auxiliary, first.penalty)


def penalised_gradients(
    loss: LossFunction, variables: list[Any], config: PenaltyConfig, active: tf.Tensor
) -> Penalised:
    """Gradients as the configuration says; without the penalty where `active` (a boolean) is false."""
    if config.kind == "none" or config.weight == 0:
        return plain_gradients(loss, variables)
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if config.kind == "weight_uniformity":
        return uniformity_gradients(loss, variables, config.weight / replicas)
    if replicas > 1:
        return replicated_gradients(loss, variables, config, active)

    def with_penalty() -> Penalised:
        if config.method == "exact":
            return exact_gradients(loss, variables, config.weight)
        return finite_difference_gradients(loss, variables, config.weight, config.radius)

    result: Penalised = tf.cond(active, with_penalty, lambda: plain_gradients(loss, variables))
    return result


def replicated_gradients(
    loss: LossFunction, variables: list[Any], config: PenaltyConfig, active: tf.Tensor
) -> Penalised:
    """One replica's part, to be summed over all, of the gradients of L + weight * ||dL/dtheta||^2, L being their sum.

    With g the whole gradient, summed over replicas first, 2 H g is the sum of each replica's own 2 H_i g. No replica
    may communicate within a branch, so g is made outside: `exact` costs a step's work more than on one device.
    """
    first = plain_gradients(loss, variables)
    context = tf.distribute.get_replica_context()
    whole = context.all_reduce(tf.distribute.ReduceOp.SUM, first.gradients)
    norm = tf.sqrt(squared_norm(whole))

    def curvature() -> list[tf.Tensor]:
        if config.method == "exact":
            with tf.GradientTape() as outer:
                with tf.GradientTape() as inner:
                    value, _ = loss()
                own = dense_gradients(inner, value, variables)
                product = tf.add_n([tf.reduce_sum(g * w) for g, w in zip(own, whole, strict=True)])
            return [2.0 * config.weight * h for h in dense_gradients(outer, product, variables)]
        ahead = _gradients_ahead(loss, variables, whole, config.radius / (norm + 1e-12))
        mixing = 2.0 * config.weight * norm / config.radius
        return [mixing * (a - g) for a, g in zip(ahead, first.gradients, strict=True)]

    extra = tf.cond(active, curvature, lambda: [tf.zeros_like(g) for g in first.gradients])
    gradients = [g + e for g, e in zip(first.gradients, extra, strict=True)]
    return Penalised(gradients, first.auxiliary, tf.square(norm))


def _gradients_ahead(
    loss: LossFunction, variables: list[Any], direction: list[tf.Tensor], step: tf.Tensor
) -> list[tf.Tensor]:
    """dL/dtheta at theta + step * direction. The weights are put back bit for bit."""
    kept = [tf.identity(_raw(v)) for v in variables]
    with tf.control_dependencies(kept):
        for variable, value, towards in zip(variables, kept, direction, strict=True):
            _assign_here(variable, value + step * towards)
    gradients = plain_gradients(loss, variables).gradients
    with tf.control_dependencies(gradients):
        for variable, value in zip(variables, kept, strict=True):
            _assign_here(variable, value)
    return gradients


def _assign_here(variable: Any, value: tf.Tensor) -> None:
    """Write this replica's copy of a variable without the others, which `assign` would refuse."""
    tf.raw_ops.AssignVariableOp(resource=_raw(variable).handle, value=value)


def dense_gradients(
    tape: tf.GradientTape, value: tf.Tensor, variables: list[Any]
) -> list[tf.Tensor]:
    """Gradients as dense tensors; zeros for variables that the value does not depend on."""
    return tape.gradient(
        value, [_raw(v) for v in variables], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )


def _raw(variable: Any) -> Any:
    """The tf.Variable inside a Keras variable, or the variable itself."""
    return (
        getattr(variable, "value", variable) if not isinstance(variable, tf.Variable) else variable
    )
