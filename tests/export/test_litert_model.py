from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export.litert_model import export_litert, load


def check(source: Any, folder: Path, tolerance: float) -> None:
    loaded = load(folder)
    assert set(loaded) == set(source.names)
    for name, function in loaded.items():
        for case in source.cases(name):
            results = function(**case.inputs)
            for key, wanted in case.expected.items():
                gap = np.abs(results[key] - wanted)
                assert np.mean(gap <= tolerance) > 0.999


def test_float32_gives_the_models_pixels(model: Any, repairs_only: Any, tmp_path: Path) -> None:
    check(repairs_only, export_litert(model, tmp_path / "fp32", source=repairs_only), 1e-4)


@pytest.mark.slow
def test_every_signature_gives_the_models_pixels(model: Any, source: Any, tmp_path: Path) -> None:
    check(source, export_litert(model, tmp_path / "fp32", source=source), 1e-4)


@pytest.mark.slow
def test_float16_is_near(model: Any, source: Any, tmp_path: Path) -> None:
    check(source, export_litert(model, tmp_path / "fp16", precision="fp16", source=source), 1e-2)


@pytest.mark.parametrize("kind", ["plain_", pytest.param("", marks=pytest.mark.slow)])
def test_int8_is_near(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> None:
    model, source = (request.getfixturevalue(f"{kind}{name}") for name in ("model", "source"))
    check(source, export_litert(model, tmp_path / "int8", precision="int8", source=source), 5e-2)


def test_unknown_precision_is_told(plain_model: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="for litert. Received: 'fp64'"):
        export_litert(plain_model, tmp_path, precision="fp64")


def test_unwritable_folder_is_told(plain_model: Any, plain_source: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        export_litert(plain_model, tmp_path / "file" / "x", source=plain_source)


def test_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"not a model")
    with pytest.raises(ArtefactError, match="must be a LiteRT model with serving_default"):
        load(tmp_path)
