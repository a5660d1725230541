"""The model as one frozen graph: weights as constants, dilated convolutions as one node each.

Both ONNX and LiteRT start from it. LiteRT's converter, given a function whose weights are still variables, loses them
without a word; constants it keeps.
"""

from dataclasses import dataclass
from typing import Any

from cnnlg_tf.export.signatures import SIGNATURES, Functions


@dataclass(frozen=True)
class FrozenGraph:
    """A tf.GraphDef and its tensors' names ("image:0") by argument and by result, in the signature's order."""

    graph_def: Any
    inputs: dict[str, str]
    outputs: dict[str, str]


def freeze(functions: Functions, name: str) -> FrozenGraph:
    """Freeze a signature for inference, without loops; what is free in it stays so."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = SIGNATURES[name]
    concrete = functions.written_out(name).get_concrete_function()
    frozen = convert_variables_to_constants_v2(concrete)
    graph_def = frozen.graph.as_graph_def(add_shapes=True)
    _join_dilated_convolutions(graph_def)
    # A function's results come in the sorted order of their names.
    results = dict(zip(sorted(signature.outputs), (t.name for t in frozen.outputs), strict=True))
    return FrozenGraph(
        graph_def,
        dict(zip(signature.inputs, (t.name for t in frozen.inputs), strict=True)),
        {name: results[name] for name in signature.outputs},
    )


def import_function(frozen: FrozenGraph) -> Any:
    """The frozen graph as a concrete function again: its tensors in order -> a dict of results."""
    import tensorflow as tf

    wrapped = tf.compat.v1.wrap_function(
        lambda: tf.import_graph_def(frozen.graph_def, name=""), signature=[]
    )
    return wrapped.prune(list(frozen.inputs.values()), frozen.outputs)


def _join_dilated_convolutions(graph_def: Any) -> None:
    """Replace space-to-batch, convolution, batch-to-space by the dilated convolution that they stand for.

    TensorFlow unrolls a dilation this way so that its gradient runs on CPUs; with free sizes no converter undoes it.
    The three together are a convolution with "same" padding: the only padding that the model's layers use.
    """
    from tensorflow.python.framework import tensor_util

    nodes = {node.name: node for node in graph_def.node}
    for last in graph_def.node:
        if last.op != "BatchToSpaceND":
            continue
        convolution = nodes[last.input[0]]
        first = nodes.get(convolution.input[0]) if convolution.op == "Conv2D" else None
        if first is None or first.op != "SpaceToBatchND":
            continue
        rows, columns = tensor_util.MakeNdarray(nodes[first.input[1]].attr["value"].tensor)
        convolution.input[0] = first.input[0]
        convolution.attr["padding"].s = b"SAME"
        convolution.attr["dilations"].list.i[:] = [1, int(rows), int(columns), 1]
        convolution.attr.pop("_output_shapes", None)
        last.op = "Identity"
        del last.input[1:]
        kind = last.attr["T"].type
        shapes = last.attr["_output_shapes"]
        last.attr.clear()
        last.attr["T"].type = kind
        last.attr["_output_shapes"].CopyFrom(shapes)
