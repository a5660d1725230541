"""Both refiners: isolated errors go, areas stay, and maxent's expectations come to match its targets."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.config import MaskRefinerConfig
from cnnlg_tf.models.mask_refiner import MaskRefiner, look_around, window_offsets

SIZE = 40


def make_case(noise: float = 0.03) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image with a bright box, the box as truth, and logits of it with flipped pixels."""
    rng = np.random.default_rng(0)
    truth = np.zeros((1, SIZE, SIZE, 1), np.float32)
    truth[:, 12:28, 10:30] = 1.0
    image = np.repeat(0.2 + 0.6 * truth, 3, axis=-1).astype(np.float32)
    flipped = rng.random(truth.shape) < noise
    logits = np.where(flipped, -1.0, 1.0) * (2.0 * truth - 1.0) * 1.5
    return image, truth, logits.astype(np.float32)


@pytest.mark.parametrize("kind", ["crf", "maxent"])
def test_salt_noise_goes_and_the_area_stays(kind: Any) -> None:
    image, truth, logits = make_case()
    refined = MaskRefiner(MaskRefinerConfig(kind=kind))(image, logits).numpy()
    assert refined.shape == truth.shape
    assert 0.0 <= refined.min() and refined.max() <= 1.0
    wrong_before = np.mean((logits > 0) != truth)
    wrong = np.mean((refined > 0.5) != truth)
    assert wrong < 0.3 * wrong_before
    assert (refined > 0.5).mean() == pytest.approx(truth.mean(), rel=0.1)


@pytest.mark.parametrize("kind", ["crf", "maxent"])
def test_refining_works_with_dynamic_shapes_and_is_a_fixed_form(kind: Any) -> None:
    image, _, logits = make_case()
    layer = MaskRefiner(MaskRefinerConfig(kind=kind))
    refine = tf.function(
        layer.call,
        input_signature=[
            tf.TensorSpec([None, None, None, 3]),
            tf.TensorSpec([None, None, None, 1]),
        ],
    )
    np.testing.assert_allclose(refine(image, logits), layer(image, logits), atol=1e-5)
    assert not layer.variables


def test_dual_ascent_brings_the_expected_statistics_closer() -> None:
    image, _, logits = make_case(noise=0.0)

    evidence = tf.tanh(0.5 * logits)

    def residual(iterations: int) -> float:
        layer = MaskRefiner(MaskRefinerConfig(kind="maxent", iterations=iterations))
        targets = layer._targets(evidence, tf.sigmoid(logits))
        return float(tf.norm(targets - layer._statistics(evidence, layer(image, logits))))

    first, some, many = residual(1), residual(5), residual(12)
    assert many < some < first


def test_looking_around_finds_each_neighbour_in_the_order_of_the_offsets() -> None:
    image = np.arange(2 * 5 * 6, dtype=np.float32).reshape(1, 5, 6, 2)
    around = look_around(tf.constant(image), 2).numpy().reshape(1, 5, 6, 2, 24)
    padded = np.pad(image[0], ((2, 2), (2, 2), (0, 0)))
    for at, (y, x) in enumerate(window_offsets(2)):
        expected = padded[2 + y : 7 + y, 2 + x : 8 + x]
        np.testing.assert_array_equal(around[0, ..., at], expected)


def test_none_is_the_evidence_itself_and_strength_0_makes_a_crf_of_no_effect() -> None:
    image, _, logits = make_case()
    expected = 1 / (1 + np.exp(-logits))
    for config in (MaskRefinerConfig(kind="none"), MaskRefinerConfig(kind="crf", strength=0.0)):
        np.testing.assert_allclose(MaskRefiner(config)(image, logits), expected, atol=1e-6)
