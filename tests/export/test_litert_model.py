from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export import cases
from cnnlg_tf.export.litert_model import export_litert, load_runner


def check(model: Any, folder: Path, tolerance: float) -> None:
    runner = load_runner(folder)
    for batch, height, width in ((1, 48, 64), (2, 50, 70)):
        image, mask = cases.drawn_case(batch, height, width)
        expected = model.repair(image, mask)
        for result, wanted in zip(runner(image, mask), expected, strict=True):
            np.testing.assert_allclose(result, wanted, atol=tolerance)


def test_float32_gives_the_models_pixels(model: Any, source: Any, tmp_path: Path) -> None:
    check(model, export_litert(model, tmp_path / "fp32", source=source), 1e-4)


@pytest.mark.slow
def test_float16_is_near(model: Any, source: Any, tmp_path: Path) -> None:
    check(model, export_litert(model, tmp_path / "fp16", precision="fp16", source=source), 1e-2)


def test_int8_is_near(model: Any, source: Any, tmp_path: Path) -> None:
    check(model, export_litert(model, tmp_path / "int8", precision="int8", source=source), 5e-2)


def test_unknown_precision_is_told(model: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="for litert. Received: 'fp64'"):
        export_litert(model, tmp_path, precision="fp64")


def test_unwritable_folder_is_told(model: Any, source: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        export_litert(model, tmp_path / "file" / "x", source=source)


def test_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"not a model")
    with pytest.raises(ArtefactError, match="must be a LiteRT model with serving_default"):
        load_runner(tmp_path)
