"""Whole runs: resuming with the same losses, and a clear stop at everything that cannot go on."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import cnnlg_tf
from cnnlg_tf.checkpoint import CONFIG, STATE, WEIGHTS, list_checkpoints
from cnnlg_tf.cli import main
from cnnlg_tf.config import Config
from cnnlg_tf.config_files import dump_config
from cnnlg_tf.errors import CheckpointError, DataError, TrainingError
from cnnlg_tf.integrity import ABOUT
from cnnlg_tf.training.run import FUSIBLE_FLAGS, newest_whole, prepare_environment, train

pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config.*run_functions_eagerly"),
]

EACH_STEP = 1e-9  # minutes between checkpoints


def command(config: Path, run: Path) -> list[str]:
    return [sys.executable, "-m", "cnnlg_tf.cli", "train", "--config", str(config), "-o", str(run)]


def environment() -> dict[str, str]:
    """A user's, on one thread: on several, sums are taken in varying order and losses agree to rounding only."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS"))}
    return own | {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


@pytest.fixture(scope="module")
def finished(make_config: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path]:
    """An unbroken run of two phases, 2 + 3 steps, a checkpoint each step, a line every 2 steps."""
    generation = {"name": "generation", "kind": "generation", "steps": 2}
    config = make_config(
        generation, {"steps": 3}, checkpoint_minutes=EACH_STEP, log_every=2, picture_every=2
    )
    run = tmp_path_factory.mktemp("finished") / "run"
    train(config, run, quiet=True)
    return config, run


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl without what differs from run to run."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    timed = ("images_per_second", "input_wait_share")
    return [{k: v for k, v in line.items() if k not in timed} for line in lines]


def copy_until(run: Path, step: int, to: Path) -> Path:
    """The run as a kill at `step` would have left it."""
    shutil.copytree(run, to)
    for checkpoint in list_checkpoints(to):
        if int(checkpoint.name[-8:]) > step:
            shutil.rmtree(checkpoint)
    return to


def test_a_run_leaves_checkpoints_metrics_pictures_and_events(
    finished: tuple[Config, Path],
) -> None:
    config, run = finished
    assert [path.name for path in list_checkpoints(run)] == [
        "checkpoint-00000004",
        "checkpoint-00000005",
    ]
    assert [(m["phase"], m["step"], m["phase_step"]) for m in read_metrics(run)] == [
        ("generation", 2, 2),
        ("prediction", 4, 2),
        ("prediction", 5, 3),
    ]
    assert (run / CONFIG).read_text() == dump_config(config)
    assert sorted(path.name for path in (run / "pictures").iterdir()) == [
        "step-00000002.png",
        "step-00000004.png",
    ]
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    model = cnnlg_tf.load(run)
    assert model.config == config.model and model.about["step"] == 5


def test_a_run_stopped_between_two_lines_goes_on_with_the_same_losses(
    finished: tuple[Config, Path], tmp_path: Path
) -> None:
    config, whole = finished
    run = copy_until(whole, 4, tmp_path / "run")
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "ph')  # killed while writing
    (run / ".checkpoint-00000005.abc").mkdir()
    train(config, run, quiet=True)
    assert read_metrics(run) == read_metrics(whole)
    assert not list(run.glob(".checkpoint-*"))
    ours, theirs = (np.load(list_checkpoints(r)[-1] / STATE) for r in (run, whole))
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs.files)


