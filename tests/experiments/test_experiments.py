"""Experiments: which variants a file makes, resuming, failures, processes, and what is written."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import cnnlg_tf
from cnnlg_tf.checkpoint import SHIPPED, read_config
from cnnlg_tf.cli import main
from cnnlg_tf.config import Config, ModelConfig
from cnnlg_tf.errors import ConfigError, MissingExtraError, TrainingError
from cnnlg_tf.experiments import one_run, report, run, validation
from cnnlg_tf.experiments.definition import expand, load_experiment
from cnnlg_tf.experiments.run import run_experiment
from cnnlg_tf.experiments.sweep import load_sweep
from cnnlg_tf.inference.network import Conditions, Filled
from cnnlg_tf.startup import usable_cores

CONFIGS = Path(__file__).parents[2] / "configs" / "experiments"

_BASE = """
data: {kind: synthetic}
train: {phases: [{name: prediction, kind: prediction, steps: 2, crop: 32, batch_size: 2}]}
"""


class _Flat:
    """Fills holes with one grey, another without a merge: a stand-in for what `train` leaves."""

    can: frozenset[str] = frozenset()
    widest = widest_guided = 64
    merge: str | None = "a merge"

    def __init__(self, grey: float) -> None:
        self.grey = grey

    def fill(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        conditions: Conditions,
        guide: np.ndarray | None = None,
    ) -> Filled:
        grey = 0.9 if self.merge is None else self.grey
        filled = np.where(hole[..., None], np.float32(grey), image)
        return Filled(filled, hole.astype(np.float32))

    def find_damage(self, image: np.ndarray) -> np.ndarray:
        raise AssertionError("nothing looks for damage here")


@pytest.fixture
def experiment(tmp_path: Path, photo_folder: Callable[..., Path]) -> Path:
    (tmp_path / "base.yaml").write_text(_BASE)
    path = tmp_path / "guides.yaml"
    path.write_text(
        f"""
base: base.yaml
seeds: [1, 2]
axes:
  guides: {{none at all: [model.latent_guide.enabled=false], both: []}}
evaluations:
  first: {{photos: {photo_folder(count=2)}, masks: [box], size: 32}}
  second: {{photos: {tmp_path / "photos"}, masks: [thin, box], size: 48, limit: 1, synthesis: false, likelihood: true}}
"""
    )
    return path


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces training and the processes; the list grows by each run. Seed 2 with both fails."""
    runs: list[str] = []

    def train(config: Config, out_dir: Path, quiet: bool) -> None:
        if config.train.seed == 2 and config.model.latent_guide.enabled:
            raise TrainingError("loss is nan at step 7")
        runs.append(f"{out_dir.parents[1].name}/{out_dir.parent.name}")
        out_dir.mkdir(parents=True, exist_ok=True)
        lines = [{"phase": "prediction", "images_per_second": rate} for rate in (1, 8, 8, 9)]
        (out_dir / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))

    class Here:
        def __call__(self, folder: Path, environment: dict[str, str]) -> None:
            one_run.measure_run(folder)

        def stop(self) -> None:
            pass

    monkeypatch.setattr(one_run, "train", train)
    monkeypatch.setattr(one_run, "prepare_environment", lambda *configs: None)
    monkeypatch.setattr(run, "_Processes", Here)
    monkeypatch.setitem(vars(cnnlg_tf), "load", lambda path: _Flat(0.1 * len(runs)))
    monkeypatch.setattr(validation, "validate", lambda model, cases: {"NLL": 4.25 + model.grey})
    monkeypatch.setattr(
        validation, "hole_likelihood", lambda model: lambda case: model.grey + len(case.kind)
    )
    return runs


