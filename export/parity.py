"""Parity: an export must give the pixels that the Keras model gives. Bars, and the check that ends every export."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export import cases

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

Runner = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

NEAR = 1e-3
"""A value is near the model's when it differs by no more, in units of full scale."""
MIN_NEAR = {"fp32": 0.99}
"""Least share of the hole's values that are near: of two textures that fit alike a runtime may take the other."""
MIN_PSNR = {"fp32": 38.0, "fp16": 38.0, "int8": 32.0}
"""Least PSNR against the Keras model over the hole's pixels, in dB."""


@dataclass(frozen=True)
class Difference:
    """How far an export's repairs lie from the model's, over all pixels of all cases.

    max_abs and mean_abs: of `repaired`, full scale = 1; hole_near: share of the hole's values within NEAR; hole_psnr:
    dB over the hole's pixels; uncertainty_max_abs: of `uncertainty`; known_exact: known pixels came back bit for bit.
    """

    max_abs: float
    mean_abs: float
    hole_near: float
    hole_psnr: float
    uncertainty_max_abs: float
    known_exact: bool

    def loss(self, precision: str) -> str | None:
        """What misses the bar of this precision, in words; None when nothing does."""
        if not self.known_exact:
            return "known pixels must come back bit for bit. Received: changed pixels"
        share = MIN_NEAR.get(precision)
        if share is not None and not self.hole_near >= share:
            return (
                f"{precision} must have {share:.0%} of the hole's values within {NEAR:g} of full scale. "
                f"Received: {self.hole_near:.1%}, the furthest {self.max_abs:.3g} away"
            )
        least = MIN_PSNR.get(precision)
        if least is not None and not self.hole_psnr >= least:
            return f"{precision} must reach {least:g} dB in the hole. Received: {self.hole_psnr:.1f} dB"
        return None


def compare(
    expected: tuple[np.ndarray, np.ndarray],
    received: tuple[np.ndarray, np.ndarray],
    image: np.ndarray,
    mask: np.ndarray,
) -> Difference:
    """Measure one batch. A NaN makes every figure NaN or infinitely bad, so that it meets no bar."""
    gap = np.abs(received[0].astype(np.float64) - expected[0])
    hole = np.broadcast_to(mask > 0.5, gap.shape)
    error = float(np.mean(gap[hole] ** 2)) if hole.any() else 0.0
    return Difference(
        max_abs=float(gap.max()),
        mean_abs=float(gap.mean()),
        hole_near=float(np.mean(gap[hole] <= NEAR)) if hole.any() else 1.0,
        hole_psnr=psnr(error),
        uncertainty_max_abs=float(np.abs(received[1].astype(np.float64) - expected[1]).max()),
        known_exact=bool(np.array_equal(received[0][~hole], image[~hole])),
    )


def psnr(mean_square_error: float) -> float:
    """Decibels below full scale; 200 stands for "the same to float64's eye"."""
    return 200.0 if mean_square_error == 0 else -10.0 * float(np.log10(mean_square_error))


def worst(differences: list[Difference]) -> Difference:
    """The worst figure of each kind (the mean of the means); NaN counts as worst."""
    return Difference(
        max_abs=float(np.max([d.max_abs for d in differences])),
        mean_abs=float(np.mean([d.mean_abs for d in differences])),
        hole_near=float(np.min([d.hole_near for d in differences])),
        hole_psnr=float(np.min([d.hole_psnr for d in differences])),
        uncertainty_max_abs=float(np.max([d.uncertainty_max_abs for d in differences])),
        known_exact=all(d.known_exact for d in differences),
    )


def check(
    model: "CNNLG",
    runner: Runner,
    precision: str,
    *,
    allow_loss: bool = False,
    shapes: tuple[tuple[int, int, int], ...] = ((1, 64, 80), (2, 112, 72)),
) -> dict[str, Any]:
    """Compare an export with its model on drawn photos of two sizes and two batch sizes; the figures for its manifest.

    Args:
        shapes: (batch, height, width) of each case; one is no multiple of 16.

    Raises:
        ExportError: the bar of `precision` is missed and `allow_loss` is false.
    """
    differences = []
    for seed, shape in enumerate(shapes):
        image, mask = cases.drawn_case(*shape, seed=seed)
        expected = tuple(x.numpy() for x in model.repair(image, mask))
        differences.append(compare((expected[0], expected[1]), runner(image, mask), image, mask))
    result = worst(differences)
    loss = result.loss(precision)
    if loss and not allow_loss:
        raise ExportError(f"the export does not give the model's pixels: {loss}")
    return {**asdict(result), "cases": [list(shape) for shape in shapes], "meets_bar": loss is None}
