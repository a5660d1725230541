"""The LiteRT example of docs/edge.md runs, repairs as the model does, and imports what it says, no more."""

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
