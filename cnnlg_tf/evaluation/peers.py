"""Classical repairs that the model is measured against, behind one interface.

Telea and Navier-Stokes come with OpenCV; biharmonic (scikit-image) and PatchMatch (pypatchmatch)
come with the extra `bench`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata

import cv2
import numpy as np
import numpy.typing as npt

from cnnlg_tf.errors import ConfigError, MissingExtraError
from cnnlg_tf.extras import require

Photo = npt.NDArray[np.uint8]
Hole = npt.NDArray[np.bool_]

RADIUS = 3  # pixels; the neighbourhood that OpenCV's own inpainting tutorial uses
PATCH_RADIUS = 3  # pixels, so patches of 7x7; the size that pypatchmatch's examples use


@dataclass(frozen=True)
class Peer:
    """A method that fills a hole.

    `repair` takes an image [height, width, 3] uint8 and a mask [height, width], True = missing, and
    gives an image like the first; what the image holds inside the hole must not matter.
    `settings` tells versions and parameters apart, so that no cached result of others is used.
    """

    name: str
    title: str
    settings: str
    repair: Callable[[Photo, Hole], Photo]


def load_peers(names: Iterable[str]) -> tuple[list[Peer], dict[str, str]]:
    """The peers that can run here, and for each other one the reason why it cannot.

    Raises:
        ConfigError: a name is none of PEERS.
    """
    peers: list[Peer] = []
    missing: dict[str, str] = {}
    for name in names:
        if name not in PEERS:
            raise ConfigError(f"a peer must be one of {', '.join(PEERS)}. Received: {name!r}")
        try:
            peers.append(PEERS[name]())
        except MissingExtraError as error:
            missing[name] = str(error)
    return peers, missing


def _opencv(name: str, title: str, flag: int) -> Peer:
    def repair(image: Photo, mask: Hole) -> Photo:
        filled = cv2.inpaint(image, mask.astype(np.uint8), RADIUS, flag)
        return np.asarray(filled, dtype=np.uint8)

    return Peer(name, title, f"opencv {cv2.__version__}, radius {RADIUS}", repair)


def _telea() -> Peer:
    return _opencv("telea", "Telea", cv2.INPAINT_TELEA)


def _navier_stokes() -> Peer:
    return _opencv("ns", "Navier-Stokes", cv2.INPAINT_NS)


def _biharmonic() -> Peer:
    inpaint = require("skimage.restoration", "bench").inpaint_biharmonic

    def repair(image: Photo, mask: Hole) -> Photo:
        if not mask.any():
            return image.copy()
        filled = inpaint(image / 255.0, mask, split_into_regions=True, channel_axis=-1)
        repaired: Photo = np.rint(np.clip(filled, 0, 1) * 255).astype(np.uint8)
        return repaired

    return Peer(
        "biharmonic", "biharmonic", f"scikit-image {metadata.version('scikit-image')}", repair
    )


def _patchmatch() -> Peer:
    patchmatch = require("patchmatch", "bench")

    def repair(image: Photo, mask: Hole) -> Photo:
        patchmatch.set_random_seed(0)
        filled = patchmatch.inpaint(image, mask, patch_size=PATCH_RADIUS)
        return np.asarray(filled, dtype=np.uint8)

    version = metadata.version("pypatchmatch")
    return Peer(
        "patchmatch", "PatchMatch", f"pypatchmatch {version}, radius {PATCH_RADIUS}, seed 0", repair
    )


PEERS: dict[str, Callable[[], Peer]] = {
    "telea": _telea,
    "ns": _navier_stokes,
    "biharmonic": _biharmonic,
    "patchmatch": _patchmatch,
}
