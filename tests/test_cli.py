"""The command itself: start-up, messages, exit codes."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import cnnlg_tf
from cnnlg_tf.cli import main
from cnnlg_tf.photos import read_photo
from tests.conftest import write_checkpoint


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run_process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS"))}
    return subprocess.run(
        [sys.executable, "-m", "cnnlg_tf.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
    )


@pytest.mark.parametrize("arguments", [["-c", "import cnnlg_tf"], ["-m", "cnnlg_tf.cli", "--help"]])
def test_start_needs_no_tensorflow_and_half_a_second(arguments: list[str]) -> None:
    script = (
        "import sys, runpy\n"
        "try:\n"
        "    runpy.run_module('cnnlg_tf.cli', run_name='__main__')\n"
        "finally:\n"
        "    heavy = {'tensorflow', 'keras', 'numpy', 'cv2', 'PIL'} & set(sys.modules)\n"
        "    print('heavy:', sorted(heavy))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script, "--help"], capture_output=True, text=True
    )
    assert "heavy: []" in process.stdout, process.stderr

    def seconds() -> float:
        """Of processor, which others' work leaves alone."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(5)) < 0.5


def test_help_and_version() -> None:
    assert "inpaint" in run("--help").output
    assert run("--version").output == f"cnnlg-tf, version {cnnlg_tf.__version__}\n"
    assert run("inpaint", "--help").exit_code == 0
    assert run("paint").exit_code == 2


def test_inpaint_in_a_process_says_one_line(
    checkpoint: Path, photo_path: Path, mask_path: Path, photo: np.ndarray, tmp_path: Path
) -> None:
    output = tmp_path / "out.png"
    process = run_process(
        "inpaint", photo_path, "--mask", mask_path, "-o", output, "--model", checkpoint
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert process.stdout.startswith(f"{output} (") and process.stdout.count("\n") == 1
    known = np.asarray(Image.open(mask_path)) == 0
    assert np.array_equal(read_photo(output).pixels[known], photo[known])


def test_repair_tells_what_was_found(
    plain_model_config: Any, tiny_model_config: Any, photo_path: Path, tmp_path: Path
) -> None:
    """The untrained finder gives each pixel 1/2: nothing by default, all where sensitivity is more."""
    from cnnlg_tf.models.cnnlg import CNNLG

    finder = {"damage_finder": tiny_model_config.damage_finder}
    model = CNNLG(plain_model_config.model_copy(update=finder))
    checkpoint = write_checkpoint(tmp_path / "checkpoint-1", model)
    out = tmp_path / "out.png"
    result = run("repair", photo_path, "--model", checkpoint, "-o", out, "--save-mask")
    assert result.exit_code == 0, result.output
    assert "found no damage" in result.stdout and "the photo comes back unchanged" in result.stderr
    assert out.read_bytes() == photo_path.read_bytes()
    with Image.open(tmp_path / "out_mask.png") as image:
        assert not np.asarray(image).any()
    arguments = ["--model", checkpoint, "-o", tmp_path / "all.png", "--sensitivity", "0.9"]
    result = run("repair", photo_path, *arguments, "--grow", "0", "--preview", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["damaged"] == 1.0
    assert {p.name for p in tmp_path.glob("all*")} == {"all.png", "all_preview.png"}
    for wrong in (["--sensitivity", "2"], ["--grow", "-1"], ["--mask", "m.png"]):
        assert run("repair", photo_path, "-o", out, *wrong).exit_code == 2


def test_bad_input_is_one_line_and_writes_nothing(
    photo_path: Path, mask_path: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small.png"
    Image.fromarray(np.zeros((10, 12), np.uint8)).save(small)
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    out = tmp_path / "out" / "out.png"
    cases: list[tuple[list[str | Path], str]] = [
        ([tmp_path / "none.png", "--mask", mask_path], "none.png does not exist"),
        ([empty, "--mask", mask_path], "empty.png is empty"),
        ([photo_path, "--mask", tmp_path / "none.png"], "none.png does not exist"),
        ([photo_path, "--mask", small], "like the photo (48, 64). Received: mask.shape=(10, 12)"),
    ]
    for arguments, message in cases:
        result = run("inpaint", *arguments, "-o", out)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1
        assert message in result.stderr
    assert not out.parent.exists()


def test_bad_usage_exits_2(photo_path: Path, mask_path: Path) -> None:
    assert run("inpaint", photo_path, "--mask", mask_path, "-o", "-", "--json").exit_code == 2
    for arguments in (
        [photo_path, "-o", "out.png"],
        [photo_path, "--mask-suffix", "_m", "--blind", "-o", "out.png"],
        [photo_path, "--blind", "--overwrite", "--skip-existing"],
        [photo_path, "-o", "out.png", "--blind", "--mask", mask_path],
        [photo_path, "--blind"],
        [photo_path, "-o", "out.png", "--blind", "--detail", "3"],
    ):
        assert run("inpaint", *arguments).exit_code == 2


def test_missing_model_is_one_line(photo_path: Path, mask_path: Path, tmp_path: Path) -> None:
    arguments = ["--mask", mask_path, "-o", tmp_path / "out.png", "--model", tmp_path / "none"]
    result = run("inpaint", photo_path, *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: a model must be a preset (photos), the folder of a")


def test_info(checkpoint: Path) -> None:
    result = run("info", checkpoint)
    assert result.exit_code == 0, result.output
    assert "parameters:" in result.output and "widths:" in result.output
