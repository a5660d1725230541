import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlg_tf.errors import ArtefactError, ExportError, MissingExtraError
from cnnlg_tf.export import cases, onnx_model, tensorrt_engine, tensorrt_runtime
from cnnlg_tf.export.tensorrt_engine import (
    ClassicOptions,
    Profile,
    capability_names,
    check_builder,
    export_tensorrt,
    trtexec_line,
)

SMALL = Profile((1, 32, 32), (1, 64, 64), (2, 128, 128))
needs_rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None,
    reason="tensorrt-rtx is for Linux and Windows on x86",
)


def build(model: Any, source: Any, folder: Path) -> Path:
    return export_tensorrt(
        model, folder, precision="fp16", profile=SMALL, capabilities=("ada",), source=source
    )


@pytest.fixture(scope="module")
def engine(model: Any, source: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(model, source, tmp_path_factory.mktemp("engine") / "rtx")


@pytest.fixture(scope="module")
def plain_engine(
    plain_model: Any, plain_source: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return build(plain_model, plain_source, tmp_path_factory.mktemp("plain_engine") / "rtx")


@needs_rtx
@pytest.mark.parametrize("kind", ["plain_", pytest.param("", marks=pytest.mark.slow)])
def test_rtx_builds_an_engine_without_a_gpu(request: pytest.FixtureRequest, kind: str) -> None:
    engine, source = (request.getfixturevalue(f"{kind}{name}") for name in ("engine", "source"))
    made = json.loads((engine / "manifest.json").read_text())
    assert made["files"]["model.engine"]["bytes"] > 100_000
    assert made["builder"] == "rtx" and made["compute_capabilities"] == ["SM89"]
    assert made["profile"]["maximum"] == [2, 128, 128]
    assert set(made["signatures"]) == set(source.names)
    if not kind:
        assert made["files"]["refine.engine"]["bytes"] > 50_000
    assert all(made["parity_of_onnx"][name]["meets_bar"] for name in made["signatures"])


@needs_rtx
def test_matrix_products_are_built_for_turing_too(
    products: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorrt_rtx as trt

    file = tmp_path / "products.onnx"
    file.write_bytes(products)
    sizes = (16, 64, 256)
    shapes: Any = {
        "a": [(n, 27) for n in sizes],
        "b": [(n, 27) for n in sizes],
        "c": [(1, n) for n in sizes],
        "stack": [(2, n, 27) for n in sizes],
    }

    def build(*cards: str) -> Any:
        return tensorrt_engine._build(trt, file, shapes, "rtx", cards, ClassicOptions())

    assert build("SM75", "SM86") and build("SM86")
    # as they are, TensorRT-RTX refuses them: when it takes them, they need not be written out
    monkeypatch.setattr(onnx_model, "without_products", lambda content: content)
    with pytest.raises(ExportError, match=r"for Turing \(SM75\): FP32 GEMM is not supported"):
        build("SM75")


@needs_rtx
def test_running_an_engine_says_what_is_missing(plain_engine: Path, capsys: Any) -> None:
    assert tensorrt_runtime.main([str(plain_engine), "--benchmark"]) == 1
    assert "running a TensorRT engine needs" in capsys.readouterr().err


@pytest.mark.gpu
def test_engine_gives_the_onnx_models_pixels(engine: Path) -> None:
    loaded = tensorrt_runtime.Engine(engine)
    assert loaded.parity()["hole_psnr"] > 45
    assert loaded.benchmark()["median_ms"] > 0
    assert tensorrt_runtime.Engine(engine, "refine").parity()["hole_psnr"] > 45


@needs_rtx
@pytest.mark.slow
def test_rtx_builds_an_engine_of_the_real_architecture(tmp_path: Path) -> None:
    from cnnlg_tf.models.cnnlg import CNNLG

    folder = export_tensorrt(CNNLG(), tmp_path / "rtx", precision="fp32")
    assert (folder / "model.engine").stat().st_size > 20_000_000


@pytest.mark.tensorrt
@pytest.mark.gpu
def test_classic_builds_an_engine(model: Any, source: Any, tmp_path: Path) -> None:
    options = ClassicOptions(timing_cache=tmp_path / "cache")
    export_tensorrt(
        model, tmp_path / "e", builder="classic", profile=SMALL, classic=options, source=source
    )
    assert (tmp_path / "cache").exists()


def test_classic_builder_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(
        ExportError, match=r"Missing here: the Python package tensorrt .*--builder rtx needs no GPU"
    ):
        check_builder("classic")


def test_missing_rtx_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorrt_rtx", None)
    with pytest.raises(MissingExtraError, match=r"cnnlg-tf\[tensorrt-rtx\]"):
        check_builder("rtx")


def test_int8_needs_the_classic_builder(plain_model: Any, tmp_path: Path) -> None:
    with pytest.raises(
        ExportError, match="builder and precision must be among .* Received: 'rtx', 'int8'"
    ):
        export_tensorrt(plain_model, tmp_path, precision="int8")


def test_unknown_card_is_told() -> None:
    assert capability_names(("turing", "ampere")) == ("SM75", "SM80", "SM86")
    with pytest.raises(
        ExportError, match="capabilities must be some of turing, .* Received: 'volta'"
    ):
        capability_names(("volta",))


@pytest.mark.parametrize(
    "shapes",
    [
        ((1, 8, 16), (1, 64, 64), (1, 64, 64)),
        ((0, 16, 16), (1, 64, 64), (1, 64, 64)),
        ((1, 64, 64), (1, 32, 64), (1, 128, 128)),
    ],
)
def test_profile_out_of_order_is_told(shapes: Any) -> None:
    with pytest.raises(ExportError, match="a profile must have batch >= 1, sizes >= 16"):
        Profile(*shapes)


def test_trtexec_line_says_the_same_as_the_builder() -> None:
    line = trtexec_line("serving_default", SMALL, ClassicOptions(Path("c"), True, True))
    assert line == (
        "trtexec --onnx=model.onnx --saveEngine=model.engine --stronglyTyped --noTF32 "
        "--minShapes=image:1x32x32x3,mask:1x32x32x1 --optShapes=image:1x64x64x3,mask:1x64x64x1 "
        "--maxShapes=image:2x128x128x3,mask:2x128x128x1 --timingCacheFile=c "
        "--hardwareCompatibilityLevel=ampere+ --versionCompatible"
    )
    assert trtexec_line("refine", SMALL).endswith(
        "--maxShapes=image:2x128x128x3,mask:2x128x128x1,guide:2x128x128x3,"
        "sketch:2x128x128x3,sketch_mask:2x128x128x1,reference:4x512x512x3"
    )


def test_calls_outside_the_profile_are_told() -> None:
    def check(name: str, **changed: tuple[int, ...]) -> None:
        image, mask = np.zeros((2, 128, 32, 3), np.float32), np.zeros((2, 128, 32, 1), np.float32)
        inputs = cases.arguments(name, image, mask)
        inputs |= {key: np.zeros(shape, np.float32) for key, shape in changed.items()}
        tensorrt_runtime.check_shapes(name, inputs, SMALL)

    check("serving_default")
    check("refine", reference=(4, 16, 512, 3))
    with pytest.raises(
        ExportError,
        match=r"sizes from \(1, 32, 32, 3\) to \(2, 128, 128, 3\). Received: \(1, 16, 64, 3\)",
    ):
        check("serving_default", image=(1, 16, 64, 3))
    with pytest.raises(ExportError, match=r"mask must be \(2, 128, 32, 1\), like the image"):
        check("serving_default", mask=(2, 64, 32, 1))
    with pytest.raises(ExportError, match=r"reference must be .* to \(4, 512, 512, 3\)"):
        check("refine", reference=(5, 16, 16, 3))


def test_runtime_verifies_the_artefact(plain_onnx: Path) -> None:
    with pytest.raises(ArtefactError, match="format 'tensorrt'. Received: 'onnx'"):
        tensorrt_runtime.Engine(plain_onnx)


def test_runtime_needs_no_tensorflow() -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['tensorflow'] = None; sys.modules['keras'] = None\n"
        "import cnnlg_tf.export.tensorrt_runtime as r; raise SystemExit(r.main(['/nowhere', '--parity']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "must hold manifest.json" in done.stderr
