"""The examples of docs/edge.md run and repair as the model does; LiteRT's imports what it says, no more."""

import os
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


def header_folder() -> Path | None:
    """Where onnxruntime_c_api.h lies: ONNXRUNTIME_INCLUDE, or where Debian and its own archives put it."""
    named = [os.environ["ONNXRUNTIME_INCLUDE"]] if "ONNXRUNTIME_INCLUDE" in os.environ else []
    usual = ["/usr/include/onnxruntime", "/usr/local/include/onnxruntime", "/usr/local/include"]
    folders = [Path(folder) for folder in (*named, *usual)]
    return next((f for f in folders if (f / "onnxruntime_c_api.h").exists()), None)


@pytest.fixture(scope="session")  # of the export's scope, whose minute a skip saves
def repair_cpp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """docs/edge/repair.cpp, built against the library in onnxruntime's Python package."""
    ort = pytest.importorskip("onnxruntime", reason="needs onnxruntime (extra `onnx`)")
    include, compiler = header_folder(), shutil.which("g++")
    if include is None or compiler is None:
        pytest.skip("needs g++ and onnxruntime_c_api.h: `make test-cpp` fetches it")
    folder = tmp_path_factory.mktemp("cpp")
    (library,) = (Path(ort.__file__).parent / "capi").glob("libonnxruntime.so.*")
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (folder / name).symlink_to(library)
    built = folder / "repair"
    line = [compiler, "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{include}"]
    line += [str(ROOT / "docs/edge/repair.cpp"), "-o", str(built)]
    line += [f"-L{folder}", "-lonnxruntime", f"-Wl,-rpath,{folder}"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return built


def test_cpp(repair_cpp: Path, pixels_source: Any, pixels_onnx: Path, tmp_path: Path) -> None:
    photo, mask = write_pnm(tmp_path, 96, 130)
    files = [tmp_path / name for name in ("photo.ppm", "mask.pgm", "out.ppm")]
    line = [repair_cpp, pixels_onnx / "pixels.onnx", *files]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.endswith(" ms\n"), done.stderr
    found = read_ppm(tmp_path / "out.ppm")
    assert same_repair(found, expected(pixels_source, photo, mask), photo, mask) > 45.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "photo.ppm").write_bytes(b"P6\n9 9\n255\nabc"), "is truncated"),
        (
            lambda folder: (folder / "mask.pgm").write_bytes(b"P5\n1 1\n255\na"),
            "must fit the photo",
        ),
        (lambda folder: (folder / "mask.pgm").unlink(), "must be P5 of 8 bits"),
        (lambda folder: (folder / "model.onnx").unlink(), "model.onnx"),
    ],
)
def test_cpp_says_what_is_wrong(
    repair_cpp: Path, pixels_onnx: Path, tmp_path: Path, change: Any, message: str
) -> None:
    write_pnm(tmp_path, 32, 32)
    (tmp_path / "model.onnx").symlink_to(pixels_onnx / "pixels.onnx")
    change(tmp_path)
    names = ("model.onnx", "photo.ppm", "mask.pgm", "out.ppm")
    line = [repair_cpp, *(tmp_path / name for name in names)]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 1 and "Error: " in done.stderr and message in done.stderr
    assert not (tmp_path / "out.ppm").exists()
