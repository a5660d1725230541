"""ONNX through tf2onnx: one graph a signature, with free sizes, that onnxruntime, TensorRT and OpenVINO take."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlg_tf.errors import ArtefactError
from cnnlg_tf.export import onnx_graph
from cnnlg_tf.export.frozen import FrozenGraph
from cnnlg_tf.export.loaded import Function, Loaded, one_a_file
from cnnlg_tf.export.quiet import errors_only
from cnnlg_tf.export.signatures import SIGNATURES, artefact
from cnnlg_tf.export.source import Source
from cnnlg_tf.export.writing import writing
from cnnlg_tf.extras import require

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMAT = "onnx"
SUFFIX = ".onnx"
OPSET = 17  # TensorRT from 8.6 (JetPack 6) on reads it, onnxruntime from 1.12 on
PACKAGES = ("onnx", "tf2onnx", "onnxruntime")


def export_onnx(
    model: "CNNLG",
    path: str | Path,
    *,
    precision: str = "fp32",
    allow_loss: bool = False,
    source: Source | None = None,
) -> Path:
    """Write `path/model.onnx`, `path/refine.onnx` and their manifest.

    Args:
        precision: fp32, fp16 (weights and most arithmetic; inputs and results stay float32) or int8 (Q/DQ around the
            convolutions, calibrated).
        allow_loss: write the files even if their parity misses the bar.
        source: what other exports of this model share, and the photos that calibrate int8.

    Returns:
        `path`.

    Raises:
        MissingExtraError: the extra `onnx` is not installed.
        ExportError: an unknown precision, the folder cannot be written, or its output is too far from the model's.
    """
    source = source or Source(model)
    with writing(path, FORMAT, precision, source, allow_loss=allow_loss) as draft:
        for name in draft.names:
            proto = onnx_graph.match_shapes(source.onnx(name))
            write_model(proto, source, name, draft.folder, precision)
        draft.packages, draft.details = PACKAGES, {"opset": OPSET}
    return Path(path)


def write_model(proto: Any, source: Source, name: str, folder: Path, precision: str) -> Path:
    """Write `proto`, the source's of this signature, to its file in `folder`. Errors are those of `export_onnx`."""
    import onnx

    from cnnlg_tf.export import onnx_precision, quantise

    if precision == "fp16":
        proto = onnx_precision.to_float16(proto)
    elif precision == "int8":
        proto = quantise.quantise(proto, name, source.calibration)
    file = folder / artefact(name, SUFFIX)
    onnx.save(proto, file)
    return file


def load(folder: Path, threads: int = 0) -> Loaded:
    """An export folder's models in onnxruntime on the CPU.

    Args:
        threads: 0 takes all cores.

    Raises:
        ArtefactError: onnxruntime cannot load one.
    """
    ort = require("onnxruntime", "onnx")

    def load_file(path: Path, name: str) -> Function:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            content = path.read_bytes()
            # Its passes over a graph that is simplified already take seconds of a first repair, and make a later one
            # of 512 px no faster, of 288 px by a sixth. A graph of Q/DQ pairs is integer arithmetic only after them.
            if b"QuantizeLinear" not in content:
                options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
            session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise ArtefactError(
                f"{path} must be an ONNX model that onnxruntime loads. Received: {error}"
            ) from error
        names = list(SIGNATURES[name].outputs)
        return lambda **inputs: dict(zip(names, session.run(names, inputs), strict=True))

    return one_a_file(folder, SUFFIX, load_file)


def to_onnx(frozen: FrozenGraph, name: str) -> Any:
    """A signature's frozen graph as a float32 onnx.ModelProto: checked, simplified, tensors named as in the SavedModel.

    Raises:
        MissingExtraError: the extra `onnx` is not installed.
    """
    for module in ("onnx", "tf2onnx", "onnxruntime"):
        require(module, "onnx")
    import onnx
    import tensorflow as tf
    from tf2onnx.tfonnx import process_tf_graph

    names = {tensor: name for name, tensor in (frozen.inputs | frozen.outputs).items()}
    with errors_only("tf2onnx"), tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen.graph_def, name="")
        converted = process_tf_graph(
            graph,
            input_names=list(frozen.inputs.values()),
            output_names=list(frozen.outputs.values()),
            opset=OPSET,
            tensors_to_rename=names,
        )
        converted.delete_unused_nodes(converted.outputs)
        proto = converted.make_model("cnnlg")
    onnx_graph.widen_integers(proto.graph)
    proto = simplify(proto)
    onnx_graph.tidy(proto.graph)
    _name_free_sizes(proto.graph, name)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def simplify(proto: Any) -> Any:
    """Fold constants, merge what is double and move transposes out of the way, with onnxruntime's basic passes.

    They write standard operators only, and take half a second; tf2onnx's own passes took half a minute on this graph
    and left three times as many transposes.
    """
    import onnx
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "simplified.onnx")
        ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        simplified = onnx.load(options.optimized_model_filepath)
    for opset in [o for o in simplified.opset_import if o.domain]:
        simplified.opset_import.remove(opset)
    return simplified


def without_products(content: bytes) -> bytes:
    """An ONNX file's content, its matrix products written out by `onnx_graph.sum_products`."""
    import onnx

    proto = onnx.load_from_string(content)
    onnx_graph.sum_products(proto.graph)
    onnx.checker.check_model(proto, full_check=True)
    written: bytes = proto.SerializeToString()
    return written


def _name_free_sizes(graph: Any, name: str) -> None:
    signature = SIGNATURES[name]
    for tensors, expected in ((graph.input, signature.inputs), (graph.output, signature.outputs)):
        for tensor in tensors:
            dims = tensor.type.tensor_type.shape.dim
            for dim, size in zip(dims, expected[tensor.name].shape, strict=True):
                if not isinstance(size, str):
                    dim.dim_value = size
                elif not dim.dim_value:  # else the source has a shape
                    dim.dim_param = size
