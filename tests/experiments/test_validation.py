"""The validation loss of an untrained model, whose pixel distribution is known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnlg_tf.config import ModelConfig
from cnnlg_tf.evaluation.cases import Case, CaseSet
from cnnlg_tf.experiments.validation import GRADIENT, NLL, hole_likelihood, validate
from cnnlg_tf.models.cnnlg import CNNLG
from cnnlg_tf.models.fill import membrane_fill


def _expected_nll(case: Case) -> float:
    """Logistic bins of scale exp(-3) about the smooth fill: what an untrained head gives."""
    x = case.image / 127.5 - 1
    mask = case.mask[None, ..., None].astype(np.float32)
    filled = np.asarray(membrane_fill(x[None].astype(np.float32), mask))[0]
    above, below = ((x - filled + bin_) / np.exp(-3) for bin_ in (1 / 255, -1 / 255))
    mass = 1 / (1 + np.exp(-above)) - 1 / (1 + np.exp(-below))
    return float(-np.log(mass[case.mask]).mean())


@pytest.mark.parametrize("latent_guide", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_untrained_model(
    tiny_model_config: ModelConfig, photo_folder: Callable[..., Path], latent_guide: bool
) -> None:
    parts = {"latent_guide": latent_guide, "merge": False, "damage_finder": False}
    sections = {
        name: getattr(tiny_model_config, name).model_copy(update={"enabled": enabled})
        for name, enabled in parts.items()
    }
    model = CNNLG(tiny_model_config.model_copy(update=sections))
    root = photo_folder(count=2)
    cases = list(CaseSet(root, ("box", "thin"), 32))
    found = validate(model, cases)
    assert found[NLL] == pytest.approx(np.mean([_expected_nll(case) for case in cases]), rel=0.02)
    assert found[GRADIENT] > 0
    assert validate(model, cases) == pytest.approx(found, rel=1e-4)
    nll_of = hole_likelihood(model)
    for case in [*cases, *CaseSet(root, ("thin",), 48, limit=1)]:  # another size, too
        assert nll_of(case) == pytest.approx(_expected_nll(case), rel=0.02)
