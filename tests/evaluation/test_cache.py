"""The cache gives back what it got, and only for the same photo, mask and method."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from cnnlg_tf.evaluation.cache import PeerCache
from cnnlg_tf.evaluation.cases import Case
from cnnlg_tf.evaluation.peers import load_peers

_IMAGE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
_CASE = Case("a.png", "box", _IMAGE, np.eye(16, dtype=bool))


def test_round_trip(tmp_path: Path) -> None:
    (peer,), _ = load_peers(["telea"])
    cache = PeerCache(tmp_path)
    assert cache.load(peer, _CASE) is None
    cache.store(peer, _CASE, _IMAGE[::-1].copy(), {"psnr": 20.5})
    stored = cache.load(peer, replace(_CASE, photo="renamed.png"))
    assert stored is not None
    np.testing.assert_array_equal(stored[0], _IMAGE[::-1])
    assert stored[1] == {"psnr": 20.5}


def test_anything_else_is_a_miss(tmp_path: Path) -> None:
    (peer,), _ = load_peers(["telea"])
    cache = PeerCache(tmp_path)
    cache.store(peer, _CASE, _IMAGE, {})
    assert cache.load(peer, replace(_CASE, mask=~_CASE.mask)) is None
    assert cache.load(peer, replace(_CASE, image=255 - _IMAGE)) is None
    assert cache.load(replace(peer, settings="another version"), _CASE) is None


def test_a_damaged_entry_is_a_miss(tmp_path: Path) -> None:
    (peer,), _ = load_peers(["telea"])
    cache = PeerCache(tmp_path)
    cache.store(peer, _CASE, _IMAGE, {})
    (picture,) = tmp_path.rglob("*.png")
    picture.write_bytes(picture.read_bytes()[:40])
    assert cache.load(peer, _CASE) is None
