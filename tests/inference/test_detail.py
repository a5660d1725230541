"""Residuals come from known blocks that look like the hole's own."""

import numpy as np

from cnnlg_tf.inference.detail import PATCH, copy_residuals, enlarge, match_blocks


def low_and_full(scale: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Left half dark and smooth, right half bright with a fine checker of contrast 0.2."""
    full = np.full((64 * scale, 96 * scale, 3), 0.3, np.float32)
    half = full.shape[1] // 2
    y, x = np.indices((full.shape[0], half))
    full[:, half:] = (0.7 + 0.1 * (-1.0) ** (y + x))[..., np.newaxis]
    low = full.reshape(64, scale, 96, scale, 3).mean(axis=(1, 3))
    return low, full


def test_texture_is_taken_from_where_it_fits() -> None:
    low, full = low_and_full()
    wanted = np.zeros((64, 96), bool)
    wanted[20:40, 10:30] = wanted[20:40, 60:80] = True
    matches = match_blocks(low, ~wanted, wanted)
    residual = copy_residuals(full, enlarge(low, 4), matches, 4)
    assert residual.shape == full.shape
    rough, smooth = residual[80:160, 240:320], residual[80:160, 40:120]
    assert np.std(rough) > 0.08
    assert np.abs(smooth).max() < 1e-3
    assert np.all(residual[:40] == 0)  # nothing was asked for there


def test_sources_lie_in_usable_ground() -> None:
    rng = np.random.default_rng(0)
    low = rng.random((64, 96, 3)).astype(np.float32)
    usable = np.ones((64, 96), bool)
    usable[:, 30:70] = False
    wanted = np.zeros_like(usable)
    wanted[10:50, 40:60] = True
    matches = match_blocks(low, usable, wanted)
    assert len(matches) == 6 * 3
    for _, _, y, x in matches:
        assert np.all(usable[y : y + PATCH, x : x + PATCH])


def test_a_stamp_is_not_repeated() -> None:
    low = np.full((64, 96, 3), 0.5, np.float32)
    wanted = np.zeros((64, 96), bool)
    wanted[16:48, 32:64] = True
    matches = match_blocks(low, ~wanted, wanted)
    sources = {(int(y), int(x)) for _, _, y, x in matches}
    assert len(sources) > len(matches) // 2


def test_nothing_usable_gives_no_match() -> None:
    low = np.zeros((32, 32, 3), np.float32)
    everywhere = np.ones((32, 32), bool)
    assert match_blocks(low, ~everywhere, everywhere) == []
    assert match_blocks(low[:8], everywhere[:8], everywhere[:8]) == []
