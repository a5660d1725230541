"""Parity: an export must give the pixels that the Keras model gives. Bars, and the check that ends every export."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export.cases import Case
from cnnlg_tf.export.loaded import Loaded
from cnnlg_tf.export.signatures import SIGNATURES

NEAR = 1e-3
"""A value is near the model's when it differs by no more, in units of full scale."""
MIN_NEAR = {"fp32": 0.99}
"""Least share of the hole's values that are near: of two textures that fit alike a runtime may take the other."""
MIN_PSNR = {"fp32": 38.0, "fp16": 38.0, "int8": 32.0}
"""Least PSNR against the Keras model over the hole's pixels, in dB."""


@dataclass(frozen=True)
class Difference:
    """How far a signature's results lie from the model's, over all pixels of all cases.

    max_abs and mean_abs: of its first result, full scale = 1; hole_near: share of the hole's values within NEAR;
    hole_psnr: dB over the hole's pixels (all pixels where there is no mask); uncertainty_max_abs: of `uncertainty`, 0
    where there is none; known_exact: known pixels came back bit for bit.
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


def compare(case: Case, received: dict[str, np.ndarray]) -> Difference:
    """Measure one batch. A NaN makes every figure NaN or infinitely bad, so that it meets no bar."""
    name = SIGNATURES[case.signature].result
    scale = 255.0 if received[name].dtype == np.uint8 else 1.0
    gap = np.abs(received[name].astype(np.float64) - case.expected[name]) / scale
    mask = case.inputs.get("mask")
    hole = np.broadcast_to(True if mask is None else mask > 0.5, gap.shape)
    known_exact = mask is None or np.array_equal(received[name][~hole], case.inputs["image"][~hole])
    error = float(np.mean(gap[hole] ** 2)) if hole.any() else 0.0
    uncertainty = [
        np.abs(received[key].astype(np.float64) - case.expected[key]).max()
        for key in case.expected
        if key == "uncertainty"
    ]
    return Difference(
        max_abs=float(gap.max()),
        mean_abs=float(gap.mean()),
        hole_near=float(np.mean(gap[hole] <= NEAR)) if hole.any() else 1.0,
        hole_psnr=psnr(error),
        uncertainty_max_abs=float(max(uncertainty, default=0.0)),
        known_exact=known_exact,
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
    cases: list[Case], loaded: Loaded, precision: str, *, allow_loss: bool = False
) -> dict[str, Any]:
    """Compare an export with its model, signature by signature; the figures for its manifest, by signature.

    Raises:
        ExportError: the bar of `precision` is missed and `allow_loss` is false.
    """
    figures = {}
    for name in dict.fromkeys(case.signature for case in cases):
        tried = [case for case in cases if case.signature == name]
        result = worst([compare(case, loaded[name](**case.inputs)) for case in tried])
        loss = result.loss(precision)
        if loss and not allow_loss:
            raise ExportError(f"{name} of the export does not give the model's pixels: {loss}")
        shapes = [list(case.inputs["image"].shape[:3]) for case in tried]
        figures[name] = {**asdict(result), "cases": shapes, "meets_bar": loss is None}
    return figures
