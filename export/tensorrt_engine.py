"""TensorRT engines, by two builders behind one function.

- `rtx`: TensorRT for RTX builds ahead of time on a machine without a GPU, for the cards that are named.
- `classic`: TensorRT on the machine that will run the engine, a Jetson or a server with a GPU.

Precision lives in the ONNX graph: networks are strongly typed, int8 comes as Q/DQ pairs.
"""

import importlib.util
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export import onnx_model, operators
from cnnlg_tf.export.signatures import DEFAULT, SIGNATURES, Sizes, Tensor, artefact
from cnnlg_tf.export.source import Source
from cnnlg_tf.export.writing import writing
from cnnlg_tf.extras import require
from cnnlg_tf.files import atomic_path

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMAT = "tensorrt"
SUFFIX = ".engine"
PRECISIONS = {"rtx": ("fp32", "fp16"), "classic": ("fp32", "fp16", "int8")}
TURING = "SM75"
CAPABILITIES = {
    "turing": (TURING,),
    "ampere": ("SM80", "SM86"),
    "ada": ("SM89",),
    "blackwell": ("SM120",),
}
REFERENCES = ((1, 16), (1, 256), (4, 512))
"""How many reference photos an engine takes, and their side: least, tuned for, most."""
Builder = Literal["rtx", "classic"]


@dataclass(frozen=True)
class Profile:
    """The sizes that an engine takes, (batch, height, width): least, the one it is tuned for, and most."""

    minimum: Sizes = (1, 16, 16)
    optimum: Sizes = (1, 512, 512)
    maximum: Sizes = (4, 1024, 1024)

    def __post_init__(self) -> None:
        triples = zip(self.minimum, self.optimum, self.maximum, strict=True)
        if (
            min(self.minimum[1:]) < 16
            or self.minimum[0] < 1
            or any(not a <= b <= c for a, b, c in triples)
        ):
            raise ExportError(
                "a profile must have batch >= 1, sizes >= 16 and minimum <= optimum <= maximum. "
                f"Received: {self.minimum}, {self.optimum}, {self.maximum}"
            )

    def shapes(self, tensor: Tensor) -> list[tuple[int, ...]]:
        """Least, tuned and most sizes of an argument."""
        made = []
        for (batch, height, width), (count, side) in zip(
            (self.minimum, self.optimum, self.maximum), REFERENCES, strict=True
        ):
            sizes = {"batch": batch, "height": height, "width": width}
            sizes |= {"references": count, "reference_height": side, "reference_width": side}
            made.append(tuple(sizes[n] if isinstance(n, str) else n for n in tensor.shape))
        return made

    def arguments(self, name: str) -> dict[str, list[tuple[int, ...]]]:
        """`shapes` of each argument of a signature that has a free size."""
        inputs = SIGNATURES[name].inputs.items()
        return {
            argument: self.shapes(tensor)
            for argument, tensor in inputs
            if any(isinstance(size, str) for size in tensor.shape)
        }


@dataclass(frozen=True)
class ClassicOptions:
    """What only the classic builder knows.

    timing_cache: a file that later builds start from, made when absent; hardware_compatible: run on Ampere cards and
    newer, at some cost; version_compatible: run with later TensorRT versions of the same major.
    """

    timing_cache: Path | None = None
    hardware_compatible: bool = False
    version_compatible: bool = False


def export_tensorrt(
    model: "CNNLG",
    path: str | Path,
    *,
    precision: str = "fp16",
    allow_loss: bool = False,
    source: Source | None = None,
    builder: Builder = "rtx",
    profile: Profile | None = None,
    capabilities: tuple[str, ...] = ("ampere", "ada", "blackwell"),
    classic: ClassicOptions | None = None,
) -> Path:
    """Write an engine a signature (`path/model.engine`, `path/refine.engine`), beside each the ONNX model that it was
    built from, and their manifest.

    The ONNX models' parity is checked here; the engines' own needs a GPU: `tensorrt_runtime` checks it there.

    Args:
        source: what other exports of this model share, and the photos that calibrate int8.
        capabilities: for rtx, generations of cards: turing, ampere, ada, blackwell.

    Raises:
        ExportError: an unknown precision or card, a builder that cannot work on this machine, or a graph that TensorRT
            refuses.
        MissingExtraError: the extra `tensorrt-rtx` or `onnx` is not installed.
    """
    if builder not in PRECISIONS or precision not in PRECISIONS[builder]:
        raise ExportError(
            f"builder and precision must be among {PRECISIONS}. Received: {builder!r}, {precision!r}"
        )
    sm_names = capability_names(capabilities)
    profile = profile or Profile()
    trt = check_builder(builder)
    classic = classic or ClassicOptions()
    source = source or Source(model)
    with writing(path, FORMAT, precision, source, allow_loss=allow_loss) as draft:
        for name in draft.names:
            proto = source.tensorrt_onnx(name)
            operators.check_tensorrt(proto)
            file = onnx_model.write_model(proto, source, name, draft.folder, precision)
            engine = _build(trt, file, profile.arguments(name), builder, sm_names, classic)
            (draft.folder / artefact(name, SUFFIX)).write_bytes(engine)
        draft.packages = onnx_model.PACKAGES
        draft.details = {
            "builder": builder,
            "tensorrt": trt.__version__,
            "compute_capabilities": list(sm_names) if builder == "rtx" else "this machine's",
            "profile": asdict(profile),
            "opset": onnx_model.OPSET,
        }
    return Path(path)


