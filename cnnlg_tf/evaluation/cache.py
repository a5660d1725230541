"""Keeps slow peers' repairs and their scores, so that each is computed once."""

import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnnlg_tf.evaluation.cases import Case
from cnnlg_tf.evaluation.peers import Peer
from cnnlg_tf.files import atomic_path

SCORES_VERSION = 1
"""Raise it when a metric changes its value, so that stored scores of the old one are not used."""


class PeerCache:
    """A folder of repairs: a PNG and a JSON file each, named by a hash of everything that went in.

    The photo and the mask are part of the hash, and so are the peer's version and parameters.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def load(self, peer: Peer, case: Case) -> tuple[npt.NDArray[np.uint8], dict[str, float]] | None:
        """The stored repair [height, width, 3] and its scores, or None."""
        stem = self._stem(peer, case)
        try:
            scores = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
            with Image.open(stem.with_suffix(".png")) as picture:
                return np.array(picture.convert("RGB")), scores
        except (OSError, ValueError):  # absent or damaged: it is computed again
            return None

    def store(
        self, peer: Peer, case: Case, repaired: npt.NDArray[np.uint8], scores: dict[str, float]
    ) -> None:
        """Keep one repair. The scores are written last: where they stand, the picture is whole."""
        stem = self._stem(peer, case)
        with atomic_path(stem.with_suffix(".png")) as path:
            Image.fromarray(repaired).save(path)
        with atomic_path(stem.with_suffix(".json")) as path:
            path.write_text(json.dumps(scores), encoding="utf-8")

    def _stem(self, peer: Peer, case: Case) -> Path:
        digest = hashlib.sha256(f"{SCORES_VERSION}/{peer.settings}/{case.image.shape}/".encode())
        digest.update(case.image.tobytes())
        digest.update(np.packbits(case.mask).tobytes())
        return self.folder / peer.name / digest.hexdigest()[:24]
