"""Experiments: which variants a file makes, resuming, failures, and what is written."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image

import cnnlg_tf
from cnnlg_tf.cli import main
from cnnlg_tf.config import Config, ModelConfig
from cnnlg_tf.errors import ConfigError, MissingExtraError, TrainingError
from cnnlg_tf.evaluation import experiment_report, experiments, validation
from cnnlg_tf.evaluation.experiments import expand, load_experiment, run_experiment

CONFIGS = Path(__file__).parents[2] / "configs" / "experiments"

_BASE = """
data: {kind: synthetic}
train: {phases: [{name: prediction, kind: prediction, steps: 2, crop: 32, batch_size: 2}]}
"""


class _Flat:
    """Fills holes with one grey: a stand-in for what `train` leaves."""

    def __init__(self, grey: float) -> None:
        self.grey = grey

    def repair(self, image: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return image * (1 - mask) + self.grey * mask, mask


@pytest.fixture
def experiment(tmp_path: Path, photo_folder: Callable[..., Path]) -> Path:
    (tmp_path / "base.yaml").write_text(_BASE)
    path = tmp_path / "guides.yaml"
    path.write_text(
        f"""
base: base.yaml
axes:
  seed: {{one: [train.seed=1], two: [train.seed=2]}}
  guides: {{none at all: [model.latent_guide.enabled=false], both: []}}
evaluations:
  first: {{photos: {photo_folder(count=2)}, masks: [box], size: 32}}
  second: {{photos: {tmp_path / "photos"}, masks: [thin], size: 48, limit: 1}}
"""
    )
    return path


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Replaces training; the list grows by each run's folder. Seed 2 with both guides fails."""
    runs: list[Path] = []

    def train(config: Config, out_dir: Path) -> None:
        if config.train.seed == 2 and config.model.latent_guide.enabled:
            raise TrainingError("loss is nan at step 7")
        runs.append(out_dir)
        out_dir.mkdir(parents=True, exist_ok=True)
        lines = [{"phase": "prediction", "images_per_second": rate} for rate in (1, 8, 8, 9)]
        (out_dir / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))

    monkeypatch.setattr(experiments, "train", train)
    monkeypatch.setattr(experiments, "prepare_environment", lambda *configs: None)
    monkeypatch.setitem(vars(cnnlg_tf), "load", lambda path: _Flat(0.1 * len(runs)))
    monkeypatch.setattr(validation, "validate", lambda model, cases: {"NLL": 4.25 + model.grey})
    return runs


def test_trains_and_measures_for_real(
    tmp_path: Path, photo_folder: Callable[..., Path], tiny_model_config: ModelConfig
) -> None:
    tree = tiny_model_config.model_dump(mode="json")
    for part in ("latent_guide", "gradient_guide", "guided_copy"):  # fewer parts trace faster
        tree[part]["enabled"] = False
    model = json.dumps(tree)
    (tmp_path / "base.yaml").write_text(f"{_BASE}model: {model}\n")
    path = tmp_path / "seeds.yaml"
    path.write_text(
        f"""
base: base.yaml
overrides: [train.compile=none, train.log_every=1, train.picture_every=0]
axes: {{seed: {{zero: [train.seed=0]}}}}
evaluations: {{tiny: {{photos: {photo_folder(count=1)}, masks: [box], size: 32}}}}
"""
    )
    (outcome,) = run_experiment(path, tmp_path / "out")
    assert outcome.error is None
    assert outcome.scores["tiny"]["box"]["psnr"] > 5
    assert set(outcome.training) == {experiments.SECONDS, validation.NLL, validation.GRADIENT}
    assert all(value > 0 for value in outcome.training.values())


@pytest.mark.parametrize(
    ("name", "count"), [("ablation", 5), ("optimizers", 36), ("generalisation", 5), ("penalty", 6)]
)
def test_shipped_experiments_are_valid(name: str, count: int) -> None:
    variants = expand(load_experiment(CONFIGS / f"{name}.yaml"))
    assert len(variants) == count
    assert len({variant.config.model_dump_json() for variant in variants}) == count