def _build(
    trt: Any,
    file: Path,
    shapes: dict[str, list[tuple[int, ...]]],
    builder: Builder,
    sm_names: tuple[str, ...],
    classic: ClassicOptions,
) -> Any:
    """The serialised engine of an ONNX file."""
    logger = _logger(trt)
    content = file.read_bytes()
    # all cards of an engine share one graph; without Turing matrix products are left to the cards' own kernels
    if builder == "rtx" and TURING in sm_names:
        content = onnx_model.without_products(content)
    network, config, trt_builder = _network(trt, logger, content, shapes)
    if builder == "rtx":
        config.num_compute_capabilities = len(sm_names)
        for index, name in enumerate(sm_names):
            config.set_compute_capability(getattr(trt.ComputeCapability, name), index)
    else:
        _configure_classic(trt, config, classic)
    engine = trt_builder.build_serialized_network(network, config)
    if engine is None:
        raise ExportError(
            f"TensorRT must build the engine of {file.name}. Received: {logger.text()}"
        )
    if builder == "classic" and classic.timing_cache:
        with atomic_path(classic.timing_cache) as cache:
            cache.write_bytes(config.get_timing_cache().serialize())
    return engine


def capability_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Compute capabilities of generations of cards: ("ada",) -> ("SM89",)."""
    unknown = [name for name in names if name not in CAPABILITIES]
    if unknown or not names:
        raise ExportError(
            f"capabilities must be some of {', '.join(CAPABILITIES)}. Received: {', '.join(names)!r}"
        )
    return tuple(sm for name in names for sm in CAPABILITIES[name])


def trtexec_line(name: str, profile: Profile, classic: ClassicOptions | None = None) -> str:
    """The `trtexec` command that builds what the classic builder builds from the ONNX model of a signature."""
    options = classic or ClassicOptions()
    onnx_file, engine_file = artefact(name, onnx_model.SUFFIX), artefact(name, SUFFIX)
    parts = [f"trtexec --onnx={onnx_file} --saveEngine={engine_file} --stronglyTyped --noTF32"]
    for kind, index in (("min", 0), ("opt", 1), ("max", 2)):
        sizes = ",".join(
            f"{argument}:{'x'.join(map(str, shapes[index]))}"
            for argument, shapes in profile.arguments(name).items()
        )
        parts.append(f"--{kind}Shapes={sizes}")
    if options.timing_cache:
        parts.append(f"--timingCacheFile={options.timing_cache}")
    if options.hardware_compatible:
        parts.append("--hardwareCompatibilityLevel=ampere+")
    if options.version_compatible:
        parts.append("--versionCompatible")
    return " ".join(parts)


def check_builder(builder: Builder) -> Any:
    """The builder's Python module, if it can work on this machine.

    Raises:
        MissingExtraError: the extra `tensorrt-rtx` is not installed.
        ExportError: the classic builder lacks its package or a GPU.
    """
    return _classic_module() if builder == "classic" else require("tensorrt_rtx", "tensorrt-rtx")


def _classic_module() -> Any:
    missing = []
    if importlib.util.find_spec("tensorrt") is None:
        missing.append(
            "the Python package tensorrt (pip install 'cnnlg-tf[tensorrt]', or JetPack's)"
        )
    if (
        shutil.which("nvidia-smi") is None
        and not Path("/dev/nvidia0").exists()
        and not Path("/dev/nvgpu").exists()
    ):
        missing.append("an NVIDIA GPU with its driver")
    if missing:
        raise ExportError(
            "TensorRT's classic builder must run on the machine with the GPU. Missing here: "
            f"{' and '.join(missing)}. --builder rtx needs no GPU; or export ONNX here and build there: "
            f"{trtexec_line(DEFAULT, Profile())}"
        )
    return importlib.import_module("tensorrt")


def _logger(trt: Any) -> Any:
    class Logger(trt.ILogger):  # type: ignore[misc,name-defined]
        """Keeps errors for the exception's text; says nothing else."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.lines: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.lines.append(message)

        def text(self) -> str:
            return "; ".join(self.lines) or "no reason given"

    return Logger()


def _network(
    trt: Any, logger: Any, content: bytes, shapes: dict[str, list[tuple[int, ...]]]
) -> tuple[Any, Any, Any]:
    """(network, config, builder) for an ONNX file's content, the profile set; the builder must outlive the others."""
    builder = trt.Builder(logger)
    flag = getattr(
        trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None
    )  # TensorRT 11 has no other kind
    network = builder.create_network(0 if flag is None else 1 << int(flag))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(content):
        reasons = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise ExportError(f"TensorRT's parser must take the ONNX model. Received: {reasons}")
    config = builder.create_builder_config()
    # on by default, it lets cards round float32 factors to 11 bits: guided synthesis counts on exact sums of squares
    config.clear_flag(trt.BuilderFlag.TF32)
    profile = builder.create_optimization_profile()
    for argument, triple in shapes.items():
        profile.set_shape(argument, *triple)
    config.add_optimization_profile(profile)
    return network, config, builder


def _configure_classic(trt: Any, config: Any, options: ClassicOptions) -> None:
    if options.hardware_compatible:
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    if options.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if options.timing_cache:
        old = options.timing_cache.read_bytes() if options.timing_cache.exists() else b""
        config.set_timing_cache(config.create_timing_cache(old), ignore_mismatch=False)
