"""Whatever answers the exports' signatures as a Network: an export in this process, a server elsewhere."""

from collections.abc import Callable, Iterable
from typing import Any

import cv2
import numpy as np

from cnnlg_tf.inference.network import (
    SMALLEST_SIDE,
    WIDEST_SIDE,
    Conditions,
    Filled,
    seed_pair,
)
from cnnlg_tf.inference.sketch import Strokes

ABILITIES = {
    "paint": ("detail", "reference", "sample", "sketch"),
    "refine": ("guide",),
    "find_damage": ("find_damage",),
}
"""What a network can do that has a signature beside `serving_default`."""

Call = Callable[[dict[str, Any], str], dict[str, np.ndarray]]


class SignatureNetwork:
    """Fills windows by calling signatures, `export.signatures` says which there are.

    Args:
        call: (arguments by name, signature) -> results by name, batches of one.
        signatures: the names that can be called.
        least: pixels; smaller windows are padded to it.
        widest: as of every network, with a guide and without.
    """

    def __init__(
        self,
        call: Call,
        signatures: Iterable[str],
        *,
        least: int = SMALLEST_SIDE,
        widest: int = WIDEST_SIDE,
    ) -> None:
        self._call = call
        self._least = least
        self.widest = self.widest_guided = widest
        self.can = frozenset(able for name in signatures for able in ABILITIES.get(name, ()))

    def fill(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        conditions: Conditions,
        guide: np.ndarray | None = None,
    ) -> Filled:
        height, width = hole.shape
        padding = ((0, max(0, self._least - height)), (0, max(0, self._least - width)))

        def batch(values: np.ndarray) -> np.ndarray:
            return np.pad(values, (*padding, (0, 0)), mode="edge")[np.newaxis]

        mask = np.pad(hole, padding)[np.newaxis, ..., np.newaxis].astype(np.float32)
        name, inputs = "serving_default", {"image": batch(image), "mask": mask}
        if guide is not None or conditions.abilities:
            name = "paint" if guide is None else "refine"
            inputs["detail"] = np.array(conditions.detail, np.float32)
            inputs["reference"] = side_by_side(conditions.reference)
            inputs |= _drawn(conditions.padded(padding[0][1], padding[1][1]).sketch)
        if name == "paint":
            drawn = "sample" in conditions.abilities
            inputs["seed"] = seed_pair(conditions.seed or 0)
            inputs["temperature"] = np.array(conditions.temperature if drawn else 0.0, np.float32)
        elif guide is not None:
            inputs["guide"] = batch(guide)
        found = self._call(inputs, name)
        uncertainty = found.get("uncertainty", np.zeros_like(mask))
        return Filled(found["repaired"][0, :height, :width], uncertainty[0, :height, :width, 0])

    def find_damage(self, image: np.ndarray) -> np.ndarray:
        found = self._call({"image": image[np.newaxis]}, "find_damage")
        probability: np.ndarray = found["mask_probability"][0, ..., 0]
        return probability


def _drawn(sketch: Strokes | None) -> dict[str, np.ndarray]:
    """A sketch as arguments of `paint` and `refine`, empty ones without any."""
    if sketch is None:
        return {
            "sketch": np.zeros((0, 0, 0, 3), np.float32),
            "sketch_mask": np.zeros((0, 0, 0, 1), np.float32),
        }
    strokes = sketch.drawn[np.newaxis, ..., np.newaxis].astype(np.float32)
    return {"sketch": sketch.colours[np.newaxis], "sketch_mask": strokes}


def side_by_side(photos: tuple[np.ndarray, ...]) -> np.ndarray:
    """One photo of all, [1, h, w, 3], each shrunk to WIDEST_SIDE at most; without any, an empty one."""
    if not photos:
        return np.zeros((0, 0, 0, 3), np.float32)
    shrunk = [smaller(photo, max(1.0, max(photo.shape) / WIDEST_SIDE)) for photo in photos]
    height = max(photo.shape[0] for photo in shrunk)
    level = [np.pad(p, ((0, height - p.shape[0]), (0, 0), (0, 0)), mode="edge") for p in shrunk]
    return np.concatenate(level, axis=1)[np.newaxis]


def smaller(photo: np.ndarray, factor: float) -> np.ndarray:
    """A reference at 1 / factor of its resolution, no smaller than a reference may be."""
    height, width = (max(SMALLEST_SIDE, round(side / factor)) for side in photo.shape[:2])
    if (height, width) == photo.shape[:2]:
        return photo
    return np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA))
