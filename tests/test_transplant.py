"""A part of one checkpoint in another: its weights and its sections of the configuration, and nothing else."""

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from cnnlg_tf.checkpoint import CONFIG, WEIGHTS, load, save_checkpoint
from cnnlg_tf.config import (
    DamageFinderConfig,
    GradientGuideConfig,
    LatentGuideConfig,
    MaskRefinerConfig,
)
from cnnlg_tf.config_files import dump_config, parse_config
from cnnlg_tf.errors import CheckpointError
from cnnlg_tf.integrity import damage
from cnnlg_tf.publish import publish
from cnnlg_tf.transplant import FINDER, MERGE, transplant

Made = tuple[Path, Any]  # a checkpoint's folder and its model


def _make(folder: Path, model_config: Any, seed: int, merging: bool = False) -> Made:
    from cnnlg_tf.models.cnnlg import CNNLG

    merge = model_config.merge.model_copy(update={"enabled": merging})
    model_config = model_config.model_copy(update={"merge": merge})
    config = parse_config(
        {
            "data": {"kind": "synthetic"},
            "train": {"phases": [{"name": "damage", "kind": "damage", "steps": 1}]},
            "model": model_config.model_dump(mode="json"),
        }
    )
    model, rng = CNNLG(model_config), np.random.default_rng(seed)
    for variable in model.network_weights:
        value = rng.normal(0.0, 0.1, variable.shape)
        variable.assign(0.5 + abs(value) if "variance" in variable.path else value)
    about = {"phase": "damage", "phase_step": 1, "step": 1}
    return save_checkpoint(folder, model, dump_config(config), about), model


@pytest.fixture(scope="module")
def base(tiny_model_config: Any, tmp_path_factory: Any) -> Made:
    return _make(tmp_path_factory.mktemp("runs") / "base", tiny_model_config, 0)


@pytest.fixture(scope="module")
def finder(tiny_model_config: Any, tmp_path_factory: Any) -> Made:
    other = {
        "damage_finder": DamageFinderConfig(widths=(4, 8, 8, 4)),
        "mask_refiner": MaskRefinerConfig(kind="maxent", iterations=3),
        "latent_guide": LatentGuideConfig(enabled=False),
        "gradient_guide": GradientGuideConfig(enabled=False),
    }
    changed = tiny_model_config.model_copy(update=other)
    return _make(tmp_path_factory.mktemp("runs") / "finder", changed, 1)


def _same(a: Any, b: Any, tolerance: float) -> bool:
    pairs = zip(a.variables, b.variables, strict=True)
    return all(np.allclose(x, y, atol=tolerance) for x, y in pairs)


def test_the_finder_comes_and_all_else_stays(base: Made, finder: Made, tmp_path: Path) -> None:
    joined = load(transplant(base[0], finder[0], tmp_path / "joined", FINDER, shift=1.5))
    for part in ("prior", "latent_guide", "gradient_guide"):
        assert _same(getattr(joined, part), getattr(base[1], part), 0.0)
    assert joined.config.damage_finder.widths == (4, 8, 8, 4)
    assert joined.config.mask_refiner.kind == "maxent"
    image = np.random.default_rng(0).uniform(-1, 1, (1, 32, 48, 3)).astype(np.float32)
    shifted = np.asarray(finder[1].damage_finder(image)) - 1.5
    np.testing.assert_allclose(joined.damage_finder(image), shifted, atol=1e-4)


def test_a_published_model_stays_float16_and_may_be_replaced_itself(
    base: Made, finder: Made, tmp_path: Path
) -> None:
    published = publish(base[0], tmp_path / "published")
    transplant(published, finder[0], published, FINDER)
    with h5py.File(published / WEIGHTS) as file, h5py.File(finder[0] / WEIGHTS) as other:
        ours, theirs = (each["damage_finder/head/vars/0"] for each in (file, other))
        assert ours.dtype == np.float16
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
        assert "latent_guide" in file and "latent_guide" not in other
    assert damage(published, (WEIGHTS, CONFIG)) is None


def test_the_merge_comes_with_its_passes(
    base: Made, tiny_model_config: Any, tmp_path: Path
) -> None:
    passes = tiny_model_config.merge.model_copy(update={"passes": (3, 2, 1, 1)})
    changed = tiny_model_config.model_copy(update={"merge": passes})
    folder, donor = _make(tmp_path / "donor", changed, 2, merging=True)
    joined = load(transplant(base[0], folder, tmp_path / "joined", MERGE))
    assert joined.config.merge.enabled and joined.config.merge.passes == (3, 2, 1, 1)
    assert _same(joined.merge, donor.merge, 0.0)
    for part in ("prior", "latent_guide", "gradient_guide", "damage_finder"):
        assert _same(getattr(joined, part), getattr(base[1], part), 0.0)
    with pytest.raises(CheckpointError, match="must hold a merge"):
        transplant(folder, base[0], tmp_path / "none", MERGE)


def test_what_is_no_model_with_a_finder_is_told(base: Made, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(base[0], other)
    with h5py.File(other / WEIGHTS, "a") as file:
        del file["damage_finder"]
    with pytest.raises(CheckpointError, match=r"must hold a damage_finder. Received: \['grad"):
        transplant(base[0], other, tmp_path / "joined", FINDER)
    with pytest.raises(CheckpointError, match="a model must be a checkpoint folder"):
        transplant(base[0], tmp_path / "none", tmp_path / "joined", FINDER)
    tree = yaml.safe_load((other / CONFIG).read_text())
    del tree["model"]
    (other / CONFIG).write_text(yaml.safe_dump(tree))
    with pytest.raises(CheckpointError, match="must each hold a model's configuration"):
        transplant(base[0], other, tmp_path / "joined", FINDER)
    assert not (tmp_path / "joined").exists()
