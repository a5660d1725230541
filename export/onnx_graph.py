"""Rewrites of the ONNX graph that its readers ask for: explicit numbers, and no axes for nothing."""

from typing import Any

import numpy as np

ELEMENTWISE = frozenset("Add Sub Mul Div Max Min Where Greater Less Equal".split())
WIDEST = 8  # channels that a mask is repeated for
END = np.iinfo(np.int64).max  # "to the end of the axis" in a Slice


def tidy(graph: Any) -> None:
    """Write paddings as numbers, and slices as ONNX does."""
    _write_paddings(graph)
    _tidy_slices(graph)
    remove_unused(graph)


def widen_integers(graph: Any) -> None:
    """Make all whole numbers int64, as ONNX's own shapes are; arguments are cast.

    TensorFlow computes sizes in int32. OpenVINO takes the casts to it for bounds of the sizes, and refuses the graph.
    """
    from onnx import AttributeProto, TensorProto, helper, numpy_helper

    def widen(tensor: Any) -> None:
        if tensor.data_type == TensorProto.INT32:
            values = numpy_helper.to_array(tensor).astype(np.int64)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    for tensor in graph.initializer:
        widen(tensor)
    narrow = [t.name for t in graph.input if t.type.tensor_type.elem_type == TensorProto.INT32]
    for node in graph.node:
        node.input[:] = [f"{name}_wide" if name in narrow else name for name in node.input]
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                widen(attribute.t)
            elif node.op_type == "Cast" and attribute.i == TensorProto.INT32:
                attribute.i = TensorProto.INT64
    for name in narrow:
        cast = helper.make_node(
            "Cast", [name], [f"{name}_wide"], f"{name}_wide", to=TensorProto.INT64
        )
        graph.node.insert(0, cast)
    del graph.value_info[:]  # what it says of types is out of date


def sum_products(graph: Any) -> None:
    """Write matrix products as sums of elements' products: a [.., p, k, 1] * b [.., 1, k, q], summed over k.

    TensorRT-RTX has no float32 matrix products for Turing. It multiplies and sums in one kernel; onnxruntime stores all
    the products, so this is for that builder alone. Sums of integers below 2**24 are exact in either form.
    """
    from onnx import helper, numpy_helper

    nodes = []

    def add(operator: str, *inputs: str, to: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, list(inputs), [to], to, **attributes))
        return to

    for number in (-1, -2, -3):
        graph.initializer.append(numpy_helper.from_array(np.array([number]), f"axis{number}"))
    for node in graph.node:
        if node.op_type not in ("MatMul", "Gemm"):
            nodes.append(node)
            continue
        result = node.output[0]
        # a Gemm's two factors are 1: onnxruntime makes one of a MatMul and an Add
        left, right, *addend = node.input
        turned = {attribute.name for attribute in node.attribute if attribute.i}
        if "transA" in turned:
            left = add("Transpose", left, to=f"{result}_left", perm=[1, 0])
        if "transB" in turned:
            right = add("Transpose", right, to=f"{result}_right", perm=[1, 0])
        columns = add("Unsqueeze", left, "axis-1", to=f"{result}_columns")  # [.., p, k, 1]
        rows = add("Unsqueeze", right, "axis-3", to=f"{result}_rows")  # [.., 1, k, q]
        products = add("Mul", columns, rows, to=f"{result}_products")
        total = f"{result}_total" if addend else result
        add("ReduceSum", products, "axis-2", to=total, keepdims=0)
        if addend:
            add("Add", total, *addend, to=result)
    del graph.node[:]
    graph.node.extend(nodes)


def match_shapes(proto: Any) -> Any:
    """Give operands of elementwise operators shapes that onnxruntime goes through by rows, not pixel by pixel.

    A number beside [.., h, w, 1] gets as many axes; a mask [b, h, w, 1] beside [b, h, w, c] is repeated for each
    channel. Either makes the operator 15 to 70 times as fast there. Other runtimes see through shapes by themselves.
    """
    import onnx
    from onnx import helper, numpy_helper

    proto = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=False)
    graph = proto.graph
    shapes = _shapes(graph)
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes, made = [], set()
    for node in graph.node:
        seen = [shapes[name] for name in node.input if name in shapes]
        if node.op_type not in ELEMENTWISE or len(seen) < len(node.input):
            nodes.append(node)
            continue
        rank = max(len(shape) for shape in seen)
        widest = max((shape for shape in seen if len(shape) == rank), key=lambda s: s[-1:])
        for position, (name, shape) in enumerate(zip(node.input, seen, strict=True)):
            if name in constants and int(np.prod(shape)) == 1 and len(shape) < rank:
                other = f"{name}_of_{rank}_axes"
                if other not in made:
                    value = numpy_helper.to_array(constants[name]).reshape([1] * rank)
                    graph.initializer.append(numpy_helper.from_array(value, other))
            elif rank == 4 and _is_mask(shape) and 1 < widest[-1] <= WIDEST:
                scope = node.name.split("/")[0]  # which precision goes by
                other = f"{scope}/{name}_for_{widest[-1]}"
                if other not in made:
                    repeated = [name] * widest[-1]
                    nodes.append(helper.make_node("Concat", repeated, [other], other, axis=3))
            else:
                continue
            made.add(other)
            node.input[position] = other
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    remove_unused(graph)
    del graph.value_info[:]  # readers infer it
    return proto


def _is_mask(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[-1] == 1 and shape[1:3] != (1, 1)


def _shapes(graph: Any) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor whose rank is known; 0 stands for sizes that are free."""
    found = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for tensor in (*graph.input, *graph.output, *graph.value_info):
        kind = tensor.type.tensor_type
        if kind.HasField("shape"):
            found[tensor.name] = tuple(size.dim_value for size in kind.shape.dim)
    return found


def remove_unused(graph: Any) -> None:
    """Drop nodes whose results nobody reads, and constants that no node reads."""
    needed = {tensor.name for tensor in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    for tensor in [t for t in graph.initializer if t.name not in needed]:
        graph.initializer.remove(tensor)


def _write_paddings(graph: Any) -> None:
    """Turn "same" into numbers: onnxruntime refuses it for dilated convolutions.

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

    constants = _constants(graph)
    for index, node in enumerate(list(graph.node)):
        if node.op_type != "Slice" or any(name not in constants for name in node.input[1:]):
            continue
        starts, ends, *rest = (constants[name].astype(np.int64) for name in node.input[1:])
        axes = rest[0] if rest else np.arange(len(starts))
        steps = rest[1] if len(rest) > 1 else np.ones_like(starts)
        ends = np.where((ends >= 10**9) & (steps > 0), END, ends)
        starts = np.where((starts >= 10**9) & (steps < 0), -1, starts)
        ends = np.where((ends <= -(10**9)) & (steps < 0), np.iinfo(np.int64).min, ends)
        kept = ~((starts == 0) & (ends == END) & (steps == 1))
        kept[0] |= not kept.any()  # OpenVINO takes no Slice without axes
        del node.input[1:]
        for key, values in zip(
            ("starts", "ends", "axes", "steps"), (starts, ends, axes, steps), strict=True
        ):
            name = f"slice_{index}_{key}"
            graph.initializer.append(numpy_helper.from_array(values[kept], name))
            node.input.append(name)


def _constants(graph: Any) -> dict[str, np.ndarray]:
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
