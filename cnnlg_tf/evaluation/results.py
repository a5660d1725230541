"""What an evaluation holds: every score, and the pictures chosen to be shown."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnlg_tf.evaluation.cases import Case
from cnnlg_tf.evaluation.metrics import Gradients

OURS = "cnnlg"
"""The method name of the model that is measured; the others are peers."""

Ffd = dict[str, dict[str, tuple[float, ...]]]
"""Kind of mask -> method -> FFD at 1/4, 1/8 and 1/16; NaN where too few cells lie in holes."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One repair's. `known_exact`: no known pixel changed; `gradients`: the hole's, by depth."""

    psnr: float
    hole_psnr: float
    ssim: float
    lpips: float
    seconds: float
    known_exact: bool
    gradients: tuple[Gradients, ...]


@dataclass(frozen=True, kw_only=True)
class Row(Scores):
    """What one method scored on one case. `texture`: the photo's (`Case`)."""

    photo: str
    kind: str
    hole_ratio: float
    texture: float
    method: str


@dataclass(frozen=True)
class Shown:
    """A case that the pictures show, with every method's repair of it."""

    case: Case
    repairs: dict[str, npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class Evaluation:
    """All scores of one run.

    Attributes:
        settings: what was measured and how.
        titles: each method's name for readers, ours last.
        rows: one for each case and method.
        ffd: the distances that only many photos together have.
        skipped: photos that could not be used, with the reason.
        missing: peers that could not run, with the reason.
        shown: the cases chosen for pictures.
    """

    settings: dict[str, Any]
    titles: dict[str, str]
    rows: list[Row]
    ffd: Ffd
    skipped: dict[str, str]
    missing: dict[str, str]
    shown: list[Shown] = field(default_factory=list)
