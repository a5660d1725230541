"""ONNX through tf2onnx: one graph with free batch, height and width that onnxruntime, TensorRT and OpenVINO take."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export import manifest, onnx_graph, operators, parity
from cnnlg_tf.export.frozen import FrozenGraph, freeze
from cnnlg_tf.export.quiet import errors_only
from cnnlg_tf.export.signatures import DEFAULT, SIGNATURES
from cnnlg_tf.extras import require
from cnnlg_tf.files import atomic_path

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMAT = "onnx"
FILE = "model.onnx"
OPSET = 17  # TensorRT from 8.6 (JetPack 6) on reads it, onnxruntime from 1.12 on
PRECISIONS = ("fp32", "fp16", "int8")
PACKAGES = ("onnx", "tf2onnx", "onnxruntime")


def export_onnx(
    model: "CNNLG",
    path: str | Path,
    *,
    precision: str = "fp32",
    calibration: list[np.ndarray] | None = None,
    allow_loss: bool = False,
    proto: Any = None,
) -> Path:
    """Write `path/model.onnx` and its manifest.

    Args:
        precision: fp32, fp16 (weights and most arithmetic; inputs and results stay float32) or int8 (Q/DQ around the
            convolutions, calibrated).
        calibration: photos for int8, float32 [height, width, 3] in [0, 1]; drawn pictures when None.
        allow_loss: write the file even if its parity misses the bar.
        proto: what `to_onnx` gave for this model, when it is at hand.

    Returns:
        `path`.

    Raises:
        MissingExtraError: the extra `onnx` is not installed.
        ExportError: an unknown precision, the folder cannot be written, the graph uses operators that TensorRT does not
            know, or its output is too far from the model's.
    """
    path = Path(path)
    try:
        with atomic_path(path) as folder:
            folder.mkdir()
            figures = write_model(
                model,
                folder,
                precision=precision,
                calibration=calibration,
                allow_loss=allow_loss,
                proto=proto,
            )
            manifest.write_manifest(
                folder,
                model,
                format=FORMAT,
                precision=precision,
                signatures=[DEFAULT],
                packages=PACKAGES,
                opset=OPSET,
                parity=figures,
            )
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error}") from error
    return path


def write_model(
    model: "CNNLG",
    folder: Path,
    *,
    precision: str,
    calibration: list[np.ndarray] | None,
    allow_loss: bool,
    proto: Any,
) -> dict[str, Any]:
    """Write `folder/model.onnx`; its parity figures. Arguments and errors are those of `export_onnx`."""
    if precision not in PRECISIONS:
        raise ExportError(
            f"precision must be one of {PRECISIONS} for ONNX. Received: {precision!r}"
        )
    require("onnxruntime", "onnx")
    import onnx

    proto = _with_precision(proto or to_onnx(model), precision, calibration)
    operators.check_tensorrt(proto)
    onnx.save(proto, folder / FILE)
    return parity.check(model, load_runner(folder, verify=False), precision, allow_loss=allow_loss)


def load_runner(folder: str | Path, *, threads: int = 0, verify: bool = True) -> parity.Runner:
    """An export folder's model in onnxruntime on the CPU, as a function of numpy arrays.

    Args:
        threads: 0 takes all cores.

    Raises:
        ArtefactError: the file is not that of the manifest, or onnxruntime cannot load it.
    """
    ort = require("onnxruntime", "onnx")
    if verify:
        manifest.verify(folder, format=FORMAT)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    path = Path(folder) / FILE
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


def to_onnx(model: "CNNLG", frozen: FrozenGraph | None = None) -> Any:
    """The model's float32 onnx.ModelProto: checked, simplified, tensors named as in the SavedModel.

    Raises:
        MissingExtraError: the extra `onnx` is not installed.
    """
    for module in ("onnx", "tf2onnx", "onnxruntime"):
        require(module, "onnx")
    import onnx
    import tensorflow as tf
    from tf2onnx.tfonnx import process_tf_graph

    frozen = frozen or freeze(model)
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


def _with_precision(proto: Any, precision: str, calibration: list[np.ndarray] | None) -> Any:
    from cnnlg_tf.export import onnx_precision, quantise

    if precision == "fp16":
        return onnx_precision.to_float16(proto)
    return quantise.quantise(proto, calibration) if precision == "int8" else proto


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
