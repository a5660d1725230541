"""ONNX through tf2onnx: one graph with free batch, height and width that onnxruntime, TensorRT and OpenVINO take."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export import manifest, parity
from cnnlg_tf.export.frozen import freeze
from cnnlg_tf.export.signatures import DEFAULT, SIGNATURES
from cnnlg_tf.extras import require
from cnnlg_tf.files import atomic_path

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMAT = "onnx"
FILE = "model.onnx"
OPSET = 17
"""The newest that tf2onnx converts to without its own warnings, and old enough for TensorRT 8.6 and JetPack 6."""


def to_onnx(model: "CNNLG") -> Any:
    """The model's float32 onnx.ModelProto: checked, simplified, tensors named as in the SavedModel.

    Raises:
        MissingExtraError: the extra `onnx` is not installed.
    """
    for module in ("onnx", "tf2onnx", "onnxslim"):
        require(module, "onnx")
    import onnx
    import onnxslim
    import tensorflow as tf
    from tf2onnx import optimizer
    from tf2onnx.tfonnx import process_tf_graph

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    frozen = freeze(model)
    names = {tensor: name for name, tensor in (frozen.inputs | frozen.outputs).items()}
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen.graph_def, name="")
        converted = process_tf_graph(
            graph,
            input_names=list(frozen.inputs.values()),
            output_names=list(frozen.outputs.values()),
            opset=OPSET,
            tensors_to_rename=names,
        )
        # Keeping a copy to fall back on at each pass, the default, would double the time.
        proto = optimizer.optimize_graph(converted, catch_errors=False).make_model("cnnlg")
    proto = onnxslim.slim(proto)
    _write_paddings(proto.graph)
    _tidy_slices(proto.graph)
    _name_free_sizes(proto.graph)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _write_paddings(graph: Any) -> None:
    """Turn "same" into numbers: onnxruntime refuses it for dilated convolutions, quantisers and parsers like it better.

    Inside the model sizes are multiples of 16, so an input of stride 2 is even: "same" pads one row below and right.
    """
    from onnx import helper

    for node in graph.node:
        attributes = {a.name: a for a in node.attribute}
        if node.op_type != "Conv" or attributes.get("auto_pad") is None:
            continue
        if attributes["auto_pad"].s == b"SAME_UPPER":
            sizes, strides, dilations = (
                list(attributes[key].ints) if key in attributes else [1, 1]
                for key in ("kernel_shape", "strides", "dilations")
            )
            totals = [
                d * (k - 1) + 1 - s for k, s, d in zip(sizes, strides, dilations, strict=True)
            ]
            begins = [max(total, 0) // 2 for total in totals]
            ends = [max(total, 0) - begin for total, begin in zip(totals, begins, strict=True)]
            node.attribute.append(helper.make_attribute("pads", begins + ends))
        node.attribute.remove(attributes["auto_pad"])


def _tidy_slices(graph: Any) -> None:
    """Leave out axes that a Slice takes whole, and write "to the end" as ONNX does: the largest int64.

    tf2onnx writes a number near 2**31 instead, which OpenVINO takes for a bound of the size.
    """
    from onnx import numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    end_of_axis = np.iinfo(np.int64).max
    for index, node in enumerate(list(graph.node)):
        if node.op_type != "Slice" or any(name not in constants for name in node.input[1:]):
            continue
        starts, ends, *rest = (constants[name].astype(np.int64) for name in node.input[1:])
        axes = rest[0] if rest else np.arange(len(starts))
        steps = rest[1] if len(rest) > 1 else np.ones_like(starts)
        ends = np.where((ends >= 10**9) & (steps > 0), end_of_axis, ends)
        starts = np.where((starts >= 10**9) & (steps < 0), end_of_axis, starts)
        ends = np.where((ends <= -(10**9)) & (steps < 0), -end_of_axis, ends)
        kept = ~((starts == 0) & (ends == end_of_axis) & (steps == 1))
        del node.input[1:]
        for key, values in zip(
            ("starts", "ends", "axes", "steps"), (starts, ends, axes, steps), strict=True
        ):
            name = f"slice_{index}_{key}"
            graph.initializer.append(numpy_helper.from_array(values[kept], name))
            node.input.append(name)
    used = {name for node in graph.node for name in node.input}
    for tensor in [t for t in graph.initializer if t.name not in used]:
        graph.initializer.remove(tensor)


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
