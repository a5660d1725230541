"""Both refiners: isolated errors go, areas stay, and maxent's expectations come to match its targets."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.config import MaskRefinerConfig
from cnnlg_tf.models.mask_refiner import MaskRefiner, window_offsets

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


def test_offsets_are_half_of_the_window() -> None:
    offsets = window_offsets(1)
    assert len(offsets) == 4
    assert {*offsets, *((-y, -x) for y, x in offsets)} == {
        (y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)
    } - {(0, 0)}
