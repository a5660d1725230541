"""Penalties against closed forms, and the two computations of the gradient penalty against each other."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.config import PenaltyConfig
from cnnlg_tf.training.penalties import (
    exact_gradients,
    finite_difference_gradients,
    penalised_gradients,
    plain_gradients,
    squared_norm,
    uniformity_gradients,
    weight_uniformity,
)

LAMBDA, RADIUS = 0.03, 1e-2


def quadratic() -> tuple[list[tf.Variable], Any, np.ndarray, np.ndarray]:
    """L = x H x / 2 + b x over two variables: its gradient, and that of L + lambda |g|^2, in closed form."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    hessian, slope = root @ root.T, rng.normal(size=5)
    x = rng.normal(size=5)
    variables = [tf.Variable(x[:2], dtype=tf.float32), tf.Variable(x[2:], dtype=tf.float32)]
    h, b = tf.constant(hessian, tf.float32), tf.constant(slope, tf.float32)

    def loss() -> tuple[tf.Tensor, str]:
        point = tf.concat([v.read_value() for v in variables], 0)
        return 0.5 * tf.tensordot(point, tf.linalg.matvec(h, point), 1) + tf.tensordot(
            b, point, 1
        ), "aux"

    gradient = hessian @ x + slope
    return variables, loss, gradient, gradient + 2 * LAMBDA * hessian @ gradient


def joined(gradients: list[tf.Tensor]) -> np.ndarray:
    return np.concatenate([np.ravel(g) for g in gradients])


@pytest.mark.parametrize("method", ["exact", "finite_difference"])
@pytest.mark.parametrize("graph", [False, True])
def test_both_methods_equal_the_closed_form_on_a_quadratic(method: Any, graph: bool) -> None:
    variables, loss, gradient, expected = quadratic()
    config = PenaltyConfig(kind="gradient_penalty", weight=LAMBDA, method=method, radius=RADIUS)

    def compute() -> Any:
        result = penalised_gradients(loss, variables, config, tf.constant(True))
        return result.gradients, result.penalty

    gradients, penalty = tf.function(compute)() if graph else compute()
    np.testing.assert_allclose(joined(gradients), expected, rtol=2e-3)
    assert float(penalty) == pytest.approx(gradient @ gradient, rel=1e-5)


@pytest.mark.parametrize("graph", [False, True])
def test_the_finite_difference_restores_weights_bit_for_bit(graph: bool) -> None:
    variables, loss, _, _ = quadratic()
    before = [v.numpy().tobytes() for v in variables]

    def compute() -> Any:
        return finite_difference_gradients(loss, variables, LAMBDA, RADIUS).gradients

    tf.function(compute)() if graph else compute()
    assert [v.numpy().tobytes() for v in variables] == before


def test_an_inactive_penalty_leaves_the_plain_gradients() -> None:
    variables, loss, gradient, _ = quadratic()
    config = PenaltyConfig(kind="gradient_penalty", weight=LAMBDA)
    inactive = penalised_gradients(loss, variables, config, tf.constant(False))
    np.testing.assert_allclose(joined(inactive.gradients), gradient, rtol=1e-5)
    for off in (PenaltyConfig(), PenaltyConfig(kind="gradient_penalty", weight=0.0)):
        plain = penalised_gradients(loss, variables, off, tf.constant(True))
        np.testing.assert_allclose(joined(plain.gradients), gradient, rtol=1e-5)


def test_both_methods_agree_on_a_small_network() -> None:
    """To 1% of the penalty's part of the gradient, with the step of the default radius."""
    rng = np.random.default_rng(1)
    kernels = [tf.Variable(rng.normal(0, 0.3, s), dtype=tf.float32) for s in ((6, 8), (8, 3))]
    x = tf.constant(rng.normal(size=(16, 6)), tf.float32)
    y = tf.constant(rng.normal(size=(16, 3)), tf.float32)

    def loss() -> tuple[tf.Tensor, None]:
        hidden = tf.nn.silu(tf.matmul(x, kernels[0]))
        return tf.reduce_mean(tf.square(tf.matmul(hidden, kernels[1]) - y)), None

    plain = joined(plain_gradients(loss, kernels).gradients)
    exact = joined(exact_gradients(loss, kernels, 1.0).gradients) - plain
    difference = finite_difference_gradients(loss, kernels, 1.0, RADIUS)
    approximate = joined(difference.gradients) - plain
    assert np.linalg.norm(approximate - exact) < 0.01 * np.linalg.norm(exact)


def test_variables_that_the_loss_ignores_get_zeros() -> None:
    used, ignored = tf.Variable([1.0, 2.0]), tf.Variable([[3.0]])

    def loss() -> tuple[tf.Tensor, None]:
        return tf.reduce_sum(tf.square(used.read_value())), None

    for result in (
        plain_gradients(loss, [used, ignored]),
        exact_gradients(loss, [used, ignored], 0.1),
        finite_difference_gradients(loss, [used, ignored], 0.1, RADIUS),
    ):
        np.testing.assert_array_equal(result.gradients[1], [[0.0]])


def test_weight_uniformity_is_the_squared_coefficient_of_variation() -> None:
    rng = np.random.default_rng(2)
    kernels = [rng.normal(size=(3, 3, 2, 5)), rng.normal(size=(4, 6))]
    expected = []
    for kernel in kernels:
        norms = np.sqrt(np.square(kernel).reshape(-1, kernel.shape[-1]).sum(0))
        expected.append(norms.var() / norms.mean() ** 2)
    ours = weight_uniformity([tf.constant(k, tf.float32) for k in kernels])
    assert float(ours) == pytest.approx(np.mean(expected), rel=1e-5)
    assert float(weight_uniformity([tf.ones([3, 4]), tf.zeros([2, 2])])) == 0.0


def test_uniformity_pulls_norms_together_and_leaves_biases() -> None:
    kernel, bias = tf.Variable([[1.0, 2.0, 4.0]]), tf.Variable([5.0, 1.0])
    result = uniformity_gradients(lambda: (tf.constant(0.0), None), [kernel, bias], 1.0)
    assert float(result.penalty) == pytest.approx(np.var([1, 2, 4]) / np.mean([1, 2, 4]) ** 2)
    np.testing.assert_array_equal(result.gradients[1], [0.0, 0.0])
    kernel.assign_sub(0.5 * result.gradients[0])
    assert float(weight_uniformity([kernel.read_value()])) < float(result.penalty)


def test_squared_norm_is_over_all_tensors() -> None:
    assert float(squared_norm([tf.constant([3.0]), tf.constant([[0.0, 4.0]])])) == 25.0