def test_variants_are_all_combinations(experiment: Path) -> None:
    variants = expand(load_experiment(experiment, ["train.log_every=5"]))
    assert [variant.folder for variant in variants] == [
        "one_none-at-all",
        "one_both",
        "two_none-at-all",
        "two_both",
    ]
    assert [variant.config.train.seed for variant in variants] == [1, 1, 2, 2]
    assert not variants[0].config.model.latent_guide.enabled
    assert variants[0].config.train.log_every == 5


def test_run_writes_tables_plot_and_pictures(
    experiment: Path, trained: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    told: list[str] = []
    outcomes = run_experiment(experiment, out, tell=told.append)
    assert [path.parent.name for path in trained] == [
        "one_none-at-all",
        "one_both",
        "two_none-at-all",
    ]
    assert outcomes[3].error == "loss is nan at step 7"
    assert told[-1].strip() == "loss is nan at step 7"
    assert told[0] == "[1/4] one, none at all"

    results = json.loads((out / "results.json").read_text())
    assert set(results[0]["scores"]) == {"first", "second"}
    scores = results[0]["scores"]["first"]
    assert set(scores) == {"box", "all"} and scores["all"]["psnr"] == scores["box"]["psnr"]

    text = (out / "results.md").read_text()
    assert "| seed | guides | PSNR dB | hole PSNR dB | SSIM | LPIPS |" in text
    assert text.count("| one | both |") == 5
    assert "| one | both | 0.25 | 4.45 |" in text
    assert "- two, both failed: loss is nan at step 7" in text
    with Image.open(out / "pictures.png") as pictures:
        assert pictures.size == (5 * 36 + 4, 22 + 2 * 36)
    with Image.open(out / "plot.png") as plot:
        assert plot.width > 800


def test_measured_variants_are_not_trained_again(
    experiment: Path, trained: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = run_experiment(experiment, out)
    (out / "one_both" / "outcome.json").unlink()  # as if stopped in the middle of this one
    again = run_experiment(experiment, out)
    assert [path.parent.name for path in trained[3:]] == ["one_both"]
    assert again[0] == first[0]
    with pytest.raises(ConfigError, match="a run of other settings; give another folder"):
        run_experiment(experiment, out, ["train.seed=9", "train.log_every=7"])


def test_no_plot_without_matplotlib(
    experiment: Path, trained: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(module: str, extra: str) -> None:
        raise MissingExtraError(f"needs {module} of {extra}")

    monkeypatch.setattr(experiment_report, "require", absent)
    run_experiment(experiment, tmp_path / "out")
    assert (tmp_path / "out" / "pictures.png").is_file()
    assert not (tmp_path / "out" / "plot.png").exists()


def test_command(experiment: Path, trained: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["experiment", str(experiment), "-o", str(out), "--set", "train.log_every=5"]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 0, result.output
    assert "[4/4] two, both" in result.output and "first: PSNR" in result.output
    result = CliRunner().invoke(main, ["experiment", "nothing", "-o", str(out)])
    assert result.exit_code == 1
    assert "Error: experiment configs/experiments/nothing.yaml cannot be read" in result.output


def test_errors(experiment: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="experiment .* cannot be read"):
        load_experiment(tmp_path / "none.yaml")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("base: base.yaml\naxes: {}\nspeed: 3\n")
    with pytest.raises(ConfigError, match="evaluations: Field required.*speed: Extra inputs"):
        load_experiment(wrong)
    text = experiment.read_text()
    wrong.write_text(text.replace("both: []", "none-at-all: []"))
    with pytest.raises(ConfigError, match="distinct folder names. Received: .*one_none-at-all"):
        expand(load_experiment(wrong))
    wrong.write_text(text.replace("train.seed=1", "train.sead=1"))
    with pytest.raises(ConfigError, match="unknown key 'train.sead'"):
        expand(load_experiment(wrong))
