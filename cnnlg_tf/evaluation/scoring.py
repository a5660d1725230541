"""Scores one repair on every measure, and adds up what FFD needs over many."""

from dataclasses import dataclass
from operator import add

import numpy as np
import numpy.typing as npt

from cnnlg_tf.evaluation import metrics
from cnnlg_tf.evaluation.cases import Case
from cnnlg_tf.evaluation.ffd import Moments, PhotoFeatures, frechet_distance, hole_moments
from cnnlg_tf.evaluation.lpips import Lpips
from cnnlg_tf.evaluation.results import Ffd, Row, Scores

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Scored:
    """A repair [height, width, 3] with its scores, and its moments at each scale of FFD."""

    repaired: Pixels
    scores: Scores
    moments: list[Moments]


class Scorer:
    """Holds the networks that measure."""

    def __init__(self) -> None:
        self._lpips = Lpips()
        self._features = PhotoFeatures()

    def score(self, case: Case, repaired: Pixels, seconds: float) -> Scored:
        """Every measure of one 8-bit repair that took so many seconds."""
        image, reference = repaired / 255.0, case.image / 255.0
        scores = Scores(
            psnr=metrics.psnr(image, reference),
            hole_psnr=metrics.hole_psnr(image, reference, case.mask),
            ssim=metrics.ssim(image, reference),
            lpips=float(self._lpips(image[None], reference[None])[0]),
            seconds=seconds,
            known_exact=bool(np.array_equal(repaired[~case.mask], case.image[~case.mask])),
            gradients=metrics.hole_gradients(image, reference, case.mask),
        )
        return Scored(repaired, scores, hole_moments(self._features, image, case.mask))

    def true_moments(self, case: Case) -> list[Moments]:
        """The moments of the photo itself where the case's hole is."""
        return hole_moments(self._features, case.image / 255.0, case.mask)


def row_of(case: Case, method: str, scored: Scored) -> Row:
    """What one method scored on one case."""
    return Row(
        photo=case.photo,
        kind=case.kind,
        hole_ratio=case.hole_ratio,
        texture=case.texture,
        method=method,
        **vars(scored.scores),
    )


class FfdTotals:
    """The moments of all photos so far, by kind of mask and method."""

    def __init__(self) -> None:
        self._true: dict[str, list[Moments]] = {}
        self._repaired: dict[str, dict[str, list[Moments]]] = {}

    def add_true(self, kind: str, moments: list[Moments]) -> None:
        """Add a true photo's."""
        self._true[kind] = _joined(self._true.get(kind), moments)

    def add(self, kind: str, method: str, moments: list[Moments]) -> None:
        """Add a repair's."""
        methods = self._repaired.setdefault(kind, {})
        methods[method] = _joined(methods.get(method), moments)

    def distances(self) -> Ffd:
        """FFD of each method on each kind."""
        return {
            kind: {
                method: tuple(map(frechet_distance, repaired, self._true[kind]))
                for method, repaired in methods.items()
            }
            for kind, methods in self._repaired.items()
        }


def _joined(before: list[Moments] | None, more: list[Moments]) -> list[Moments]:
    return more if before is None else list(map(add, before, more))
