"""Keeps slow peers' repairs and their scores, so that each is computed once."""

import hashlib
import json
import time
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnnlg_tf.evaluation.cases import Case
from cnnlg_tf.evaluation.ffd import SCALES, Moments
from cnnlg_tf.evaluation.metrics import Gradients
from cnnlg_tf.evaluation.peers import Peer
from cnnlg_tf.evaluation.results import Scores
from cnnlg_tf.evaluation.scoring import Scored, Scorer
from cnnlg_tf.files import atomic_path

SCORES_VERSION = 2
"""Raise it when a metric changes its value, so that stored scores of the old one are not used."""


class PeerCache:
    """A folder of repairs: a picture, its moments and its scores in a file each, named by a hash.

    The hash is of everything that went in: the photo, the mask, the peer's version and parameters.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def load(self, peer: Peer, case: Case) -> Scored | None:
        """The stored repair and its scores, or None."""
        stem = self._stem(peer, case)
        try:
            tree = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
            tree["gradients"] = tuple(Gradients(*each) for each in tree["gradients"])
            with Image.open(stem.with_suffix(".png")) as picture:
                repaired = np.array(picture.convert("RGB"))
            return Scored(repaired, Scores(**tree), _load_moments(stem.with_suffix(".npz")))
        except (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile):
            return None  # absent or damaged: it is computed again

    def store(self, peer: Peer, case: Case, scored: Scored) -> None:
        """Keep one repair. The scores are written last: where they stand, the rest is whole."""
        stem = self._stem(peer, case)
        with atomic_path(stem.with_suffix(".png")) as path:
            Image.fromarray(scored.repaired).save(path)
        with atomic_path(stem.with_suffix(".npz")) as path:
            _save_moments(path, scored.moments)
        with atomic_path(stem.with_suffix(".json")) as path:
            path.write_text(json.dumps(asdict(scored.scores)), encoding="utf-8")

    def _stem(self, peer: Peer, case: Case) -> Path:
        digest = hashlib.sha256(f"{SCORES_VERSION}/{peer.settings}/{case.image.shape}/".encode())
        digest.update(case.image.tobytes())
        digest.update(np.packbits(case.mask).tobytes())
        return self.folder / peer.name / digest.hexdigest()[:24]


def peer_result(peer: Peer, case: Case, scorer: Scorer, store: PeerCache | None) -> Scored:
    """A peer's repair and its scores: stored from before, or made now and stored."""
    if store is not None and (stored := store.load(peer, case)) is not None:
        return stored
    start = time.perf_counter()
    repaired = peer.repair(case.damaged, case.mask)
    scored = scorer.score(case, repaired, time.perf_counter() - start)
    if store is not None:
        store.store(peer, case, scored)
    return scored


def _save_moments(path: Path, moments: list[Moments]) -> None:
    """Of each symmetric scatter matrix its upper half."""
    arrays: dict[str, Any] = {}
    for scale, each in zip(SCALES, moments, strict=True):
        arrays[f"count_{scale}"] = np.array(each.count)
        arrays[f"mean_{scale}"] = each.mean
        arrays[f"scatter_{scale}"] = each.scatter[np.triu_indices(len(each.mean))]
    np.savez(path, **arrays)


def _load_moments(path: Path) -> list[Moments]:
    moments = []
    with path.open("rb") as file, np.load(file) as arrays:
        for scale in SCALES:
            mean = arrays[f"mean_{scale}"]
            scatter = np.zeros((len(mean), len(mean)))
            scatter[np.triu_indices(len(mean))] = arrays[f"scatter_{scale}"]
            scatter += np.triu(scatter, 1).T
            moments.append(Moments(int(arrays[f"count_{scale}"]), mean, scatter))
    return moments
