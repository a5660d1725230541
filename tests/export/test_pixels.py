"""`pixels` alone in an export: what it is tried on, that it is proven, cropped photos, and what it is not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cnnlg_tf.cli import main
from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export import manifest
from cnnlg_tf.export.cases import arguments, drawn_case
from cnnlg_tf.export.formats import FORMATS
from cnnlg_tf.export.networks import ExportNetwork
from cnnlg_tf.export.parity import compare
from cnnlg_tf.export.signatures import PIXELS, SIGNATURES, available
from cnnlg_tf.export.source import Source
from tests.conftest import make_photo


def test_it_is_exported_when_asked_for(plain_model: Any) -> None:
    assert PIXELS not in available(plain_model)
    assert Source(plain_model, chosen=[PIXELS]).names == [PIXELS]


def test_it_is_tried_on_bytes_of_one_photo() -> None:
    image, mask = drawn_case(2, 32, 48)
    given = arguments(PIXELS, image, mask)
    assert {name: (value.dtype.name, value.shape) for name, value in given.items()} == {
        "image": ("uint8", (1, 32, 48, 3)),
        "mask": ("uint8", (1, 32, 48, 1)),
    }
    assert set(np.unique(given["mask"])) == {0, 255}


def test_bytes_are_compared_as_shares_of_full_scale() -> None:
    from cnnlg_tf.export.cases import Case

    image, mask = drawn_case(1, 32, 48)
    inputs = arguments(PIXELS, image, mask)
    other = np.where(inputs["mask"] > 0, inputs["image"] ^ 1, inputs["image"])
    found = compare(Case(PIXELS, inputs, {"repaired": inputs["image"]}), {"repaired": other})
    assert found.max_abs == pytest.approx(1 / 255) and found.known_exact
    assert found.hole_psnr == pytest.approx(48.13, abs=0.01) and found.hole_near == 0.0


def test_one_format_at_a_time() -> None:
    result = CliRunner().invoke(main, ["export", "--format", "all", "--pixels", "-o", "out"])
    assert result.exit_code == 2 and "--pixels is for one format" in result.output


@pytest.mark.parametrize(
    ("format", "shape", "message"),
    [
        ("openvino", None, "openvino takes photos of one size: a shape must be given"),
        (
            "saved_model",
            (1, 64, 64),
            "a shape is for onnx, litert, openvino. Received: saved_model, 1x64x64",
        ),
        (
            "tensorrt",
            (1, 64, 64),
            "a shape is for onnx, litert, openvino. Received: tensorrt, 1x64x64",
        ),
    ],
)
def test_any_size_or_one(
    format: str, shape: Any, message: str, plain_model: Any, tmp_path: Path
) -> None:
    from cnnlg_tf.export.writing import writing

    source = Source(plain_model, chosen=[PIXELS], shape=shape)
    precision = FORMATS[format].default
    with (
        pytest.raises(ExportError, match=message),
        writing(tmp_path / "made", format, precision, source),
    ):
        pass
    assert not (tmp_path / "made").exists()
    given = [] if shape is None else ["--shape", "x".join(map(str, shape))]
    result = CliRunner().invoke(
        main, ["export", "--format", format, "--pixels", *given, "-o", str(tmp_path / "made")]
    )
    assert result.exit_code == 2 and f"--pixels, --shape: {message}" in result.output


def test_a_shape_is_for_pixels() -> None:
    result = CliRunner().invoke(
        main, ["export", "--format", "litert", "--shape", "1x64x64", "-o", "out"]
    )
    assert result.exit_code == 2 and "--shape is for --pixels" in result.output


@pytest.mark.parametrize("text", ["2x64x64", "1x8x64", "64x64"])
def test_a_shape_is_of_one_photo(text: str) -> None:
    from cnnlg_tf.export.bundle import parse_options

    shapes = {"min_shape": "1x16x16", "opt_shape": "1x16x16", "max_shape": "1x16x16"}
    others = {"timing_cache": None, "hardware_compatible": False, "version_compatible": False}
    with pytest.raises(ExportError, match=f"a shape .* Received: '{text}'"):
        parse_options(**shapes, **others, photos=None, shape=text)


@pytest.mark.slow
def test_litert_of_one_shape_has_no_free_size(model: Any, tmp_path: Path) -> None:
    """What GPU and NPU delegates want: every tensor's size is known before a photo comes."""
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="needs the extra `litert`")
    source = Source(model, chosen=[PIXELS], shape=(1, 280, 272))
    folder = FORMATS["litert"].export(model, tmp_path / "fixed", precision="fp16", source=source)
    assert manifest.verify(folder)["shape"] == [1, 280, 272]
    interpreter = litert.Interpreter(model_path=str(folder / "model.tflite"))
    free = [d["name"] for d in interpreter.get_tensor_details() if -1 in d["shape_signature"]]
    assert free == []
    photo, mask = make_photo(280, 272), np.zeros((280, 272), np.uint8)
    mask[40:180, 60:200] = 255  # so thick that it is decoded at half the size
    inputs = {"image": photo[None], "mask": mask[None, ..., None]}
    found = FORMATS["litert"].load(folder)[PIXELS](**inputs)["repaired"]
    expected = Source(model, chosen=[PIXELS]).functions[PIXELS](*inputs.values())["repaired"]
    assert np.array_equal(found[0][mask == 0], photo[mask == 0])
    assert np.abs(found.astype(int) - expected.numpy())[0][mask > 0].mean() < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_one_size_for_processors(format: str, model: Any, tmp_path: Path) -> None:
    """OpenVINO computes in uint8 at the end, where its anchor to float32 is."""
    source = Source(model, chosen=[PIXELS], shape=(1, 64, 80))
    folder = FORMATS[format].export(model, tmp_path / format, precision="fp32", source=source)
    made = manifest.verify(folder)
    assert made["shape"] == [1, 64, 80] and made["parity"][PIXELS]["meets_bar"]
    photo, mask = make_photo(64, 80), np.zeros((1, 64, 80, 1), np.uint8)
    mask[:, 20:40, 30:60] = 255
    load = FORMATS[format].load(folder)[PIXELS]
    found = load(image=photo[None], mask=mask)["repaired"]
    assert np.array_equal(found[mask[..., 0] == 0], photo[None][mask[..., 0] == 0])
    with pytest.raises(Exception, match=r"(?i)shape|dimension"):
        load(image=photo[None, :, :64], mask=mask[:, :, :64])


