"""The contract of whatever repairs a window of a photo: a model here, an export, an engine, a server.

Its adapters stand where what they adapt does: `cnnlg_network` beside this file, `export/networks`,
`serving/client/network`. `cnnlg_tf.open_network` picks one. Nothing here needs TensorFlow.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from cnnlg_tf.errors import ConfigError, ImageError
from cnnlg_tf.inference.sketch import Strokes

SMALLEST_SIDE = 16  # pixels; no network is given less
WIDEST_SIDE = 512  # pixels; nor more: attention takes memory with the square of a window's area
WIDEST_GUIDED = 768  # pixels; with a guide nothing attends, and a hole is cut in fewer windows

ABILITIES = {
    "detail": "another detail than 1",
    "reference": "a reference photo",
    "sample": "samples",
    "sketch": "a sketch",
    "guide": "a repair of lower resolution to go by",
    "find_damage": "finding damage (blind repair)",
}
"""What a network may be able to do beside the expected repair, and what errors call it."""


@dataclass(frozen=True)
class Conditions:
    """How a hole is to be filled.

    Attributes:
        detail: 0 smooth .. 1 as learnt .. 2 crisp.
        reference: photos whose textures may be copied, float32 [h, w, 3] in [0, 1], any sizes from
            16 x 16 on.
        seed: of one of the possible repairs, from 0 to 2**64 - 1; None: the expected one.
        temperature: how far a seeded repair may be from the expected one: 0 is the expected one, 1
            as far as the model has learnt.
        sketch: strokes that the repair follows, as large as what is filled.

    Raises:
        ConfigError: detail, seed or temperature is out of range.
        ImageError: a reference has another shape, type or range.
    """

    detail: float = 1.0
    reference: tuple[np.ndarray, ...] = ()
    seed: int | None = None
    temperature: float = 0.0
    sketch: Strokes | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.detail <= 2.0:
            raise ConfigError(f"detail must be from 0 to 2. Received: {self.detail}")
        if self.seed is not None and not 0 <= self.seed < 2**64:
            raise ConfigError(f"seed must be from 0 to 2**64 - 1. Received: {self.seed}")
        if not 0.0 <= self.temperature < float("inf"):
            raise ConfigError(f"temperature must be 0 or more. Received: {self.temperature}")
        for photo in self.reference:
            _check_reference(photo)

    @property
    def abilities(self) -> frozenset[str]:
        """What a network must be able to do to honour these conditions; see ABILITIES."""
        needs = {
            "detail": self.detail != 1.0,
            "reference": bool(self.reference),
            "sample": self.seed is not None and self.temperature > 0.0,
            "sketch": self.sketch is not None,
        }
        return frozenset(name for name, needed in needs.items() if needed)

    def within(self, slices: tuple[slice, slice]) -> "Conditions":
        """The same for a window: without a sketch where nothing is drawn in it."""
        if self.sketch is None:
            return self
        sketch = self.sketch.within(slices)
        return replace(self, sketch=sketch if sketch.drawn.any() else None)

    def padded(self, rows: int, columns: int) -> "Conditions":
        """The same for a window with so many further rows and columns."""
        return (
            self if self.sketch is None else replace(self, sketch=self.sketch.padded(rows, columns))
        )


class Filled(NamedTuple):
    """`image` float32 [h, w, 3] in [0, 1], known pixels as given; `uncertainty` float32 [h, w]: the
    standard deviation of each filled pixel in units of the full range, 0 at known pixels."""

    image: np.ndarray
    uncertainty: np.ndarray


class Network(Protocol):
    """Fills the hole of one window.

    Attributes:
        can: names out of ABILITIES.
        widest: pixels; no window with a longer side is to be given.
        widest_guided: pixels; the same with a guide.
    """

    @property
    def can(self) -> frozenset[str]: ...

    @property
    def widest(self) -> int: ...

    @property
    def widest_guided(self) -> int: ...

    def fill(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        conditions: Conditions,
        guide: np.ndarray | None = None,
    ) -> Filled:
        """Fill a window.

        Args:
            image: float32 [h, w, 3] in [0, 1], sides from 16 to `widest`, or `widest_guided`; what
                it holds inside the hole, finite, is never looked at.
            hole: bool [h, w], True = missing.
            conditions: all of its `abilities` are among what the network `can`.
            guide: float32 [h, w, 3], a repair of lower resolution, enlarged: only what that
                resolution lacks is added, and references may be copied from. For networks that can
                "guide".
        """

    def find_damage(self, image: np.ndarray) -> np.ndarray:
        """float32 [h, w]: the probability that a pixel is damaged. For networks that can "find_damage".

        Args:
            image: float32 [h, w, 3] in [0, 1], sides from 16 to `widest`.
        """


def check_ability(network: Network, wanted: frozenset[str]) -> None:
    """Raise ConfigError when a network cannot do what is wanted of it."""
    missing = sorted(wanted - network.can)
    if missing:
        able = ", ".join(ABILITIES[name] for name in sorted(network.can)) or "none of these"
        raise ConfigError(
            f"{' and '.join(ABILITIES[name] for name in missing)} must be among what the network "
            f"can do. Received: {network}, which can do {able}"
        )


def seed_pair(seed: int) -> np.ndarray:
    """int32 [2], the low and the high half of a seed, as models take it."""
    return np.array([seed % 2**32, seed // 2**32], np.uint32).view(np.int32)


def _check_reference(photo: np.ndarray) -> None:
    fits = photo.ndim == 3 and photo.shape[-1] == 3 and min(photo.shape[:2]) >= SMALLEST_SIDE
    if not fits or photo.dtype != np.float32:
        raise ImageError(
            f"reference must be float32 [height, width, 3] with sides of at least {SMALLEST_SIDE} "
            f"pixels. Received: reference.shape={photo.shape}, reference.dtype={photo.dtype}"
        )
    low, high = photo.min(), photo.max()
    if not (low >= 0.0 and high <= 1.0):
        raise ImageError(f"reference must lie in [0, 1]. Received: values {low} to {high}")
