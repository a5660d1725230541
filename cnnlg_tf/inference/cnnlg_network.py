"""A CNNLG as a Network: the one module of inference that imports TensorFlow."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from cnnlg_tf.inference.network import (
    WIDEST_GUIDED,
    WIDEST_SIDE,
    Conditions,
    Filled,
    seed_pair,
)
from cnnlg_tf.inference.signature_network import side_by_side

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG


class CnnlgNetwork:
    """Runs a model in this process, with one graph for windows of every size: tracing takes longer
    than most repairs."""

    widest, widest_guided = WIDEST_SIDE, WIDEST_GUIDED

    def __init__(self, model: "CNNLG") -> None:
        self.model = model
        abilities = {"detail", "reference", "sample", "sketch"}
        if model.merge is not None:
            abilities.add("guide")
        if model.damage_finder is not None:
            abilities.add("find_damage")
        self.can = frozenset(abilities)
        image = tf.TensorSpec([1, None, None, 3], tf.float32)
        self._inputs = {
            "image": image,
            "mask": tf.TensorSpec([1, None, None, 1], tf.float32),
            "detail": tf.TensorSpec([], tf.float32),
            "guide": image,
            "seed": tf.TensorSpec([2], tf.int32),
            "temperature": tf.TensorSpec([], tf.float32),
            "reference": tf.TensorSpec([None, None, None, 3], tf.float32),  # or none
            "sketch": image,
            "sketch_mask": tf.TensorSpec([1, None, None, 1], tf.float32),
        }
        # by method and by which of the inputs are given
        self._graphs: dict[tuple[str, ...], Any] = {}
        self._find = tf.function(model.find_damage, input_signature=[image], autograph=False)

    def __str__(self) -> str:
        return f"{type(self.model).__name__} in TensorFlow"

    def fill(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        conditions: Conditions,
        guide: np.ndarray | None = None,
    ) -> Filled:
        method = "refine" if guide is not None else "paint"
        inputs: dict[str, Any] = {
            "image": image[np.newaxis],
            "mask": hole[np.newaxis, ..., np.newaxis].astype(np.float32),
            "detail": np.float32(conditions.detail),
        }
        if guide is not None:
            inputs["guide"] = guide[np.newaxis]
        elif "sample" in conditions.abilities:
            inputs["seed"] = seed_pair(conditions.seed or 0)
            inputs["temperature"] = np.float32(conditions.temperature)
        # with a guide always, an empty one costs nothing: a large photo's windows need one graph, not two
        if conditions.reference or guide is not None:
            inputs["reference"] = side_by_side(conditions.reference)
        if conditions.sketch is not None:
            colours, drawn = conditions.sketch
            inputs["sketch"] = colours[np.newaxis]
            inputs["sketch_mask"] = drawn[np.newaxis, ..., np.newaxis].astype(np.float32)
        found = self._graph(method, tuple(inputs))(*inputs.values())
        if method == "refine":
            return Filled(found[0].numpy(), np.zeros(hole.shape, np.float32))
        repaired, uncertainty = found
        return Filled(repaired[0].numpy(), uncertainty[0, ..., 0].numpy())

    def _graph(self, method: str, names: tuple[str, ...]) -> Any:
        """A method of the model with inputs of these names, in their order."""
        if (method, *names) not in self._graphs:
            # a partial: TensorFlow takes functions of one code for one, and warns that it is traced often
            named = partial(_call, getattr(self.model, method), names)
            signature = [self._inputs[name] for name in names]
            # without AutoGraph, which finds nothing to convert here and takes as long as the tracing
            self._graphs[method, *names] = tf.function(
                named, input_signature=signature, autograph=False
            )
        return self._graphs[method, *names]

    def find_damage(self, image: np.ndarray) -> np.ndarray:
        probability: np.ndarray = self._find(image[np.newaxis])[0][0, ..., 0].numpy()
        return probability


def _call(function: Callable[..., Any], names: tuple[str, ...], *values: tf.Tensor) -> Any:
    return function(**dict(zip(names, values, strict=True)))
