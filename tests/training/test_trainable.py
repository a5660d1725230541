"""One step of each kind: every ablation, loss, penalty and precision."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnlg_tf
from cnnlg_tf.config import ModelConfig, PhaseConfig
from cnnlg_tf.config_files import load_config, parse_config
from cnnlg_tf.errors import ConfigError, TrainingError
from cnnlg_tf.models.cnnlg import CNNLG
from cnnlg_tf.training.run import train
from cnnlg_tf.training.trainable import TrainableCNNLG
from tests.conftest import write_checkpoint

pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config.*run_functions_eagerly"),
]

SYNTHETIC = {
    "data": {"kind": "synthetic", "synthetic": {"length": 8, "size": 96}},
    "train": {"phases": [{"name": "p", "kind": "prediction", "steps": 1}]},
}
CRITICS = ("perceptual", "unit_perceptual", "style", "adversarial", "feature_matching")


def with_parts(model: ModelConfig, latent: bool, gradient: bool) -> ModelConfig:
    switched = {
        "latent_guide": model.latent_guide.model_copy(update={"enabled": latent}),
        "gradient_guide": model.gradient_guide.model_copy(update={"enabled": gradient}),
    }
    return model.model_copy(update=switched)


def step_once(config: Any, run: Path) -> dict[str, float]:
    """Train, and return the last line of the metrics."""
    train(config, run, quiet=True)
    return dict(json.loads((run / "metrics.jsonl").read_text().splitlines()[-1]))


@pytest.mark.parametrize(
    ("latent", "gradient"),
    [
        (False, True),
        pytest.param(False, False, marks=pytest.mark.slow),
        pytest.param(True, False, marks=pytest.mark.slow),
    ],
)
def test_ablations_train_from_configuration_alone(
    make_config: Any, plain_model_config: ModelConfig, tmp_path: Path, latent: bool, gradient: bool
) -> None:
    config = make_config({"steps": 1}, model=with_parts(plain_model_config, latent, gradient))
    line = step_once(config, tmp_path / "run")
    assert np.isfinite(line["loss"]) and ("kl" in line) is latent
    model = cnnlg_tf.load(tmp_path / "run")
    assert (model.latent_guide is not None, model.gradient_guide is not None) == (latent, gradient)


def test_everything_at_once_trains(
    make_config: Any, tiny_model_config: ModelConfig, vgg_file: Path, tmp_path: Path
) -> None:
    """All parts, all losses, the critics and weight uniformity, two steps."""
    losses = dict.fromkeys(CRITICS, 0.1)
    config = make_config(
        {
            "steps": 2,
            "critic_crop": 32,
            "sketch_share": 0.5,
            "losses": losses,
            "penalty": {"kind": "weight_uniformity"},
            "discriminator": {"width": 4},
        },
        model=tiny_model_config,
        vgg_weights=str(vgg_file),
    )
    line = step_once(config, tmp_path / "run")
    for name in (*losses, "discriminator", "nll", "kl", "gradient", "coarse_l1"):
        assert np.isfinite(line[name]), name
    assert line["penalty"] > 0
    kept = np.load(next((tmp_path / "run").glob("checkpoint-*/training_state.npz")))
    model = cnnlg_tf.load(tmp_path / "run")
    trained = [v for v in model.variables if not v.path.startswith("damage_finder")]
    assert len(kept.files) > 2 * len(trained)


def test_a_damage_phase_trains_the_finder_and_nothing_else(
    make_config: Any,
    plain_model_config: ModelConfig,
    tiny_model_config: ModelConfig,
    tmp_path: Path,
) -> None:
    finder = {"damage_finder": tiny_model_config.damage_finder}
    before = CNNLG(plain_model_config.model_copy(update=finder))
    start = write_checkpoint(tmp_path / "run" / "checkpoint-00000001", before)
    optimizer = {"learning_rate": 1e-2, "warmup_steps": 0, "ema": 0.5}
    config = make_config(
        {"name": "damage", "kind": "damage", "steps": 3, "optimizer": optimizer},
        model=before.config,
        initial_weights=str(start),
    )
    train(config, tmp_path / "damage", quiet=True)
    after = cnnlg_tf.load(tmp_path / "damage")
    assert before.damage_finder is not None and after.damage_finder is not None
    for old, new in zip(
        before.damage_finder.trainable_variables,
        after.damage_finder.trainable_variables,
        strict=True,
    ):
        assert np.any(old != new), old.path
        # its encoder, which comes trained, by a tenth of the rate a step
        far = float(np.max(np.abs(np.subtract(old, new))))
        assert far < 4e-3 or "/encoder/" not in old.path, old.path
    for old, new in zip(before.prior.variables, after.prior.variables, strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_damage_phase_needs_the_finder(make_config: Any) -> None:
    with pytest.raises(ConfigError, match="damage needs model.damage_finder.enabled true"):
        make_config({"kind": "damage"})


def test_a_merge_phase_trains_the_networks_and_the_merge(
    make_config: Any, tiny_model_config: ModelConfig, tmp_path: Path
) -> None:
    """Heads start at zero: both learn from pixels here, and the finder does not move."""
    phase = {"kind": "merge", "steps": 3, "crop": 64, "batch_size": 2, "sketch_share": 0.5}
    phase["name"] = "merge"
    data = {"kind": "synthetic", "synthetic": {"length": 8, "size": 96}}
    config = make_config(phase, model=tiny_model_config, data=data)
    line = step_once(config, tmp_path / "run")
    assert np.isfinite(line["log_mse"]) and np.isfinite(line["gradient"])
    after = cnnlg_tf.load(tmp_path / "run")
    assert after.merge.head.kernel.numpy().any()
    assert after.prior.decoder.coarse_head.kernel.numpy().any()
    assert not after.damage_finder.head.kernel.numpy().any()


def test_a_merge_phase_needs_the_merge_and_a_crop_that_halves(
    make_config: Any, plain_model_config: ModelConfig
) -> None:
    with pytest.raises(ConfigError, match="merge needs model.merge.enabled true"):
        make_config({"kind": "merge"}, model=plain_model_config)
    with pytest.raises(ConfigError, match="kind merge must be a multiple of 32; received 48"):
        make_config({"kind": "merge", "crop": 48}, model=plain_model_config)


def test_sketches_are_for_phases_that_repair(make_config: Any) -> None:
    with pytest.raises(ConfigError, match="prediction or merge; received kind generation"):
        make_config({"kind": "generation", "sketch_share": 0.5})


@pytest.mark.parametrize(
    "method", [pytest.param("exact", marks=pytest.mark.slow), "finite_difference"]
)
def test_a_gradient_penalty_acts_after_the_warm_up_on_every_kth_step(
    make_config: Any, plain_model_config: ModelConfig, tmp_path: Path, method: str
) -> None:
    """Steps 0 and 1 warm up, 2 is no multiple of 3, 3 is penalised: losses part after the fourth."""
    unguided = {
        name: getattr(plain_model_config, name).model_copy(update={"enabled": False})
        for name in ("latent_guide", "gradient_guide")
    }
    small = plain_model_config.model_copy(update=unguided)
    phase = {"steps": 5, "optimizer": {"warmup_steps": 2, "name": "sgd", "learning_rate": 0.05}}
    penalty = {"kind": "gradient_penalty", "weight": 0.5, "every": 3, "method": method}
    losses = []
    for name, changes in (("plain", {}), ("penalised", {"penalty": penalty})):
        run = tmp_path / name
        train(make_config({**phase, **changes}, model=small), run, quiet=True)
        text = (run / "metrics.jsonl").read_text()
        losses.append([float(part.split(",")[0]) for part in text.split('"loss": ')[1:]])
    np.testing.assert_allclose(losses[0][:4], losses[1][:4], rtol=1e-4)
    assert abs(losses[0][4] - losses[1][4]) > 1e-5


@pytest.mark.parametrize(
    ("precision", "kind"),
    [
        ("mixed_float16", "merge"),
        pytest.param("mixed_float16", "prediction", marks=pytest.mark.slow),
        pytest.param("mixed_bfloat16", "merge", marks=pytest.mark.slow),
        pytest.param("mixed_bfloat16", "prediction", marks=pytest.mark.slow),
    ],
)
def test_every_loss_in_mixed_precision(
    make_config: Any,
    tiny_model_config: ModelConfig,
    vgg_file: Path,
    tmp_path: Path,
    precision: str,
    kind: str,
) -> None:
    losses = dict.fromkeys(CRITICS, 0.1)
    phase = {"kind": kind, "steps": 2, "critic_crop": 32, "losses": losses, "batch_size": 2}
    config = make_config(
        phase | {"discriminator": {"width": 4}},
        model=tiny_model_config,
        mixed_precision=precision,
        vgg_weights=str(vgg_file),
    )
    line = step_once(config, tmp_path / "run")
    assert line["step"] == 2
    assert all(np.isfinite(line[name]) for name in ("loss", "discriminator", *CRITICS))
    assert all(str(v.dtype) == "float32" for v in cnnlg_tf.load(tmp_path / "run").variables)


@pytest.mark.slow
def test_the_whole_step_compiles_with_xla(make_config: Any, tmp_path: Path) -> None:
    lines = [
        step_once(make_config({"steps": 2}, compile=compile_), tmp_path / compile_)
        for compile_ in ("none", "xla")
    ]
    assert lines[0]["l1"] == pytest.approx(lines[1]["l1"], rel=0.02)


def test_a_phase_must_have_begun(plain_model_config: ModelConfig) -> None:
    model = TrainableCNNLG(plain_model_config)
    with pytest.raises(TrainingError, match="begin_phase must be called before training"):
        model._phase()
    model.phase = PhaseConfig(name="p", kind="prediction", steps=1)
    with pytest.raises(TrainingError, match="needs a discriminator; begin_phase received none"):
        model._train_discriminator(None, None, model.phase)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_recipe_for_gpus_runs_from_its_first_phase_to_its_last(
    vgg_file: Path, tmp_path: Path, precision: Any
) -> None:
    """As wide as it is, on crops and batches that a CPU can take."""
    config = load_config("gpu", ["data.root=photos", f"train.vgg_weights={vgg_file}"])
    little = {"steps": 1, "crop": 64, "batch_size": 2, "critic_crop": 32}
    phases = [phase.model_copy(update=little) for phase in config.train.phases]
    assert [phase.kind for phase in phases] == ["generation", "prediction", "prediction", "merge"]
    train_config = {"phases": phases, "mixed_precision": precision, "log_every": 1}
    config = config.model_copy(
        update={
            "data": parse_config(SYNTHETIC).data,
            "train": config.train.model_copy(update=train_config),
        }
    )
    train(config, tmp_path / "run", quiet=True)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    logged = [json.loads(line) for line in lines]
    assert [line["phase"] for line in logged] == [phase.name for phase in phases]
    for line in logged:
        assert all(np.isfinite(value) for key, value in line.items() if key != "phase")
    assert "adversarial" in logged[-1]
