"""The wheel holds all that a user needs beside the code."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_is_complete(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "cnnlg_tf/export/saved_model.py",
        "cnnlg_tf/serving/server/command.py",
        "cnnlg_tf/serving/deploy/templates/compose/compose.yaml",
        "cnnlg_tf/weights/photos/model.weights.h5",
        "cnnlg_tf/weights/lpips_alexnet.npz",
        "cnnlg_tf/weights/efficientnet_lite0.npz",
        "cnnlg_tf/weights/efficientnet_lite0.LICENSE",
        "cnnlg_tf/examples/wren.jpg",
        "cnnlg_tf/evaluation/report.html",
        "cnnlg_tf/experiments/study/page.html",
    } <= names
    assert not any(name.startswith(("export/", "serving/", "tests/")) for name in names)
