"""What one variant scored with one seed, as it is stored in its folder and in sweep.json."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cnnlg_tf.evaluation.results import OURS, Evaluation
from cnnlg_tf.evaluation.summary import by_kind

PHOTO_METRICS = {"hole_psnr": 3, "psnr": 3, "ssim": 5, "lpips": 5}
"""Metrics that each photo has, with the digits that are stored: differences are paired over photos."""

NLL = "nll"
"""Minus the log likelihood of the hole's true pixels in nats a colour value, where it is measured."""


@dataclass(frozen=True)
class Outcome:
    """Results of one run.

    Attributes:
        labels: its label on each axis.
        seed: of the training.
        folder: its folder's name below the experiment's.
        scores: evaluation -> kind of mask, or `all` for their mean -> metric -> mean over photos.
        photos: evaluation -> kind of mask -> metric, or `hole_ratio` -> a value for each photo.
        training: figures of the training by name, such as the likelihood of validation photos.
        seconds: that training and measuring took.
        versions: of this package and of what it stands on.
        error: why the training failed; then there are no scores.
    """

    labels: dict[str, str]
    seed: int
    folder: str
    scores: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    photos: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    training: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    @property
    def name(self) -> str:
        return ", ".join(self.labels.values())

    def brief(self) -> str:
        """One line: PSNR and LPIPS of each evaluation, or the error."""
        if self.error is not None:
            return f"failed: {self.error}"
        each = (
            f"{name}: PSNR {kinds['all']['psnr']:.2f} dB, LPIPS {kinds['all']['lpips']:.4f}"
            for name, kinds in self.scores.items()
        )
        return "; ".join(each)


def kind_means(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Kind of mask -> metric -> mean, with the mean over the kinds as `all`."""
    found = by_kind(evaluation.rows, evaluation.ffd)
    means = {kind: methods[OURS] for kind, methods in found.items()}
    overall: dict[str, float] = {}
    for metric in next(iter(means.values())):
        values = [scores[metric] for scores in means.values() if metric in scores]
        overall[metric] = sum(values) / len(values)
    return {
        kind: {metric: round(value, 6) for metric, value in scores.items()}
        for kind, scores in {**means, "all": overall}.items()
    }


def photo_scores(evaluation: Evaluation) -> dict[str, dict[str, list[float]]]:
    """Kind of mask -> metric -> a value for each photo, in the photos' order."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in evaluation.rows:
        kind = found.setdefault(row.kind, {})
        kind.setdefault("hole_ratio", []).append(round(row.hole_ratio, 4))
        for metric, digits in PHOTO_METRICS.items():
            kind.setdefault(metric, []).append(round(getattr(row, metric), digits))
    return found


def add_likelihood(
    scores: dict[str, dict[str, float]],
    photos: dict[str, dict[str, list[float]]],
    found: Iterable[tuple[str, float]],
) -> None:
    """Add kinds of mask with the NLL of their cases, in the photos' order, to `kind_means` and `photo_scores`."""
    for kind, value in found:
        photos[kind].setdefault(NLL, []).append(round(value, 4))
    means = {kind: sum(each[NLL]) / len(each[NLL]) for kind, each in photos.items()}
    for kind, mean in {**means, "all": sum(means.values()) / len(means)}.items():
        scores[kind][NLL] = round(mean, 6)


def as_outcome(tree: dict[str, Any]) -> Outcome:
    """From plain values, as JSON gives them."""
    return Outcome(**tree)
