"""A server as a Network: windows travel as floats, one request each."""

import numpy as np

from cnnlg_tf.inference.network import WIDEST_SIDE, Conditions, Filled
from cnnlg_tf.serving.client.blocking import Client

_SAMPLE, _FIND_DAMAGE = "sample", "find_damage"


class ServerNetwork:
    """What a client's server serves. Raises ServingError when a request fails."""

    widest = WIDEST_SIDE

    def __init__(self, client: Client) -> None:
        self._client = client
        served = client.metadata().signatures
        self.can = frozenset({_SAMPLE, _FIND_DAMAGE}.intersection(served))

    def __str__(self) -> str:
        return "a server"

    def fill(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        conditions: Conditions,
        guide: np.ndarray | None = None,
    ) -> Filled:
        if _SAMPLE in conditions.abilities:
            seed, temperature = conditions.seed or 0, conditions.temperature
            drawn = self._client.sample(image, hole, seed, temperature)
            return Filled(drawn, np.zeros(hole.shape, np.float32))
        repair = self._client.repair(image, hole)
        return Filled(repair.repaired, repair.uncertainty[..., 0])

    def find_damage(self, image: np.ndarray) -> np.ndarray:
        return self._client.find_damage(image).mask_probability[..., 0]
