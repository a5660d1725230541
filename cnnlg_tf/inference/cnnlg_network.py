"""A CNNLG as a Network: the one module of inference that imports TensorFlow."""

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import tensorflow as tf

from cnnlg_tf.inference.network import (
    SMALLEST_SIDE,
    WIDEST_SIDE,
    Conditions,
    Filled,
    seed_pair,
)

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG


class CnnlgNetwork:
    """Runs a model in this process, with one graph for windows of every size: tracing takes longer
    than most repairs."""

    widest = WIDEST_SIDE

    def __init__(self, model: "CNNLG") -> None:
        self.model = model
        abilities = {"detail", "reference", "sample"}
        if model.merge is not None:
            abilities.add("guide")
        if model.damage_finder is not None:
            abilities.add("find_damage")
        self.can = frozenset(abilities)
        image = tf.TensorSpec([1, None, None, 3], tf.float32)
        mask = tf.TensorSpec([1, None, None, 1], tf.float32)
        number = tf.TensorSpec([], tf.float32)
        seed = tf.TensorSpec([2], tf.int32)
        window = [image, mask, number]
        # seeded or not, with a reference or without
        self._graphs = {
            (False, False): tf.function(
                lambda i, m, d: model.repair(i, m, detail=d), input_signature=window
            ),
            (False, True): tf.function(
                lambda i, m, d, r: model.repair(i, m, detail=d, reference=r),
                input_signature=[*window, image],
            ),
            (True, False): tf.function(
                lambda i, m, d, s, t: model.sample(i, m, s, t, detail=d),
                input_signature=[*window, seed, number],
            ),
            (True, True): tf.function(
                lambda i, m, d, s, t, r: model.sample(i, m, s, t, detail=d, reference=r),
                input_signature=[*window, seed, number, image],
            ),
        }
        self._refine = {
            False: tf.function(
                lambda i, m, d, g: model.refine(i, m, g, detail=d), input_signature=[*window, image]
            ),
            True: tf.function(
                lambda i, m, d, g, r: model.refine(i, m, g, detail=d, reference=r),
                input_signature=[*window, image, image],
            ),
        }
        self._find = tf.function(model.find_damage, input_signature=[image])

    def __str__(self) -> str:
        return f"{type(self.model).__name__} in TensorFlow"

    def fill(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        conditions: Conditions,
        guide: np.ndarray | None = None,
    ) -> Filled:
        seeded = "sample" in conditions.abilities and guide is None
        inputs: list[Any] = [
            image[np.newaxis],
            hole[np.newaxis, ..., np.newaxis].astype(np.float32),
            np.float32(conditions.detail),
        ]
        if guide is not None:
            inputs.append(guide[np.newaxis])
        if seeded:
            inputs += [seed_pair(conditions.seed or 0), np.float32(conditions.temperature)]
        if conditions.reference:
            inputs.append(_side_by_side(conditions.reference)[np.newaxis])
        if guide is not None:
            refined = self._refine[bool(conditions.reference)](*inputs)
            return Filled(refined[0].numpy(), np.zeros(hole.shape, np.float32))
        found = self._graphs[seeded, bool(conditions.reference)](*inputs)
        if seeded:
            return Filled(found[0].numpy(), np.zeros(hole.shape, np.float32))
        repaired, uncertainty = found
        return Filled(repaired[0].numpy(), uncertainty[0, ..., 0].numpy())

    def find_damage(self, image: np.ndarray) -> np.ndarray:
        probability: np.ndarray = self._find(image[np.newaxis])[0][0, ..., 0].numpy()
        return probability


def _side_by_side(photos: tuple[np.ndarray, ...]) -> np.ndarray:
    """One photo of all, each shrunk to WIDEST_SIDE at most."""
    shrunk = [_shrunk(photo) for photo in photos]
    height = max(photo.shape[0] for photo in shrunk)
    level = [np.pad(p, ((0, height - p.shape[0]), (0, 0), (0, 0)), mode="edge") for p in shrunk]
    return np.concatenate(level, axis=1)


def _shrunk(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    factor = WIDEST_SIDE / max(height, width)
    if factor >= 1.0:
        return image
    size = (max(SMALLEST_SIDE, round(width * factor)), max(SMALLEST_SIDE, round(height * factor)))
    small: np.ndarray = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small
