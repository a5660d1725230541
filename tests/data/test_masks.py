from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

from cnnlg_tf.config import MaskConfig, MaskKind
from cnnlg_tf.data.masks import MaskSampler, draw_mask
from cnnlg_tf.data.stamps import Stamps
from cnnlg_tf.errors import MaskError

KINDS = get_args(MaskKind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(2, 2), (2, 90), (17, 5), (64, 64), (48, 80)])
def test_a_mask_is_binary_and_neither_empty_nor_complete(
    kind: MaskKind, size: tuple[int, int], stamp_root: Path
) -> None:
    stamps = Stamps(stamp_root)
    for seed in range(25):
        mask = draw_mask(kind, *size, np.random.default_rng(seed), stamps)
        assert mask.shape == size and mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 1}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_generator_state_draws_the_same_mask(kind: MaskKind, stamp_root: Path) -> None:
    first, again, other = (
        draw_mask(kind, 64, 64, np.random.default_rng(seed), Stamps(stamp_root))
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize(
    ("kind", "least", "most"), [("thin", 0.03, 0.10), ("medium", 0.10, 0.25), ("wide", 0.20, 0.45)]
)
def test_strokes_cover_the_share_of_their_kind(
    kind: MaskKind, least: float, most: float, size: int
) -> None:
    rng = np.random.default_rng(0)
    shares = [draw_mask(kind, size, size, rng).mean() for _ in range(40)]
    assert least <= min(shares) and max(shares) <= most
    assert np.ptp(shares) > 0.5 * (most - least)


@pytest.mark.parametrize(("kind", "widest"), [("thin", 5), ("medium", 16), ("wide", 50)])
def test_strokes_are_as_wide_as_their_kind_says(kind: MaskKind, widest: int) -> None:
    """Half the hole is at most half the kind's greatest width away from a known pixel."""
    rng = np.random.default_rng(1)
    for _ in range(10):
        mask = draw_mask(kind, 256, 256, rng)
        depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
        assert np.median(depth[mask == 1]) <= widest / 2


def test_a_border_leaves_the_middle_known() -> None:
    rng = np.random.default_rng(0)
    touched = set()
    for _ in range(60):
        mask = draw_mask("border", 40, 60, rng)
        assert mask[20:21, 30:31].sum() in (0, 1)
        touched |= {side for side, line in enumerate(_edges(mask)) if line.all()}
    assert touched == {0, 1, 2, 3}


def test_a_lattice_repeats_and_a_sparse_mask_leaves_single_pixels() -> None:
    rng = np.random.default_rng(0)
    whole = [draw_mask("lattice", 64, 64, rng) for _ in range(40)]
    repeats = [
        m for m in whole if any((m == np.roll(m, n, (0, 1))).mean() > 0.75 for n in range(2, 9))
    ]
    assert len(repeats) > 12  # those that cover the image
    known = [1.0 - draw_mask("sparse", 64, 64, rng).mean() for _ in range(40)]
    assert min(known) < 0.02
    alone = draw_mask("sparse", 256, 256, np.random.default_rng(2))
    assert cv2.connectedComponents(1 - alone)[0] > 20


def _edges(mask: np.ndarray) -> list[np.ndarray]:
    return [mask[0], mask[:, 0], mask[-1], mask[:, -1]]


def test_wrong_arguments_are_named() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(MaskError, match="kind must be one of thin, .*Received: 'hair'"):
        draw_mask("hair", 8, 8, rng)  # type: ignore[arg-type]
    with pytest.raises(MaskError, match="at least 2 x 2 pixels. Received: 1 x 8"):
        draw_mask("box", 1, 8, rng)
    with pytest.raises(MaskError, match="'stamp' needs stamps"):
        draw_mask("stamp", 8, 8, rng)


def test_the_sampler_draws_kinds_by_their_frequency() -> None:
    sampler = MaskSampler(MaskConfig(kinds={"box": 3.0, "thin": 0.0, "border": 1.0}))
    rng = np.random.default_rng(0)
    kinds = [sampler.draw(32, 32, rng)[1] for _ in range(400)]
    assert set(kinds) == {"box", "border"}
    assert 0.68 < kinds.count("box") / 400 < 0.82
