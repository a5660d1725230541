"""The cache gives back what it got, and only for the same photo, mask and method."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnlg_tf.evaluation.cache import PeerCache
from cnnlg_tf.evaluation.cases import Case
from cnnlg_tf.evaluation.ffd import Moments
from cnnlg_tf.evaluation.metrics import Gradients
from cnnlg_tf.evaluation.peers import load_peers
from cnnlg_tf.evaluation.results import Scores
from cnnlg_tf.evaluation.scoring import Scored

_IMAGE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
_SCORES = Scores(
    psnr=20.5,
    hole_psnr=10.25,
    ssim=0.9,
    lpips=0.1,
    seconds=0.5,
    known_exact=True,
    gradients=(Gradients(3, 0.1, 0.7), Gradients(0, 0.0, 0.0)),
)
_MOMENTS = [Moments.of(np.random.default_rng(1).normal(size=(9, c))) for c in (24, 40, 112)]
_SCORED = Scored(_IMAGE[::-1].copy(), _SCORES, _MOMENTS)
_CASE = Case("a.png", "box", _IMAGE, np.eye(16, dtype=bool))


def test_round_trip(tmp_path: Path) -> None:
    (peer,), _ = load_peers(["telea"])
    cache = PeerCache(tmp_path)
    assert cache.load(peer, _CASE) is None
    cache.store(peer, _CASE, _SCORED)
    stored = cache.load(peer, replace(_CASE, photo="renamed.png"))
    assert stored is not None
    np.testing.assert_array_equal(stored.repaired, _SCORED.repaired)
    assert stored.scores == _SCORES and isinstance(stored.scores.gradients[0], Gradients)
    for first, second in zip(stored.moments, _MOMENTS, strict=True):
        assert first.count == second.count
        np.testing.assert_array_equal(first.mean, second.mean)
        np.testing.assert_array_equal(first.scatter, second.scatter)


def test_anything_else_is_a_miss(tmp_path: Path) -> None:
    (peer,), _ = load_peers(["telea"])
    cache = PeerCache(tmp_path)
    cache.store(peer, _CASE, _SCORED)
    assert cache.load(peer, replace(_CASE, mask=~_CASE.mask)) is None
    assert cache.load(peer, replace(_CASE, image=255 - _IMAGE)) is None
    assert cache.load(replace(peer, settings="another version"), _CASE) is None


@pytest.mark.parametrize("suffix", ["png", "npz", "json"])
@pytest.mark.parametrize("kept", [0, 40])
def test_a_damaged_entry_is_a_miss(tmp_path: Path, suffix: str, kept: int) -> None:
    (peer,), _ = load_peers(["telea"])
    cache = PeerCache(tmp_path)
    cache.store(peer, _CASE, _SCORED)
    (path,) = tmp_path.rglob(f"*.{suffix}")
    path.write_bytes(path.read_bytes()[:kept])
    assert cache.load(peer, _CASE) is None