@pytest.mark.slow
def test_killed_at_any_moment_the_same_command_goes_on(
    finished: tuple[Config, Path], tmp_path: Path
) -> None:
    """A real kill -9 by the command line, where a phase ends."""
    config, whole = finished
    path, run = tmp_path / "config.yaml", tmp_path / "run"
    path.write_text(dump_config(config))
    killed = subprocess.Popen(
        command(path, run), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not (run / "checkpoint-00000002").is_dir() and time.monotonic() < deadline:
        assert killed.poll() is None
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (run / "checkpoint-00000005").exists()
    again = subprocess.run(command(path, run), env=environment(), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    for ours, theirs in zip(read_metrics(run), read_metrics(whole), strict=True):  # graph, eager
        assert ours == {
            k: pytest.approx(v, rel=1e-3) if isinstance(v, float) else v for k, v in theirs.items()
        }
    (line,) = again.stdout.splitlines()
    assert line.startswith(f"{run}/checkpoint-00000005: step 5, loss ")
    for chatter in ("oneDNN", "cuda", "absl", "XLA", "WARNING", "W0000", "I0000", "E0000"):
        assert chatter not in again.stderr
    assert "prediction" in again.stderr and "images/s" in again.stderr


def test_a_finished_run_only_says_where_it_stands(
    finished: tuple[Config, Path], tmp_path: Path
) -> None:
    config, whole = finished
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (tmp_path / "config.yaml").write_text(dump_config(config))
    result = CliRunner().invoke(
        main, ["train", "--config", str(tmp_path / "config.yaml"), "-o", str(run)]
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{run}/checkpoint-00000005: step 5, loss ")
    assert read_metrics(run) == read_metrics(whole)


def test_another_architecture_is_refused_and_other_changes_are_told(
    finished: tuple[Config, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, whole = finished
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    wider = config.model_copy(
        update={"model": config.model.model_copy(update={"widths": (8, 8, 8, 16)})}
    )
    with pytest.raises(
        CheckpointError, match=r"made by another architecture: model.widths differ. Train in"
    ):
        train(wider, run, quiet=True)
    later = config.model_copy(update={"train": config.train.model_copy(update={"log_every": 7})})
    with caplog.at_level(logging.WARNING, "cnnlg_tf"):
        train(later, run, quiet=True)
    assert "with changed settings: train.log_every" in caplog.text


def test_a_phase_that_is_gone_and_a_version_that_is_not_ours(
    finished: tuple[Config, Path], tmp_path: Path, make_config: Any
) -> None:
    _, whole = finished
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    with pytest.raises(
        CheckpointError, match=r"stopped in phase 'prediction'.*Received: phases \['other'\]"
    ):
        train(make_config({"name": "other"}), run, quiet=True)
    about = run / "checkpoint-00000005" / "checkpoint.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "format_version": 99}))
    with pytest.raises(CheckpointError, match="must have format version 1. Received: version 99"):
        train(make_config(), run, quiet=True)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def empty(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.mkdir()


@pytest.mark.parametrize("sums", [True, False], ids=["", "of_before_the_sums"])
@pytest.mark.parametrize("harm", [cut, flip, Path.unlink, empty])
@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, STATE, ABOUT])
def test_a_damaged_newest_checkpoint_is_passed_over(
    finished: tuple[Config, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    harm: Any,
    sums: bool,
) -> None:
    _, whole = finished
    shutil.copytree(whole, tmp_path / "run")
    older, newest = list_checkpoints(tmp_path / "run")
    if not sums:
        for checkpoint in (older, newest):
            about = json.loads((checkpoint / ABOUT).read_text())
            del about["sha256"]
            (checkpoint / ABOUT).write_text(json.dumps(about))
    assert newest_whole(tmp_path / "run") == (newest, [])
    harm(newest / name)
    if harm is flip and (not sums or name == ABOUT):
        return  # nothing says that a bit was another: such a checkpoint may do or be passed over
    if not sums and name == CONFIG and harm is cut:
        return  # half a YAML file often is one
    with caplog.at_level(logging.WARNING, "cnnlg_tf"):
        assert newest_whole(tmp_path / "run") == (older, [newest])
    assert f"{newest} is damaged: " in caplog.text
    assert "training goes on from checkpoint-00000004" in caplog.text


def test_training_goes_on_from_the_older_checkpoint_and_comes_to_the_same(
    finished: tuple[Config, Path], tmp_path: Path
) -> None:
    config, whole = finished
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    cut(run / "checkpoint-00000005" / WEIGHTS)
    with (run / "metrics.jsonl").open("a") as metrics:
        metrics.write("\0\0no line\n")
    (run / ".new-abc").mkdir()  # what a kill in the middle of a write leaves
    with pytest.raises(CheckpointError, match="is damaged: model.weights.h5 must have the sha256"):
        cnnlg_tf.load(run)
    train(config, run, quiet=True)
    assert read_metrics(run) == read_metrics(whole)
    ours, theirs = (np.load(list_checkpoints(r)[-1] / STATE) for r in (run, whole))
    for name in theirs.files:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-6)
    assert (run / "damaged-checkpoint-00000005" / WEIGHTS).is_file()
    assert not list(run.glob(".new-*"))


def test_when_no_checkpoint_is_whole_training_stops(
    finished: tuple[Config, Path], tmp_path: Path
) -> None:
    config, whole = finished
    run = copy_until(whole, 4, tmp_path / "run")
    cut(run / "checkpoint-00000004" / STATE)
    with pytest.raises(
        CheckpointError, match=r"Received: checkpoint-00000004: training_state.npz must have the sh"
    ):
        train(config, run, quiet=True)
    assert (run / "checkpoint-00000004").is_dir()


def test_another_optimiser_cannot_take_over_within_a_phase(
    finished: tuple[Config, Path], tmp_path: Path
) -> None:
    config, whole = finished
    run = copy_until(whole, 4, tmp_path / "run")
    first, second = config.train.phases
    other = second.model_copy(
        update={"optimizer": second.optimizer.model_copy(update={"name": "sgd"})}
    )
    train_config = config.train.model_copy(update={"phases": [first, other]})
    with pytest.raises(CheckpointError, match=r"must hold \d+ arrays in the shapes of this conf"):
        train(config.model_copy(update={"train": train_config}), run, quiet=True)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(
    make_config: Any, tmp_path: Path
) -> None:
    optimizer = {"name": "sgd", "learning_rate": 1e30, "warmup_steps": 0, "clip_norm": None}
    config = make_config({"optimizer": optimizer}, checkpoint_minutes=EACH_STEP)
    with pytest.raises(
        TrainingError,
        match=r"loss must be finite. Received: .*loss.* not finite at step 2 of phase 'prediction'; "
        r"the last good checkpoint is .*checkpoint-00000001",
    ):
        train(config, tmp_path / "run", quiet=True)
    assert [m["step"] for m in read_metrics(tmp_path / "run")] == [1]
    assert cnnlg_tf.load(tmp_path / "run").about["step"] == 1


def test_nothing_to_train_on(make_config: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    data = {"kind": "photos", "root": str(tmp_path / "empty")}
    with pytest.raises(DataError, match="empty holds no photo"):
        train(make_config(data=data), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_unknown_device_and_a_folder_that_cannot_be_made(make_config: Any, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"devices must be among \['CPU:0'\]. Received: GPU:7, TPU:0"
    ):
        train(make_config(), tmp_path / "run", devices=["GPU:7", "TPU:0"], quiet=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="the run's folder .*file/run cannot be made"):
        train(make_config(), tmp_path / "file" / "run", quiet=True)


def test_unreadable_photos_are_counted_and_named(
    make_config: Any, photo_folder: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photos = photo_folder(4)
    whole = (photos / "001.png").read_bytes()
    (photos / "001.png").write_bytes(whole[: len(whole) // 2])
    (photos / "002.png").write_bytes(b"")
    config = make_config({"steps": 2}, data={"kind": "photos", "root": str(photos)})
    with caplog.at_level(logging.WARNING, "cnnlg_tf"):
        train(config, tmp_path / "run", quiet=True)
    last = caplog.messages[-1]
    assert last.startswith("2 of 4 images cannot be read: ")
    assert "001.png" in last and "002.png" in last


def test_initial_weights_are_where_training_starts(
    make_config: Any, finished: tuple[Config, Path], tmp_path: Path
) -> None:
    _, whole = finished
    optimizer = {"name": "sgd", "learning_rate": 1e-12, "warmup_steps": 0, "ema": None}
    config = make_config({"steps": 1, "optimizer": optimizer}, initial_weights=str(whole))
    run = tmp_path / "run"
    train(config, run, quiet=True)
    ours, theirs = cnnlg_tf.load(run), cnnlg_tf.load(whole)
    for a, b in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_fusible_flags_are_set_once(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_XLA_FLAGS", "--other")
    prepare_environment(make_config())
    assert os.environ["TF_XLA_FLAGS"] == "--other"
    for _ in range(2):
        prepare_environment(make_config(compile="fusible"))
    assert os.environ["TF_XLA_FLAGS"] == f"--other {FUSIBLE_FLAGS}"


def test_a_gradient_penalty_is_not_clustered(
    make_config: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when only one of several configurations, as of an experiment, has one."""
    monkeypatch.setenv("TF_XLA_FLAGS", "")
    penalised = make_config({"penalty": {"kind": "gradient_penalty"}}, compile="fusible")
    prepare_environment(make_config(compile="fusible"), penalised)
    assert os.environ["TF_XLA_FLAGS"] == ""
    assert "fusible does not work with a gradient penalty" in caplog.text
