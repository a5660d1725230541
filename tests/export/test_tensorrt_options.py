"""What the builders are told, by one that records it; and the command lines of docs/tensorrt.md."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export import onnx_model, tensorrt_engine
from cnnlg_tf.export.tensorrt_engine import ClassicOptions, Profile, trtexec_line

PROFILE = Profile((1, 32, 32), (1, 64, 64), (2, 128, 128))
DOCS = Path(__file__).parents[2] / "docs" / "tensorrt.md"


class Recorder:
    """An object that takes every call and attribute, and keeps them in the order in which they came."""

    def __init__(self, said: list[Any], name: str, **answers: Any) -> None:
        self.__dict__.update(_said=said, _name=name, **answers)

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> None:
            self._said.append((f"{self._name}.{name}", *arguments, *named.items()))

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        self._said.append((f"{self._name}.{name} =", value))


@pytest.fixture
def said() -> list[Any]:
    """What the fake builder was told."""
    return []


@pytest.fixture
def trt(said: list[Any]) -> Any:
    """Stands for tensorrt: builds b"engine" of whatever it is given."""
    cache = SimpleNamespace(serialize=lambda: b"timings")

    def create_cache(old: bytes) -> str:
        said.append(("create_timing_cache", old))
        return "cache"

    config = Recorder(
        said, "config", create_timing_cache=create_cache, get_timing_cache=lambda: cache
    )
    builder = SimpleNamespace(
        create_network=lambda flags: said.append(("create_network", flags)) or "network",
        create_builder_config=lambda: config,
        create_optimization_profile=lambda: Recorder(said, "profile"),
        build_serialized_network=lambda network, config: b"engine",
    )
    parser = SimpleNamespace(
        parse=lambda data: data == b"onnx", num_errors=1, get_error=lambda i: "no"
    )
    return SimpleNamespace(
        Builder=lambda logger: builder,
        OnnxParser=lambda network, logger: parser,
        ILogger=type("ILogger", (), {"__init__": lambda self: None}),
        NetworkDefinitionCreationFlag=SimpleNamespace(STRONGLY_TYPED=1),
        HardwareCompatibilityLevel=SimpleNamespace(AMPERE_PLUS="ampere+"),
        BuilderFlag=SimpleNamespace(TF32="tf32", VERSION_COMPATIBLE="version"),
        ComputeCapability=SimpleNamespace(SM75="sm75", SM86="sm86", SM89="sm89"),
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"onnx")
    return path


def build(trt: Any, file: Path, builder: Any, classic: ClassicOptions, *cards: str) -> Any:
    shapes = PROFILE.arguments("serving_default")
    return tensorrt_engine._build(trt, file, shapes, builder, cards, classic)


def test_both_builders_are_told_the_profile_and_exact_types(
    trt: Any, said: list[Any], file: Path
) -> None:
    for builder in ("classic", "rtx"):
        said.clear()
        assert build(trt, file, builder, ClassicOptions()) == b"engine"
        assert said[:2] == [("create_network", 2), ("config.clear_flag", "tf32")]
        assert [each for each in said if each[0] == "profile.set_shape"] == [
            ("profile.set_shape", "image", (1, 32, 32, 3), (1, 64, 64, 3), (2, 128, 128, 3)),
            ("profile.set_shape", "mask", (1, 32, 32, 1), (1, 64, 64, 1), (2, 128, 128, 1)),
        ]


def test_classic_is_told_nothing_that_was_not_asked_for(
    trt: Any, said: list[Any], file: Path
) -> None:
    build(trt, file, "classic", ClassicOptions())
    assert {each[0] for each in said} == {
        "create_network",
        "config.clear_flag",
        "profile.set_shape",
        "config.add_optimization_profile",
    }


def test_classic_is_told_of_compatibility_and_timings(
    trt: Any, said: list[Any], file: Path, tmp_path: Path
) -> None:
    timings = tmp_path / "engine.cache"
    options = ClassicOptions(timings, hardware_compatible=True, version_compatible=True)
    build(trt, file, "classic", options)
    assert said[-4:] == [
        ("config.hardware_compatibility_level =", "ampere+"),
        ("config.set_flag", "version"),
        ("create_timing_cache", b""),
        ("config.set_timing_cache", "cache", ("ignore_mismatch", False)),
    ]
    assert timings.read_bytes() == b"timings"
    build(trt, file, "classic", options)
    assert said[-2] == ("create_timing_cache", b"timings"), "later builds start from them"


def test_rtx_is_told_the_cards(trt: Any, said: list[Any], file: Path) -> None:
    build(trt, file, "rtx", ClassicOptions(), "SM86", "SM89")
    assert said[-3:] == [
        ("config.num_compute_capabilities =", 2),
        ("config.set_compute_capability", "sm86", 0),
        ("config.set_compute_capability", "sm89", 1),
    ]


def test_only_for_turing_matrix_products_are_written_out(
    trt: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []
    parser = SimpleNamespace(parse=lambda content: parsed.append(content) or True)
    trt.OnnxParser = lambda network, logger: parser
    monkeypatch.setattr(onnx_model, "without_products", lambda content: b"sums of " + content)
    for builder, cards in (
        ("rtx", ("SM75", "SM86")),
        ("rtx", ("SM86", "SM89")),
        ("classic", ("SM75",)),
    ):
        build(trt, file, builder, ClassicOptions(), *cards)
    assert parsed == [b"sums of onnx", b"onnx", b"onnx"]


def test_refused_graphs_and_builds_are_told(trt: Any, file: Path) -> None:
    trt.Builder(None).build_serialized_network = lambda network, config: None
    with pytest.raises(ExportError, match=r"build the engine of model.onnx. Received: no reason"):
        build(trt, file, "classic", ClassicOptions())
    file.write_bytes(b"other")
    with pytest.raises(ExportError, match="parser must take the ONNX model. Received: no"):
        build(trt, file, "classic", ClassicOptions())


def commands(tool: str) -> list[list[str]]:
    """The words of each of a tool's command lines in the docs."""
    text = DOCS.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(rf"^ +({tool} .*)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_trtexec_lines_of_the_docs_are_those_of_the_builder() -> None:
    documented = commands("trtexec")
    options = ClassicOptions(Path("engine.cache"))
    assert documented == [
        trtexec_line(name, Profile(), options).split() for name in ("serving_default", "refine")
    ]


@pytest.mark.skipif(
    importlib.util.find_spec("polygraphy") is None, reason="needs polygraphy (extra `dev`)"
)
def test_polygraphy_takes_the_lines_of_the_docs(tmp_path: Path) -> None:
    (words,) = commands("polygraphy")
    script = tmp_path / "run.py"
    code = "import sys; from polygraphy.tools import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *words[1:], "--gen-script", str(script)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "strongly_typed=True" in script.read_text() and "OnnxrtRunner" in script.read_text()
