"""INT8: what may be rounded to integers, and the ONNX model that has it so.

Guided synthesis lays the most similar of thousands of patches where the network's repair says, and rounding that repair
makes it take another one: a texture that looks as good, at pixels that are not the same. So only the merge, which comes
after the choice, computes with integers. Before it, weights are stored as int8 where the repair hardly notices (the
layers at 1/16 scale, most of all weights) and as float16 elsewhere; the arithmetic stays float.

ONNX: scales are symmetric and weights have one a channel, as TensorRT asks; onnxruntime runs the same file on CPUs.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export.cases import arguments, hole_for
from cnnlg_tf.export.onnx_precision import FLOAT, as_half, is_network
from cnnlg_tf.export.quiet import errors_only

INTEGER_ARITHMETIC = r"merge(_\d+)?/(encode|down|middle|up|decode)"
"""Layers (a part of their names in every format) that follow the choice of patches: int8 weights and activations."""
INTEGER_WEIGHTS = r"/(middle|dense)_\d"
"""Layers before it whose rounded weights hardly move the repair: int8 weights, float arithmetic."""


def quantise(proto: Any, name: str, photos: list[np.ndarray]) -> Any:
    """An int8 version of a float32 onnx.ModelProto: Q/DQ pairs by onnxruntime's quantiser, small weights elsewhere.

    Args:
        name: the signature that it is of.
        photos: float32 [height, width, 3] in [0, 1], which should look like those to repair; holes are drawn into them.

    Raises:
        ExportError: `photos` is empty.
    """
    import onnx

    if not photos:
        raise ExportError("int8 needs at least one calibration photo. Received: none")
    nodes = nodes_to_quantise(proto)
    if nodes:
        quantised = _with_integers(proto, nodes, _cases(name, photos))
    else:  # of a model without a merge; onnxruntime would take an empty list for all
        quantised = onnx.ModelProto()
        quantised.CopyFrom(proto)
    _store_small(quantised)
    onnx.checker.check_model(quantised, full_check=True)
    return quantised


def _with_integers(proto: Any, nodes: list[str], cases: Iterator[dict[str, np.ndarray]]) -> Any:
    """The model with Q/DQ pairs around the named nodes, calibrated by the cases."""
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is an optional extra
        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(cases, None)

    with errors_only(), tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(proto, source)
        quantize_static(
            source,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_quantize=nodes,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
        )
        return onnx.load(target)


def nodes_to_quantise(proto: Any) -> list[str]:
    """Names of the convolutions that compute with integers."""
    return [
        node.name
        for node in proto.graph.node
        if is_network(node) and re.search(INTEGER_ARITHMETIC, node.name)
    ]


def _store_small(proto: Any) -> None:
    """Store the weights of the convolutions that compute with floats as int8 or float16; nodes make floats of them."""
    from onnx import helper, numpy_helper

    graph = proto.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes, done = [], set()
    for node in graph.node:
        name = node.input[1] if is_network(node) else ""
        if name in constants and name not in done:
            done.add(name)
            kernel = numpy_helper.to_array(constants[name])
            graph.initializer.remove(constants[name])
            if re.search(INTEGER_WEIGHTS, node.name):
                rounded, scale = _round(kernel)
                stored = [(rounded, f"{name}_int8"), (scale, f"{name}_scale")]
                back = helper.make_node("DequantizeLinear", [n for _, n in stored], [name], axis=0)
            else:
                stored = [(as_half(kernel), f"{name}_half")]
                back = helper.make_node("Cast", [stored[0][1]], [name], to=FLOAT)
            graph.initializer.extend(numpy_helper.from_array(x, n) for x, n in stored)
            nodes.append(back)
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _round(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 and the scale of each output channel: [out, in, h, w] -> the same and [out]."""
    scale = np.maximum(np.abs(kernel).max(axis=(1, 2, 3)), 1e-12) / 127.0
    rounded = np.round(kernel / scale[:, None, None, None]).astype(np.int8)
    return rounded, scale.astype(np.float32)


def _cases(name: str, photos: list[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    for seed, photo in enumerate(photos):
        mask = hole_for(photo.shape[0], photo.shape[1], seed)
        yield arguments(name, photo[None].astype(np.float32), mask[None])