@pytest.mark.slow
def test_trains_and_measures_for_real(
    tmp_path: Path, photo_folder: Callable[..., Path], tiny_model_config: ModelConfig
) -> None:
    tree = tiny_model_config.model_dump(mode="json")
    for part in ("latent_guide", "gradient_guide"):  # fewer parts trace faster
        tree[part]["enabled"] = False
    model = json.dumps(tree)
    (tmp_path / "base.yaml").write_text(f"{_BASE}model: {model}\n")
    path = tmp_path / "seeds.yaml"
    path.write_text(
        f"""
base: base.yaml
seeds: [0]
overrides: [train.compile=none, train.log_every=1, train.picture_every=0]
axes: {{seed: {{zero: []}}}}
evaluations:
  tiny: {{photos: {photo_folder(count=1)}, masks: [box], size: 32}}
  alone: {{photos: {tmp_path / "photos"}, masks: [box], size: 32, synthesis: false, likelihood: true}}
"""
    )
    seen: list[tuple[int, int, bool]] = []
    sweep = run_experiment(
        path, tmp_path / "out", on_run=lambda d, n, left: seen.append((d, n, left is None))
    )
    (outcome,) = sweep.runs
    assert outcome.error is None, (tmp_path / "out" / "zero" / "seed-0" / "log.txt").read_text()
    assert outcome.scores["tiny"]["box"]["psnr"] > 5
    assert outcome.scores["alone"]["box"]["psnr"] != outcome.scores["tiny"]["box"]["psnr"]
    assert outcome.photos["alone"]["box"]["nll"] == pytest.approx(
        [outcome.scores["alone"]["all"]["nll"]], abs=1e-4
    )
    assert "nll" not in outcome.scores["tiny"]["all"]
    assert set(outcome.training) == {one_run.SECONDS, validation.NLL, validation.GRADIENT}
    assert all(value > 0 for value in outcome.training.values())
    assert outcome.seconds > 0 and {"tensorflow", "cnnlg-tf"} <= set(outcome.versions)
    assert seen == [(0, 1, True), (1, 1, False)]


