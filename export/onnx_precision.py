"""Float16 ONNX: the networks at half precision, everything around them in float32."""

from typing import Any

import numpy as np

FLOAT32_OPERATORS = frozenset(
    "ArgMax Exp MatMul Reciprocal ReduceMax ReduceSum Softmax Sqrt".split()
)
"""Kept at float32 wherever they stand: sums over many values, and what leaves float16's range."""
FLOAT32_SCOPE = "synthesis/"
"""Guided synthesis compares integers up to 2**24, which float16 cannot hold."""
FLOAT, HALF = 1, 10  # onnx.TensorProto.FLOAT, FLOAT16


def to_float16(proto: Any) -> Any:
    """A float16 version of a float32 onnx.ModelProto; inputs and results stay float32.

    Half precision starts at the networks' convolutions and spreads to what only depends on them. The fill stays out: it
    averages with weights down to 1e-8, which float16 rounds to nothing. So does the photo itself, whose known pixels
    must come back bit for bit. One Cast stands where a tensor crosses over.
    """
    import onnx
    from onnx import helper, numpy_helper

    proto = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=False)
    graph = proto.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    floats = _float_tensors(graph)
    half_nodes, half_tensors = _spread(graph, constants, floats)

    nodes, made = [], set()
    for index, node in enumerate(graph.node):
        is_half = index in half_nodes
        for position, name in enumerate(node.input):
            if name not in floats or (name in half_tensors) == is_half:
                continue
            other = f"{name}_{'half' if is_half else 'float'}"
            if other not in made:
                made.add(other)
                if name in constants:
                    values = numpy_helper.to_array(constants[name])
                    graph.initializer.append(numpy_helper.from_array(as_half(values), other))
                else:
                    cast = helper.make_node("Cast", [name], [other], to=HALF if is_half else FLOAT)
                    nodes.append(cast)
            node.input[position] = other
        if is_half and node.op_type == "Cast":
            for attribute in node.attribute:
                attribute.i = (
                    HALF if attribute.name == "to" and attribute.i == FLOAT else attribute.i
                )
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in graph.node for name in node.input}
    for tensor in [t for t in graph.initializer if t.name not in used]:
        graph.initializer.remove(tensor)
    del graph.value_info[:]  # what it says of types is out of date
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _float_tensors(graph: Any) -> set[str]:
    typed = [*graph.input, *graph.output, *graph.value_info]
    found = {tensor.name for tensor in typed if tensor.type.tensor_type.elem_type == FLOAT}
    return found | {tensor.name for tensor in graph.initializer if tensor.data_type == FLOAT}


def _spread(graph: Any, constants: dict[str, Any], floats: set[str]) -> tuple[set[int], set[str]]:
    """Which nodes compute in half precision, and which tensors they give. Nodes stand in topological order."""
    results = {tensor.name for tensor in graph.output}
    nodes: set[int] = set()
    tensors: set[str] = set()
    for index, node in enumerate(graph.node):
        data = [name for name in node.input if name in floats and name not in constants]
        if not data or node.op_type in FLOAT32_OPERATORS or FLOAT32_SCOPE in node.name:
            continue
        halves = [name in tensors for name in data]
        joins = any(halves) if node.op_type == "Concat" else all(halves)
        if (joins or is_network(node)) and not results.intersection(node.output):
            nodes.add(index)
            tensors.update(name for name in node.output if name in floats)
    return nodes, tensors


def is_network(node: Any) -> bool:
    """A convolution with learnt weights: the fill's stencils are the grouped ones."""
    groups = [attribute.i for attribute in node.attribute if attribute.name == "group"]
    return node.op_type == "Conv" and groups in ([], [1])


def as_half(values: np.ndarray) -> np.ndarray:
    """float16; what lies outside its range becomes its largest number."""
    limit = float(np.finfo(np.float16).max)
    half: np.ndarray = np.clip(values, -limit, limit).astype(np.float16)
    return half
