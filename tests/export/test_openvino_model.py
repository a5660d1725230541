from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest

from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export import cases
from cnnlg_tf.export.openvino_model import export_openvino, load, rounded_layers


@pytest.fixture(scope="module")
def repairing(model: Any, repairs_only: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_openvino(model, tmp_path_factory.mktemp("openvino") / "fp32", source=repairs_only)


def check(source: Any, folder: Path) -> None:
    loaded = load(folder)
    assert set(loaded) == set(source.names)
    for name, function in loaded.items():
        for case in source.cases(name):
            results = function(**case.inputs)
            for key, wanted in case.expected.items():
                assert np.mean(np.abs(results[key] - wanted) <= 1e-4) > 0.999


def test_float32_gives_the_models_pixels(repairs_only: Any, repairing: Path) -> None:
    check(repairs_only, repairing)


@pytest.mark.slow
def test_every_signature_gives_the_models_pixels(model: Any, source: Any, tmp_path: Path) -> None:
    folder = export_openvino(model, tmp_path / "fp32", source=source)
    check(source, folder)
    assert all(rounded_layers(file) == [] for file in folder.glob("*.xml"))


@pytest.mark.slow
def test_float32_needs_no_hint_from_who_compiles_it(
    model: Any, repairing: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Only on a processor with bfloat16 could the pixels tell."""
    folder = repairing
    assert rounded_layers(folder / "model.xml") == [] and not caplog.records
    compiled = openvino.Core().compile_model(folder / "model.xml", "CPU")
    image, mask = cases.drawn_case(1, 48, 64)
    expected = model.repair(image, mask)
    for name, wanted in zip(("repaired", "uncertainty"), expected, strict=True):
        np.testing.assert_allclose(compiled([image, mask])[name], wanted, atol=1e-4)


@pytest.mark.slow
def test_float16_is_half_the_size(plain_model: Any, plain_source: Any, tmp_path: Path) -> None:
    full = export_openvino(plain_model, tmp_path / "fp32", source=plain_source)
    half = export_openvino(plain_model, tmp_path / "fp16", precision="fp16", source=plain_source)
    assert (half / "model.bin").stat().st_size < 0.6 * (full / "model.bin").stat().st_size


def test_unknown_precision_is_told(plain_model: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="for openvino. Received: 'int8'"):
        export_openvino(plain_model, tmp_path, precision="int8")


def test_unwritable_folder_is_told(plain_model: Any, plain_source: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        export_openvino(plain_model, tmp_path / "file" / "x", source=plain_source)


def test_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_text("not a model")
    with pytest.raises(ArtefactError, match="must be a model that OpenVINO loads"):
        load(tmp_path)
