"""The encoder: shapes at each tap, and that its weights come from the file (values: tests/evaluation/test_ffd.py)."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.errors import CheckpointError
from cnnlg_tf.models.photo_encoder import PhotoEncoder


def test_taps_have_their_scales_and_widths() -> None:
    encoder = PhotoEncoder((10, 0, 4, 2))
    shapes = [tuple(x.shape) for x in encoder(tf.zeros([2, 32, 48, 3]))]
    assert shapes == [(2, 16, 24, 16), (2, 8, 12, 24), (2, 4, 6, 40), (2, 2, 3, 112)]
    assert len(PhotoEncoder((0, 2)).blocks) == 3


def test_it_starts_from_the_weights_of_the_package() -> None:
    encoder = PhotoEncoder((2,))
    image = tf.random.stateless_uniform([1, 32, 32, 3], [0, 0], -1.0, 1.0)
    (before,) = encoder(image)
    encoder.load_photo_weights()
    (after,) = encoder(image)
    assert np.abs(after - before).max() > 0.1
    other = PhotoEncoder((2,))
    other.build((None, None, None, 3))
    other.load_photo_weights()
    np.testing.assert_array_equal(other(image)[0], after)


def test_a_file_of_other_weights_is_named(tmp_path: Path) -> None:
    encoder = PhotoEncoder((0,))
    encoder.build((None, None, None, 3))
    np.savez(tmp_path / "other.npz", stem_kernel=np.zeros(3))
    with pytest.raises(CheckpointError, match="other.npz cannot be read"):
        encoder.load_photo_weights(tmp_path / "other.npz")
