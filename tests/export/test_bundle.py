import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cnnlg_tf.cli import main
from cnnlg_tf.errors import ArtefactError, ExportError, MissingExtraError
from cnnlg_tf.export import cases, parity_report, runners
from cnnlg_tf.export.bundle import Exporter, Options, parse_options

WORDS: dict[str, Any] = {
    "min_shape": "1x16x16",
    "opt_shape": "1x64x64",
    "max_shape": "2X128x128",
    "timing_cache": None,
    "hardware_compatible": False,
    "version_compatible": False,
    "photos": None,
}


def test_words_become_options() -> None:
    options = parse_options(**WORDS, threads=3, builder="classic", version=5)
    assert options.profile.maximum == (2, 128, 128) and options.threads == 3
    assert options.builder == "classic" and options.version == 5


@pytest.mark.parametrize("text", ["512x512", "1x2x3x4", "axbxc", ""])
def test_bad_shape_is_told(text: str) -> None:
    with pytest.raises(ExportError, match="a shape must read BATCHxHEIGHTxWIDTH"):
        parse_options(**(WORDS | {"min_shape": text}))


def test_unknown_format_and_precision_are_told(plain_model: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="format must be one of .* Received: 'coreml'"):
        Exporter(plain_model).export("coreml", tmp_path)
    with pytest.raises(ExportError, match="must be one of fp32 for saved_model. Received: 'int8'"):
        Exporter(plain_model).export("saved_model", tmp_path, "int8")


def test_everything_is_what_the_builder_can_make(plain_model: Any) -> None:
    able = Exporter(plain_model, Options(builder="rtx")).everything()
    assert ("saved_model", "fp32") in able and ("litert", "int8") in able
    assert ("tensorrt", "fp16") in able and ("tensorrt", "int8") not in able
    assert ("tensorrt", "int8") in Exporter(plain_model, Options(builder="classic")).everything()


def test_everything_goes_on_after_a_failure_and_tells(
    plain_model: Any, plain_onnx: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def export(self: Exporter, format: str, path: Path, precision: str | None = None) -> Path:
        if format == "tensorrt":
            raise MissingExtraError("no tensorrt_rtx here")
        if (format, precision) == ("onnx", "int8"):
            raise ExportError("too much loss")
        return plain_onnx

    reported: list[Path] = []
    monkeypatch.setattr(Exporter, "export", export)
    monkeypatch.setattr(
        parity_report, "write_report", lambda model, made, out, **_: reported.extend(made) or []
    )
    said: list[str] = []
    with pytest.raises(
        ExportError, match="not every export is as it should be: onnx-int8: too much loss"
    ):
        Exporter(plain_model).export_all(tmp_path, tell=said.append)
    assert len(reported) == len(Exporter(plain_model).everything()) - 3
    assert "skipped tensorrt-fp32: no tensorrt_rtx here" in said


def test_report_measures_exports(
    plain_model: Any, plain_onnx: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cases, "SHAPES", ((1, 32, 48), (2, 50, 34)))
    monkeypatch.setattr(parity_report, "LATENCY_SIDE", 64)
    rows = parity_report.write_report(plain_model, [plain_onnx], tmp_path / "report")
    (row,) = rows
    assert row.name == "onnx fp32" and row.loss is None and row.parity and row.cost
    assert (
        row.parity.max_abs < 1e-3 and row.cost["latency_ms"] > 0 and row.cost["peak_megabytes"] > 20
    )
    written = json.loads((tmp_path / "report" / "parity.json").read_text())
    assert len(written["cases"]) == 12 and written["exports"][0]["parity"]["known_exact"]
    assert "| onnx fp32 |" in (tmp_path / "report" / "parity.md").read_text()
    with Image.open(tmp_path / "report" / "worst.png") as picture:
        assert picture.width % 4 == 0


def test_photos_come_from_a_folder_or_the_examples(photo_folder: Any) -> None:
    folder = photo_folder(count=4)
    photos = cases.read_photos(folder, count=2, skip=2)
    assert len(photos) == 2 and photos[0].shape == (48, 64, 3) and photos[0].max() <= 1.0
    assert len(cases.read_photos(None)) == cases.PHOTOS
    with pytest.raises(ExportError, match="must hold at least 8 photos. Received: 4"):
        cases.read_photos(folder)


def test_altered_export_is_not_run(plain_onnx: Path, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(plain_onnx, tmp_path / "copy"))
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ArtefactError, match="as its manifest says"):
        runners.load(copy)
    with pytest.raises(ExportError, match="must run on its own. Received: .*as its manifest says"):
        runners.measure(copy, 64, 1)


def test_engine_does_not_run_on_a_cpu(tmp_path: Path) -> None:
    content = {"manifest_version": 1, "format": "tensorrt", "files": {}}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(
        ArtefactError,
        match="runs on a CPU: saved_model, onnx, litert, openvino. Received: 'tensorrt'",
    ):
        runners.load(tmp_path)


def test_command_exports_and_reports_bad_usage(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[tuple[Any, ...]] = []

    def export(self: Exporter, format: str, path: Path, precision: str | None = None) -> Path:
        calls.append((format, path, precision, self.options.allow_loss))
        return path

    monkeypatch.setattr(Exporter, "export", export)
    out = tmp_path / "out"
    arguments = ["export", str(checkpoint), "-o", str(out), "--format"]
    result = CliRunner().invoke(main, [*arguments, "litert", "--precision", "int8", "--allow-loss"])
    assert result.exit_code == 0 and f"wrote {out}" in result.output
    assert calls == [("litert", out, "int8", True)]
    assert CliRunner().invoke(main, [*arguments, "all", "--precision", "fp16"]).exit_code == 2
    result = CliRunner().invoke(main, [*arguments, "tensorrt", "--min-shape", "9x9"])
    assert result.exit_code == 1 and "BATCHxHEIGHTxWIDTH" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "onnx --min-shape 1x16x16",
            "--min-shape is for --format tensorrt. Received: --format onnx",
        ),
        ("saved_model --builder rtx", "--builder is for --format tensorrt"),
        ("litert --capability ada", "--capability is for --format tensorrt"),
        ("openvino --hardware-compatible", "--hardware-compatible is for --format tensorrt"),
        ("tensorrt --version-compatible", "is for --builder classic. Received: --builder rtx"),
        ("tensorrt --builder classic --capability ada", "--capability is for --builder rtx"),
        ("all --timing-cache x", "--timing-cache is for --builder classic"),
        ("onnx --version 2", "--version is for --format saved_model. Received: --format onnx"),
    ],
)
def test_an_option_that_would_be_ignored_is_bad_usage(words: str, message: str) -> None:
    result = CliRunner().invoke(main, ["export", "-o", "/nowhere", "--format", *words.split()])
    assert result.exit_code == 2 and message in result.output


def test_worst_picture_shows_the_difference(plain_model: Any) -> None:
    photos = [np.full((40, 40, 3), 0.5, np.float32)] * 2
    (case, *_) = cases.make_cases(plain_model, photos, ["serving_default"])
    wrong = {"repaired": case.expected["repaired"] + 0.05 * case.inputs["mask"]}
    picture = np.asarray(parity_report._picture(case, wrong))
    _, height, width, _ = case.inputs["image"].shape
    assert picture.shape == (height, 4 * width, 3)
    assert picture[:, 3 * width :].max() == pytest.approx(128, abs=2)
