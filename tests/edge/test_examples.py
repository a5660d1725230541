"""The examples of docs/edge.md build, run and repair as the model does; they import what they say, and no more."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.edge.conftest import ROOT, read_ppm, same_repair, write_pnm


def expected(source: Any, photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    repaired: np.ndarray = source.functions["pixels"](photo[None], mask[None, ..., None])[
        "repaired"
    ].numpy()[0]
    return repaired


@pytest.mark.slow
def test_cpp(pixels_onnx: Path, pixels_source: Any, tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino", reason="needs openvino (extra `openvino`)")
    if shutil.which("cmake") is None or shutil.which("c++") is None:
        pytest.skip("needs cmake and a C++ compiler")
    package = Path(openvino.__file__).parent / "cmake"
    build = tmp_path / "build"
    for command in (
        ["cmake", "-S", str(ROOT / "docs/edge"), "-B", str(build), f"-DOpenVINO_DIR={package}"],
        ["cmake", "--build", str(build)],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    photo, mask = write_pnm(tmp_path, 96, 130)
    files = [str(tmp_path / name) for name in ("photo.ppm", "mask.pgm", "out.ppm")]
    model = str(pixels_onnx / "pixels.onnx")
    done = subprocess.run([build / "repair", model, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" ms\n")
    found = read_ppm(tmp_path / "out.ppm")
    assert same_repair(found, expected(pixels_source, photo, mask), photo, mask) > 45.0
    done = subprocess.run(
        [build / "repair", model, files[1], *files[1:]], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.endswith("mask.pgm must be P6 of 8 bits\n")


@pytest.mark.slow
def test_litert(tiny_model: Any, pixels_source: Any, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert (extra `litert`)")
    from cnnlg_tf.export.litert_model import export_litert

    folder = export_litert(tiny_model, tmp_path / "litert", source=pixels_source)
    script = ROOT / "docs/edge/repair_litert.py"
    photo, mask = write_pnm(tmp_path, 96, 130)
    files = [str(tmp_path / name) for name in ("photo.ppm", "mask.pgm", "out.ppm")]
    told = (
        "import sys, runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__');"
        "print(sorted({'tensorflow', 'keras', 'PIL', 'cv2', 'cnnlg_tf'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", told, script, folder / "model.tflite", *files],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("ms\n[]\n")
    found = read_ppm(tmp_path / "out.ppm")
    assert same_repair(found, expected(pixels_source, photo, mask), photo, mask) > 45.0