def test_a_run_ends_with_whoever_started_it() -> None:
    """A killed experiment leaves no training behind that the next command would meet."""
    code = (
        "import time; from cnnlg_tf.experiments.one_run import end_with_parent;"
        "end_with_parent(); print('here', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(timeout=30) == 1


def test_a_process_that_breaks_is_told(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("nothing: here")
    error = run._Processes()(tmp_path, {})
    assert error == "its process ended with 1: KeyError: 'config'"


SHIPPED_EXPERIMENTS = {
    "guides": 4,
    "tiny": 2,
    "optimizers": 22,
    "generalisation": 5,
    "penalty": 5,
    "reward": 3,
}
"""Variants of each file."""


def test_every_shipped_experiment_is_among_those_tested() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == {*SHIPPED_EXPERIMENTS, "base"}


@pytest.mark.parametrize(("name", "count"), SHIPPED_EXPERIMENTS.items())
def test_shipped_experiments_are_valid(name: str, count: int) -> None:
    variants = expand(load_experiment(CONFIGS / f"{name}.yaml"))
    assert len(variants) == count
    assert len({variant.configs[0].model_dump_json() for variant in variants}) == count


def test_learning_by_reward_starts_from_weights_that_its_model_takes() -> None:
    shipped = read_config(SHIPPED).model
    for variant in expand(load_experiment(CONFIGS / "reward.yaml")):
        assert variant.configs[0].model == shipped


def test_variants_are_all_combinations(experiment: Path) -> None:
    text = experiment.read_text().replace(
        "axes:", "axes:\n  loss: {all: [], l1: [train.log_every=7]}"
    )
    experiment.write_text(text)
    variants = expand(load_experiment(experiment, ["train.log_every=5"]))
    assert [variant.folder for variant in variants] == [
        "all_none-at-all",
        "all_both",
        "l1_none-at-all",
        "l1_both",
    ]
    assert [each.configs[2].train.log_every for each in variants] == [5, 5, 7, 7]
    assert [config.train.seed for config in variants[0].configs.values()] == [1, 2]
    assert not variants[0].configs[1].model.latent_guide.enabled


def test_rows_make_a_fractional_design(experiment: Path) -> None:
    text = experiment.read_text() + "rows: [[both]]\n"
    experiment.write_text(text)
    assert [variant.name for variant in expand(load_experiment(experiment))] == ["both"]
    experiment.write_text(text.replace("[[both]]", "[[both, both]]"))
    with pytest.raises(
        ConfigError, match=r"one label of each axis: guides. Received: \['both', 'b"
    ):
        load_experiment(experiment)
    experiment.write_text(text.replace("[[both]]", "[[neither]]"))
    with pytest.raises(ConfigError, match=r"one label of each axis: guides. Received: \['neither"):
        load_experiment(experiment)


def test_run_writes_sweep_tables_plot_and_pictures(
    experiment: Path, trained: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    told: list[str] = []
    sweep = run_experiment(experiment, out, tell=told.append)
    assert trained == ["none-at-all/seed-1", "both/seed-1", "none-at-all/seed-2"]
    assert [each.error for each in sweep.runs] == [None, None, None, "loss is nan at step 7"]
    assert told[0].startswith("[1/4] none at all, seed 1: first: PSNR")
    assert "both, seed 2: failed: loss is nan at step 7; about 0:00:00 left" in told[-1]

    assert load_sweep(out / "sweep.json") == sweep
    assert sweep.definition["base"] == "base.yaml"
    assert sweep.seeds == [1, 2] and sweep.axes == {"guides": ["none at all", "both"]}
    first = sweep.runs[0]
    assert set(first.scores) == {"first", "second"}
    second = [run.scores["second"]["all"]["psnr"] for run in sweep.runs if run.error is None]
    assert len(set(second)) == 1, "the network alone is another, the same in each run here"
    assert first.scores["first"]["all"]["psnr"] == first.scores["first"]["box"]["psnr"]
    assert len(first.photos["first"]["box"]["lpips"]) == 2
    mean = np.mean(first.photos["first"]["box"]["hole_psnr"])
    assert first.scores["first"]["box"]["hole_psnr"] == pytest.approx(mean, abs=1e-3)

    assert "nll" not in first.photos["first"]["box"]
    assert first.photos["second"]["thin"]["nll"] == [4.1]
    assert first.scores["second"]["all"]["nll"] == pytest.approx(3.6)

    text = (out / "results.md").read_text()
    assert text.count("| NLL nats |") == 1, "where it was measured"
    assert text.startswith("# Experiment guides") and "| guides | first | second |" in text
    assert "| none at all | 0.25 | 4.45 |" in text
    assert "- both, seed 2 failed: loss is nan at step 7" in text
    with Image.open(out / "pictures.png") as pictures:
        assert pictures.size == (4 * 36 + 4, 22 + 18 + 2 * 36), "a title of two lines"
    with Image.open(out / "plot.png") as plot:
        assert plot.width > 800


def test_measured_runs_are_not_made_again(
    experiment: Path, trained: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = run_experiment(experiment, out)
    (out / "both" / "seed-1" / "outcome.json").unlink()  # as if stopped in the middle of this one
    seen: list[int] = []
    again = run_experiment(experiment, out, on_run=lambda done, total, left: seen.append(done))
    assert trained[3:] == ["both/seed-1"] and seen == [3, 4]
    assert again.runs[0] == first.runs[0] and len(again.runs) == 4
    with pytest.raises(ConfigError, match="a run of other settings; give another folder"):
        run_experiment(experiment, out, ["train.log_every=7"])


def test_runs_stand_beside_each_other(experiment: Path, tmp_path: Path) -> None:
    """Two at once; one that dies without a word is told, and is run again by the next command."""
    now, most = set(), 0
    together = threading.Barrier(2, timeout=20)

    def runner(folder: Path, environment: dict[str, str]) -> str | None:
        nonlocal most
        assert environment["TF_NUM_INTRAOP_THREADS"] == str(max(1, usable_cores() // 2))
        now.add(folder)
        together.wait()
        most = max(most, len(now))
        together.wait()
        now.discard(folder)
        return "its process ended with -9: it printed nothing"

    sweep = run_experiment(experiment, tmp_path / "out", processes=2, runner=runner)
    assert most == 2
    assert {each.error for each in sweep.runs} == {"its process ended with -9: it printed nothing"}
    assert not list((tmp_path / "out").rglob("outcome.json"))


def test_no_plot_without_matplotlib(
    experiment: Path, trained: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(module: str, extra: str) -> None:
        raise MissingExtraError(f"needs {module} of {extra}")

    monkeypatch.setattr(report, "require", absent)
    run_experiment(experiment, tmp_path / "out")
    assert (tmp_path / "out" / "pictures.png").is_file()
    assert not (tmp_path / "out" / "plot.png").exists()


def test_command(experiment: Path, trained: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["experiment", str(experiment), "-o", str(out), "--set", "train.log_every=5"]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 0, result.output
    assert "[4/4] both, seed 2" in result.output and "first: PSNR" in result.output
    assert "left" in result.output
    result = CliRunner().invoke(main, ["experiment", "nothing", "-o", str(out)])
    assert result.exit_code == 1
    assert "Error: a configuration must be a YAML file or one of base, generalisation, guides" in (
        result.output
    )


def test_errors(experiment: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="experiment .* cannot be read"):
        load_experiment(tmp_path / "none.yaml")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("base: base.yaml\naxes: {}\nspeed: 3\n")
    with pytest.raises(ConfigError, match="evaluations: Field required.*speed: Extra inputs"):
        load_experiment(wrong)
    text = experiment.read_text()
    wrong.write_text(text.replace("both: []", "none-at-all: []"))
    with pytest.raises(ConfigError, match="distinct folder names. Received: .*none-at-all"):
        expand(load_experiment(wrong))
    wrong.write_text(text.replace("latent_guide.enabled", "latent_guide.enabeld"))
    with pytest.raises(ConfigError, match="unknown key 'model.latent_guide.enabeld'"):
        expand(load_experiment(wrong))
