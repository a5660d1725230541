"""OpenVINO for Intel and AMD processors: its converter takes our ONNX model as it is."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from cnnlg_tf.errors import ArtefactError
from cnnlg_tf.export.loaded import Function, Loaded, one_a_file
from cnnlg_tf.export.signatures import SIGNATURES, artefact
from cnnlg_tf.export.source import Source
from cnnlg_tf.export.writing import writing
from cnnlg_tf.extras import require

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMAT = "openvino"
SUFFIX = ".xml"

_log = logging.getLogger(__name__)


def export_openvino(
    model: "CNNLG",
    path: str | Path,
    *,
    precision: str = "fp32",
    allow_loss: bool = False,
    source: Source | None = None,
) -> Path:
    """Write `path/model.xml` and `path/refine.xml`, each with its `.bin`, and their manifest.

    Args:
        precision: fp32, arithmetic included; or fp16: weights stored as float16, arithmetic as the processor likes it.
        allow_loss: write the files even if their parity misses the bar.
        source: what other exports of this model share.

    Raises:
        MissingExtraError: the extra `openvino` or `onnx` is not installed.
        ExportError: an unknown precision, the folder cannot be written, or its output is too far from the model's.
    """
    source = source or Source(model)
    with writing(path, FORMAT, precision, source, allow_loss=allow_loss) as draft:
        openvino = require("openvino", "openvino")
        for name in draft.names:
            converted = openvino.Core().read_model(source.onnx(name).SerializeToString())
            file = draft.folder / artefact(name, SUFFIX)
            if precision == "fp32":
                _anchor(converted, list(SIGNATURES[name].outputs)[-1])
            openvino.save_model(converted, file, compress_to_fp16=precision == "fp16")
            if precision == "fp32":
                _keep_float32(file)
                _tell_rounded(file)
        draft.packages = ("openvino",)
    return Path(path)


# Where paths of floats end, and how many of a layer's inputs they are: products, searches and comparisons.
ENDS = {
    "Convolution": 1,
    "GroupConvolution": 1,
    "MatMul": 2,
    "TopK": 1,
    "Less": 1,
    "Greater": 1,
    "GreaterEqual": 1,
}


def load(folder: Path, threads: int = 0) -> Loaded:
    """An export folder's models on the CPU in float32 arithmetic.

    Args:
        threads: 0 takes all cores.

    Raises:
        ArtefactError: OpenVINO cannot load one.
    """
    openvino = require("openvino", "openvino")
    # By default OpenVINO computes in bfloat16 where the processor can do so.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}

    def load_file(path: Path, name: str) -> Function:
        try:
            compiled = openvino.Core().compile_model(path, "CPU", settings)
        except RuntimeError as error:
            raise ArtefactError(
                f"{path} must be a model that OpenVINO loads. Received: {error}"
            ) from error

        def run(**inputs: Any) -> dict[str, np.ndarray]:
            result = compiled(inputs)
            return {key: result[key] for key in SIGNATURES[name].outputs}

        return run

    return one_a_file(folder, SUFFIX, load_file)


def rounded_layers(file: Path) -> list[str]:
    """Names of the layers that compute in bfloat16 when nothing is asked for; none where the processor cannot."""
    openvino = require("openvino", "openvino")
    core = openvino.Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return []
    layers = core.compile_model(file, "CPU").get_runtime_model().get_ops()
    return [
        layer.get_friendly_name()
        for layer in layers
        if layer.get_rt_info()["runtimePrecision"].astype(str) == "bf16"
    ]


def _tell_rounded(file: Path) -> None:
    rounded = rounded_layers(file)
    if rounded:
        _log.warning(
            "without INFERENCE_PRECISION_HINT f32 OpenVINO computes %d layers in bfloat16 here: %s",
            len(rounded),
            ", ".join(rounded[:5]),
        )


def _keep_float32(file: Path) -> None:
    """Mark every layer of a saved model as one whose precision must stay; see `_anchor`."""
    tree = ElementTree.parse(file)
    for layer in tree.iterfind("layers/layer"):
        if layer.get("type") not in ("Parameter", "Result"):
            known = layer.find("rt_info")
            info = ElementTree.SubElement(layer, "rt_info") if known is None else known
            ElementTree.SubElement(info, "attribute", {"name": "precise", "version": "0"})
    tree.write(file, encoding="utf-8", xml_declaration=True)


def _anchor(model: Any, last: str) -> None:
    """Add nothing to the result `last`, computed from one value of each tensor that ends a path of floats (`ENDS`).

    OpenVINO computes in bfloat16 where the processor can, unless whoever compiles the model forbids it: the property
    INFERENCE_PRECISION_HINT is theirs, and a file cannot set it. But convolutions and products keep float32 when the
    file marks them, and other layers when a path leads from them to a result without passing one of those (their own
    marks get lost as OpenVINO rewrites them). This is the path; it costs no time that could be measured.
    """
    import openvino
    import openvino.opset8 as ops
    from openvino._offline_transformations import apply_moc_transformations

    apply_moc_transformations(
        model, cf=True
    )  # or it would fuse products later, and lose their marks
    read = {}
    for layer in model.get_ordered_ops():
        for value in (layer.input_value(i) for i in range(ENDS.get(layer.get_type_name(), 0))):
            constant = value.get_node().get_type_name() in ("Constant", "Parameter")
            if not constant and value.get_element_type() == openvino.Type.f32:
                read[value.get_node().get_friendly_name(), value.get_index()] = value
    ones = []
    for value in read.values():
        rank = value.get_partial_shape().rank.get_length()
        first, end = np.zeros(rank, np.int64), np.ones(rank, np.int64)
        one = ops.slice(value, first, end, end) if rank else value
        ones.append(ops.reshape(one, np.array([1]), False))
    total = ops.reduce_sum(ops.abs(ops.concat(ones, 0)), np.array([0]), False)
    nothing = ops.minimum(total, np.float32(0.0))
    result = next(r for r in model.get_results() if last in r.input_value(0).get_names())
    source = result.input_value(0)
    anchored = ops.add(source, ops.convert(nothing, source.get_element_type())).output(0)
    anchored.set_names(source.get_names())
    source.set_names(set())
    result.input(0).replace_source_output(anchored)
    model.validate_nodes_and_infer_types()