@pytest.mark.slow
def test_tensorrt_builds_an_engine_without_a_gpu(model: Any, tmp_path: Path) -> None:
    """For Turing to Blackwell; what it gives is proven by its ONNX model, the engine's own parity on a GPU."""
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is for Linux and Windows on x86")
    from cnnlg_tf.export.tensorrt_engine import Profile

    folder = FORMATS["tensorrt"].export(
        model,
        tmp_path / "rtx",
        precision="fp16",
        source=Source(model, chosen=[PIXELS]),
        profile=Profile((1, 32, 32), (1, 64, 64), (1, 512, 512)),
        capabilities=("turing", "ampere", "ada", "blackwell"),
    )
    made = manifest.verify(folder)
    assert made["parity_of_onnx"][PIXELS]["meets_bar"] and made["signatures"].keys() == {PIXELS}
    assert (folder / "pixels.engine").stat().st_size > 100_000


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "litert", "saved_model"])
def test_every_format(format: str, model: Any, tmp_path: Path) -> None:
    """Proven as it is made; then a photo that is cropped, and the export that is no network of windows."""
    made = FORMATS[format]
    source = Source(model, chosen=[PIXELS])
    folder = made.export(model, tmp_path / format, precision="fp32", source=source)
    assert set(manifest.verify(folder)["signatures"]) == {PIXELS}
    photo, mask = make_photo(64, 700), np.zeros((1, 64, 700, 1), np.uint8)
    mask[:, 20:40, 300:330] = 255
    inputs = {"image": photo[None], "mask": mask}
    found = made.load(folder)[PIXELS](**inputs)["repaired"]
    expected = source.functions[PIXELS](*inputs.values())["repaired"].numpy()
    known = np.broadcast_to(mask == 0, found.shape)
    assert np.array_equal(found[known], photo[None][known])
    assert np.abs(found.astype(int) - expected)[~known].mean() < 1.0
    assert list(SIGNATURES[PIXELS].outputs) == ["repaired"]
    with pytest.raises(ArtefactError, match="must have serving_default. Received: .* has pixels"):
        ExportNetwork(folder)
