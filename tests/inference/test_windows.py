"""Scales and windows cover the hole, once, with context, and no more of the photo than that."""

import cv2
import numpy as np
import pytest

from cnnlg_tf.inference.windows import (
    Box,
    any_pool,
    bounding_box,
    plan_windows,
    split_by_scale,
    tile,
)


def blank(height: int = 600, width: int = 800) -> np.ndarray:
    return np.zeros((height, width), bool)


def test_box_arithmetic() -> None:
    box = Box(2, 3, 10, 20)
    assert box.within(Box(1, 1, 50, 50)) == Box(1, 2, 9, 19)
    assert box.scaled(2).clipped(15, 100) == Box(4, 6, 15, 40)
    assert box.grown(3) == Box(-1, 0, 13, 23) and box.grown(1, 2) == Box(1, 1, 11, 22)
    mask = blank()
    mask[2:10, 3:20] = True
    assert bounding_box(mask) == box


def test_any_pool_keeps_every_true() -> None:
    mask = blank(37, 50)
    mask[36, 49] = mask[0, 16] = True
    pooled = any_pool(mask, 16)
    assert pooled.shape == (3, 4)
    assert np.argwhere(pooled).tolist() == [[0, 1], [2, 3]]
    assert any_pool(mask, 1) is mask


def test_thin_parts_are_repaired_at_full_resolution() -> None:
    mask = blank(1200, 1600).astype(np.uint8)
    cv2.line(mask, (10, 10), (1500, 1000), 1, 9)
    assert [scale for scale, _ in split_by_scale(mask > 0, 160, 512)] == [1]


def test_thick_parts_go_to_a_lower_resolution_whole() -> None:
    mask = blank(1200, 1600)
    mask[300:700, 400:800] = True  # 400 pixels thick: 1/4 is the first scale with at most 160
    mask[100:104, 1000:1500] = True
    parts = list(split_by_scale(mask, 160, 512))
    assert [scale for scale, _ in parts] == [1, 4]
    assert parts[0][1].sum() == 4 * 500
    assert np.array_equal(parts[0][1] | parts[1][1], mask)
    assert not np.any(parts[0][1] & parts[1][1])


def test_a_hole_at_the_border_counts_twice_as_thick() -> None:
    inner, outer = blank(), blank()
    inner[200:350, 200:600] = True
    outer[:150, 200:600] = True
    assert [scale for scale, _ in split_by_scale(inner, 160, 512)] == [1]
    assert 2 in [scale for scale, _ in split_by_scale(outer, 160, 512)]


@pytest.mark.parametrize(("shape", "largest"), [((600, 800), 2), ((16, 4000), 1), ((40, 2000), 2)])
def test_all_missing_is_shrunk_no_further_than_the_network_can_see(
    shape: tuple[int, int], largest: int
) -> None:
    parts = list(split_by_scale(np.ones(shape, bool), 160, 512))
    assert [scale for scale, _ in parts] == [largest]


@pytest.mark.parametrize("seed", range(4))
def test_windows_cover_the_part(seed: int) -> None:
    rng = np.random.default_rng(seed)
    part = blank().astype(np.uint8)
    for _ in range(6):
        points = rng.integers(0, 600, 4).tolist()
        cv2.line(part, tuple(points[:2]), tuple(points[2:]), 1, int(rng.integers(1, 40)))
    covered = blank()
    for core, box in plan_windows(part > 0, 256):
        covered[core.slices] = True
        assert core.within(box) == core.within(box).clipped(256, 256)
        assert box == box.clipped(600, 800)
        height, width = box.bottom - box.top, box.right - box.left
        assert height <= 256 and width <= 256
        assert height % 32 == 0 and width % 32 == 0
    assert np.all(covered[part > 0])


def test_small_hole_gets_a_small_window_and_near_holes_share_one() -> None:
    part = blank()
    part[300:310, 400:410] = True
    (window,) = plan_windows(part, 512)
    assert window.box.bottom - window.box.top <= 192
    part[300:310, 430:440] = True
    assert len(plan_windows(part, 512)) == 1
    part[10:20, 10:20] = True
    windows = plan_windows(part, 512)
    assert len(windows) == 2
    assert windows[0].box[:2] == (0, 0)


def test_photo_smaller_than_a_window() -> None:
    (window,) = plan_windows(np.ones((20, 33), bool), 512)
    assert window.core == window.box == Box(0, 0, 20, 33)


@pytest.mark.parametrize("shape", [(20, 30), (512, 512), (600, 1300)])
def test_tile_covers_once(shape: tuple[int, int]) -> None:
    count = np.zeros(shape, int)
    for core, box in tile(*shape, 512, 32):
        count[core.slices] += 1
        assert box == box.clipped(*shape)
        assert core.within(box) == core.within(box).clipped(512, 512)
    assert np.all(count == 1)
