"""The finder of one checkpoint in another: its weights and its parts of the configuration, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cnnlg_tf.checkpoint import CONFIG, load, publish, save_checkpoint
from cnnlg_tf.config import Config, DamageFinderConfig, MaskRefinerConfig, dump_config, parse_config
from cnnlg_tf.errors import CheckpointError
from cnnlg_tf.transplant import transplant_finder


@pytest.fixture(scope="module")
def make_checkpoint(tiny_model_config: Any, tmp_path_factory: Any) -> Any:
    """make_checkpoint(name, seed, model changes) -> (checkpoint folder, its model)."""

    def make(name: str, seed: int, **changes: Any) -> tuple[Path, Any]:
        from cnnlg_tf.models.cnnlg import CNNLG

        model_config = tiny_model_config.model_copy(update=changes)
        phase = {"name": "damage", "kind": "damage", "steps": 1}
        config: Config = parse_config(
            {
                "data": {"kind": "synthetic"},
                "train": {"phases": [phase]},
                "model": model_config.model_dump(mode="json"),
            }
        )
        model, rng = CNNLG(model_config), np.random.default_rng(seed)
        for variable in model.network_weights:
            variable.assign(rng.normal(0, 0.1, variable.shape))
        folder = tmp_path_factory.mktemp("runs") / name
        about = {"phase": "damage", "phase_step": 1, "step": 1}
        return save_checkpoint(folder, model, dump_config(config), about), model

    return make


def same(a: Any, b: Any, tolerance: float = 0.0) -> bool:
    return all(
        np.allclose(x, y, atol=tolerance) for x, y in zip(a.variables, b.variables, strict=True)
    )


def test_the_finder_comes_and_all_else_stays(make_checkpoint: Any, tmp_path: Path) -> None:
    wider = {
        "damage_finder": DamageFinderConfig(widths=(4, 8, 8, 4)),
        "mask_refiner": MaskRefinerConfig(kind="maxent", iterations=3),
    }
    base, model = make_checkpoint("base", 0)
    finder, other = make_checkpoint("finder", 1, **wider)
    joined = load(transplant_finder(base, finder, tmp_path / "joined", shift=1.5))
    assert same(joined.prior, model.prior) and same(joined.latent_guide, model.latent_guide)
    assert joined.config.damage_finder.widths == (4, 8, 8, 4)
    assert joined.config.mask_refiner.kind == "maxent"
    image = np.random.default_rng(0).uniform(-1, 1, (1, 32, 48, 3)).astype(np.float32)
    shifted = np.asarray(other.damage_finder(image)) - 1.5
    np.testing.assert_allclose(joined.damage_finder(image), shifted, atol=1e-5)


def test_a_published_model_stays_float16_and_may_be_replaced_itself(
    make_checkpoint: Any, tmp_path: Path
) -> None:
    base, model = make_checkpoint("base", 0)
    finder, other = make_checkpoint("finder", 1)
    published = publish(base, tmp_path / "published")
    size = (published / "model.weights.h5").stat().st_size
    transplant_finder(published, finder, published)
    joined = load(published)
    assert same(joined.damage_finder, other.damage_finder, 1e-3)
    assert same(joined.prior, model.prior, 1e-3)
    assert (published / "model.weights.h5").stat().st_size < 1.05 * size


def test_what_is_no_model_with_a_finder_is_told(make_checkpoint: Any, tmp_path: Path) -> None:
    base, _ = make_checkpoint("base", 0)
    without, _ = make_checkpoint("without", 1, damage_finder=DamageFinderConfig(enabled=False))
    with pytest.raises(CheckpointError, match=r"must hold a damage_finder. Received: \['grad"):
        transplant_finder(base, without, tmp_path / "joined")
    with pytest.raises(CheckpointError, match="a model must be a checkpoint folder"):
        transplant_finder(base, tmp_path / "none", tmp_path / "joined")
    tree = yaml.safe_load((base / CONFIG).read_text())
    del tree["model"]
    (base / CONFIG).write_text(yaml.safe_dump(tree))
    with pytest.raises(CheckpointError, match="must each hold a model's configuration"):
        transplant_finder(base, base, tmp_path / "joined")
    assert not (tmp_path / "joined").exists()
