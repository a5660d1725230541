"""Stand-ins for a network, so that the work around it is tested exactly and quickly."""

import numpy as np

from cnnlg_tf.inference.network import Conditions, Filled


class MeanFill:
    """Fills a hole with the mean of what is known, and tells which windows it saw.

    A reference lends its mean, a sketch shows, a seed gives noise, damage is what is white; a guide comes back with
    every second pixel brighter. Images must be what the contract says: finite, in [0, 1].
    """

    def __init__(self, can: frozenset[str] | None = None, widest: int = 512) -> None:
        self.seen: list[tuple[int, int]] = []
        self.refined: list[tuple[int, int]] = []
        self.conditions: list[Conditions] = []
        everything = frozenset({"detail", "reference", "sample", "sketch", "guide", "find_damage"})
        self.can = everything if can is None else can
        self.widest = self.widest_guided = widest

    def __str__(self) -> str:
        return "a stand-in"

    def fill(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        conditions: Conditions,
        guide: np.ndarray | None = None,
    ) -> Filled:
        _check(image, self.widest)
        assert hole.dtype == bool and hole.shape == image.shape[:2]
        assert conditions.abilities <= self.can
        if guide is not None:
            return self._refine(image, hole, guide)
        self.seen.append(hole.shape)
        self.conditions.append(conditions)
        spread = np.float32(0.25) * hole
        if conditions.seed is not None:
            noise = np.random.default_rng(conditions.seed).random(image.shape, np.float32)
            return Filled(np.where(hole[..., None], noise, image), spread)
        known = image[~hole].reshape(-1, 3)
        mean = known.mean(axis=0) if len(known) else np.full(3, 0.5, np.float32)
        for reference in conditions.reference:
            mean = reference.mean(axis=(0, 1))
        mean = mean * np.float32(min(conditions.detail, 1.0))
        filled = np.where(hole[..., None], mean, image).astype(np.float32)
        if conditions.sketch is not None:
            colours, drawn = conditions.sketch
            assert colours.shape == image.shape and drawn.shape == hole.shape and drawn.any()
            filled = np.where((drawn & hole)[..., None], colours, filled)
        return Filled(filled, spread)

    def _refine(self, image: np.ndarray, hole: np.ndarray, guide: np.ndarray) -> Filled:
        _check(guide, self.widest)
        assert guide.shape == image.shape
        self.refined.append(hole.shape)
        pattern = np.float32(0.1) * (np.indices(hole.shape).sum(axis=0) % 2)
        bright = np.clip(guide + pattern[..., None], 0.0, 1.0).astype(np.float32)
        return Filled(np.where(hole[..., None], bright, image), np.zeros(hole.shape, np.float32))

    def find_damage(self, image: np.ndarray) -> np.ndarray:
        _check(image, self.widest)
        found: np.ndarray = (image.min(axis=-1) > 0.99).astype(np.float32)
        return found


def _check(image: np.ndarray, widest: int) -> None:
    assert image.dtype == np.float32 and image.ndim == 3 and image.shape[-1] == 3
    assert 16 <= min(image.shape[:2]) and max(image.shape[:2]) <= widest
    assert image.min() >= 0.0 and image.max() <= 1.0
