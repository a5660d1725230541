"""A CNNLG behind the contract: the same pixels as when it is called, in every way it can be asked."""

from typing import Any

import numpy as np
import pytest

from cnnlg_tf.inference.cnnlg_network import CnnlgNetwork
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.network import Conditions, seed_pair
from cnnlg_tf.inference.sketch import Strokes


def test_repair_is_the_model_s(
    tiny_network: CnnlgNetwork, tiny_model: Any, photo: np.ndarray, mask: np.ndarray
) -> None:
    result = Inpainter(tiny_network).repair(photo, mask)
    direct, _ = tiny_model.repair(
        photo[np.newaxis].astype(np.float32) * np.float32(1 / 255),
        (mask > 0)[np.newaxis, ..., np.newaxis].astype(np.float32),
    )
    expected = np.rint(direct[0].numpy() * 255)
    assert np.abs(result.photo - expected).max() <= 1
    assert np.array_equal(result.photo[mask == 0], photo[mask == 0])
    assert result.uncertainty[mask > 0].min() > 0


def test_nan_in_the_hole_is_missing(tiny_model: Any, photo: np.ndarray, mask: np.ndarray) -> None:
    image = (photo / 255).astype(np.float32)
    hole = (mask > 0)[np.newaxis, ..., np.newaxis].astype(np.float32)
    expected, _ = tiny_model.repair(image[np.newaxis], hole)
    image[mask > 0] = np.nan
    repaired, uncertainty = tiny_model.repair(image[np.newaxis], hole)
    np.testing.assert_allclose(repaired, expected, atol=1e-5)
    assert np.isfinite(uncertainty).all()


@pytest.mark.slow
def test_every_condition_reaches_the_model(
    tiny_network: CnnlgNetwork, photo: np.ndarray, mask: np.ndarray
) -> None:
    image, hole = (photo / 255).astype(np.float32), mask > 0
    other = np.random.default_rng(0).random((600, 40, 3), np.float32)

    def filled(**conditions: Any) -> np.ndarray:
        return tiny_network.fill(image, hole, Conditions(**conditions)).image

    pictures = [
        filled(),
        filled(detail=0.0),
        filled(reference=(other,)),
        filled(reference=(other, image)),
        filled(seed=1, temperature=1.0),
        filled(seed=2, temperature=1.0),
        filled(seed=1, temperature=0.5),
        filled(seed=1, temperature=1.0, reference=(other,)),
        filled(sketch=Strokes(image, hole)),
    ]
    for i, picture in enumerate(pictures):
        assert np.array_equal(picture[~hole], image[~hole])
        assert not any(np.array_equal(picture, other) for other in pictures[:i])
    assert np.array_equal(filled(seed=9), filled())  # temperature 0 is the expected repair
    assert tiny_network.find_damage(image).shape == hole.shape


def test_abilities(tiny_network: CnnlgNetwork, tiny_model_config: Any) -> None:
    assert tiny_network.can == {"detail", "reference", "sample", "sketch", "guide", "find_damage"}
    assert str(tiny_network) == "CNNLG in TensorFlow"


def test_seed_pair() -> None:
    assert seed_pair(2**32 + 5).tolist() == [5, 1]
    assert seed_pair(2**64 - 1).tolist() == [-1, -1]
