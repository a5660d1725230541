"""The merge: a blend by depth until it learns, the guide, calmed, at detail 0, the photo where it is known."""

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.config import MergeConfig
from cnnlg_tf.models.merge import DEPTH, Merge, hole_depth
from cnnlg_tf.models.synthesis_scale import Synthesis

SIZE = 64


@pytest.fixture(scope="module")
def merge() -> Merge:
    return Merge(MergeConfig(widths=(4, 8)))


def make_case() -> tuple[np.ndarray, Synthesis, np.ndarray]:
    rng = np.random.default_rng(0)
    mask = np.zeros((1, SIZE, SIZE, 1), np.float32)
    mask[:, 8:56, 8:56] = 1.0
    guide = np.full((1, SIZE, SIZE, 3), -0.2, np.float32)
    laid = np.where(mask > 0, rng.uniform(0.5, 1.0, (1, SIZE, SIZE, 3)), 0.4).astype(np.float32)
    return guide, Synthesis(laid, 0 * mask, 0 * mask, mask), mask


def test_hole_depth_counts_from_the_border_up_to_a_limit() -> None:
    _, _, mask = make_case()
    depth = hole_depth(tf.constant(mask)).numpy()[0, ..., 0]
    assert depth[7, 30] == 0 and depth[8, 30] == 2 and depth[10, 30] == 4
    assert depth[32, 32] == depth.max() == DEPTH


def test_untrained_it_blends_by_depth(merge: Merge) -> None:
    guide, synthesis, mask = make_case()
    merged = np.asarray(merge(guide, synthesis, mask))
    laid = 2 * synthesis.image - 1
    np.testing.assert_allclose(merged[0, 32, 32], laid[0, 32, 32], atol=0.05)
    np.testing.assert_allclose(merged[0, 8, 8:56], guide[0, 8, 8:56], atol=0.1)
    assert np.array_equal(merged[mask[..., 0] == 0], guide[mask[..., 0] == 0])


def test_detail_goes_from_the_guide_to_amplified_texture(merge: Merge) -> None:
    guide, synthesis, mask = make_case()
    pictures = [
        np.asarray(merge(guide, synthesis, mask, detail=d)) for d in (0.0, 0.5, 1.0, 1.5, 2.0)
    ]
    assert np.array_equal(pictures[0][mask[..., 0] == 0], guide[mask[..., 0] == 0])
    own, *steps = [np.abs(np.diff(p[0, 12:52, 12:52], axis=0)).mean() for p in (guide, *pictures)]
    assert steps[0] <= own  # its highest frequencies are gone
    assert all(b > 1.02 * a for a, b in zip(steps, steps[1:], strict=False))


def test_where_nothing_was_laid_the_guide_stays(merge: Merge) -> None:
    guide, synthesis, mask = make_case()
    nothing = synthesis._replace(share=0 * mask)
    np.testing.assert_allclose(merge(guide, nothing, mask, detail=2.0), guide, atol=1e-6)
