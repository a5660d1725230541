"""ONNX through tf2onnx: one graph with free batch, height and width that onnxruntime, TensorRT and OpenVINO take."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlg_tf.errors import ArtefactError
from cnnlg_tf.export import onnx_graph, parity
from cnnlg_tf.export.formats import FORMATS
from cnnlg_tf.export.frozen import FrozenGraph
from cnnlg_tf.export.quiet import errors_only
from cnnlg_tf.export.signatures import DEFAULT, SIGNATURES
from cnnlg_tf.export.source import Source
from cnnlg_tf.export.writing import prove, writing
from cnnlg_tf.extras import require

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMAT = "onnx"
FILE = "model.onnx"
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
    """Write `path/model.onnx` and its manifest.

    Args:
        precision: fp32, fp16 (weights and most arithmetic; inputs and results stay float32) or int8 (Q/DQ around the
            convolutions, calibrated).
        allow_loss: write the file even if its parity misses the bar.
        source: what other exports of this model share, and the photos that calibrate int8.

    Returns:
        `path`.

    Raises:
        MissingExtraError: the extra `onnx` is not installed.
        ExportError: an unknown precision, the folder cannot be written, or its output is too far from the model's.
    """
    FORMATS[FORMAT].choose(precision)
    source = source or Source(model)
    with writing(path) as folder:
        write_model(source.onnx, source, folder, precision)
        prove(
            model,
            folder,
            FORMAT,
            precision,
            allow_loss=allow_loss,
            packages=PACKAGES,
            opset=OPSET,
        )
    return Path(path)


def write_model(proto: Any, source: Source, folder: Path, precision: str) -> None:
    """Write `proto`, one of the source's, as `folder/model.onnx`. Errors are those of `export_onnx`."""
    import onnx

    from cnnlg_tf.export import onnx_precision, quantise

    if precision == "fp16":
        proto = onnx_precision.to_float16(proto)
    elif precision == "int8":
        proto = quantise.quantise(proto, source.calibration)
    onnx.save(proto, folder / FILE)


def load_runner(folder: Path, threads: int = 0) -> parity.Runner:
    """An export folder's model in onnxruntime on the CPU, as a function of numpy arrays.

    Args:
        threads: 0 takes all cores.

    Raises:
        ArtefactError: onnxruntime cannot load it.
    """
    ort = require("onnxruntime", "onnx")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    path = folder / FILE
    try:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise ArtefactError(
            f"{path} must be an ONNX model that onnxruntime loads. Received: {error}"
        ) from error
    names = list(SIGNATURES[DEFAULT].outputs)

    def run(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        repaired, uncertainty = session.run(names, {"image": image, "mask": mask})
        return repaired, uncertainty

    return run


def to_onnx(frozen: FrozenGraph) -> Any:
    """The frozen graph's float32 onnx.ModelProto: checked, simplified, tensors named as in the SavedModel.

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
    _name_free_sizes(proto.graph)
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
        options.optimized_model_filepath = str(Path(folder) / FILE)
        ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        simplified = onnx.load(options.optimized_model_filepath)
    for opset in [o for o in simplified.opset_import if o.domain]:
        simplified.opset_import.remove(opset)
    return simplified


def _name_free_sizes(graph: Any) -> None:
    for tensors, expected in (
        (graph.input, SIGNATURES[DEFAULT].inputs),
        (graph.output, SIGNATURES[DEFAULT].outputs),
    ):
        for tensor in tensors:
            dims = tensor.type.tensor_type.shape.dim
            for dim, size in zip(dims, expected[tensor.name].shape, strict=True):
                if isinstance(size, str):
                    dim.dim_param = size
                else:
                    dim.dim_value = size
