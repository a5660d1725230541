"""Sketches drawn for training."""

import numpy as np
import pytest

from cnnlg_tf.config import DataConfig, MaskConfig, SyntheticConfig
from cnnlg_tf.data.pipeline import TrainingData
from cnnlg_tf.data.sketches import draw_sketch


def disc(side: int = 96) -> np.ndarray:
    """A red disc on green: uint8 [side, side, 3]."""
    y, x = np.mgrid[:side, :side] - side / 2
    inside = np.hypot(x, y) < side / 4
    return np.where(inside[..., None], np.uint8([200, 40, 30]), np.uint8([40, 150, 60]))


@pytest.fixture(scope="module")
def sketches() -> list[tuple[np.ndarray, np.ndarray]]:
    hole = np.zeros((96, 96), np.uint8)
    hole[10:86, 10:60] = 1
    return [draw_sketch(disc(), hole, np.random.default_rng(seed)) for seed in range(60)]


def test_strokes_lie_in_the_hole_with_black_beside_them(
    sketches: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    for colours, strokes in sketches:
        assert colours.dtype == strokes.dtype == np.uint8 and set(np.unique(strokes)) <= {0, 1}
        assert not strokes[:10].any() and not strokes[:, 60:].any()
        assert not colours[strokes == 0].any()


def test_lines_follow_edges_and_paint_the_photos_colours(
    sketches: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    y, x = np.mgrid[:96, :96] - 48
    off = np.abs(np.hypot(x, y) - 24)  # from the disc's rim
    grey = painted = 0
    for colours, strokes in sketches:
        values = colours[strokes == 1].astype(int)
        chroma = np.ptp(values, axis=1) if len(values) else np.zeros(0)
        line = np.median(off[strokes == 1]) if len(values) else 0.0
        if len(values) and not chroma.any():
            grey += 1
            assert line < 3  # jitter included
        elif len(values) > 40:
            painted += 1
            known = [np.abs(values - c).max(1) < 12 for c in ([200, 40, 30], [40, 150, 60])]
            assert np.any(known, axis=0)[chroma > 40].mean() > 0.6
    assert grey > 10 and painted > 10


def test_lines_are_dropped_now_and_then(sketches: list[tuple[np.ndarray, np.ndarray]]) -> None:
    drawn = [int(strokes.sum()) for _, strokes in sketches]
    assert min(drawn) == 0 or min(drawn) * 4 < max(drawn)


def test_batches_have_sketches_for_a_share_of_their_samples_and_else_stay_as_they_were() -> None:
    source = DataConfig(kind="synthetic", synthetic=SyntheticConfig(length=6, size=64))

    def batch(share: float, step: int) -> dict[str, np.ndarray]:
        return TrainingData(source, MaskConfig(), 64, 4, 0, sketch_share=share).batch(step)  # type: ignore[return-value]

    plain, half, again = batch(0.0, 3), batch(0.5, 3), batch(0.5, 3)
    assert set(plain) == {"image", "mask"} and set(half) == {*plain, "sketch", "sketch_mask"}
    assert all(np.array_equal(half[key], plain[key]) for key in plain)
    assert all(np.array_equal(half[key], again[key]) for key in half)
    assert not half["sketch_mask"][half["mask"] == 0].any()
    some = [batch(0.5, step)["sketch_mask"].any(axis=(1, 2, 3)) for step in range(6)]
    assert 0.2 < np.mean(some) < 0.8
    assert np.mean([batch(1.0, step)["sketch_mask"].any(axis=(1, 2, 3)) for step in range(3)]) > 0.7
