"""Find damage on an open photo: the probability is kept, so that a mask at any sensitivity is at hand at once."""

import numpy as np

from cnnlg_tf.certainty import GROWTH
from cnnlg_tf.errors import CancelledError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.inference import damage
from cnnlg_tf.inference.holes import grown
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.network import check_ability
from cnnlg_tf.photos import to_unit
from cnnlg_tf.ui.jobs import Job
from cnnlg_tf.ui.limits import RequestError
from cnnlg_tf.ui.sessions import Session

LEVELS = 65535  # of a probability that is kept


def search(inpainter: Inpainter, session: Session, job: Job) -> None:
    """Look for damage on the photo as it is now, and keep what was found.

    Raises:
        ConfigError: the network cannot find damage.
        CancelledError: the job was cancelled; what an earlier search found is kept then.
    """
    network = inpainter.network
    check_ability(network, frozenset({"find_damage"}))

    looked = 0

    def look(window: np.ndarray) -> np.ndarray:
        nonlocal looked
        if job.is_cancelled():
            raise CancelledError("the search was cancelled")
        found = network.find_damage(window)
        looked += 1
        job.progress(looked / windows)
        return found

    photo = session.result()
    image = np.nan_to_num(to_unit(photo.pixels))
    windows = _count_windows(image, network.widest)
    probability = damage.find_damage(image, look, network.widest).probability
    if photo.known is not None:
        probability = probability * photo.known
    levels = np.rint(np.clip(probability, 0, 1) * LEVELS).astype(np.uint16)
    with atomic_path(session.folder / "damage.npy") as temporary:
        np.save(temporary, levels)


def damage_mask(session: Session, sensitivity: float) -> np.ndarray:
    """bool [height, width]: what the last search takes as damaged at a sensitivity from 0 to 1, grown as `repair` does.

    Raises:
        RequestError: nothing was searched yet.
    """
    path = session.folder / "damage.npy"
    if not path.exists():
        raise RequestError("damage must be looked for first: POST to this address", 409)
    probability: np.ndarray = np.load(path) / np.float32(LEVELS)
    if probability.shape != session.shape:
        raise RequestError("damage must be looked for again: the photo has another size now", 409)
    found, known = grown(damage.marked(probability, sensitivity), GROWTH), session.canvas().known
    return found if known is None else found & known


def _count_windows(image: np.ndarray, widest: int) -> int:
    """How many windows a search looks at."""
    seen = 0

    def count(window: np.ndarray) -> np.ndarray:
        nonlocal seen
        seen += 1
        return np.zeros(window.shape[:2], np.float32)

    damage.find_damage(image, count, widest)
    return seen
