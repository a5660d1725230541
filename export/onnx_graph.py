"""Rewrites of the ONNX graph that its readers ask for: explicit numbers, one node where the converter wrote seven."""

from typing import Any

import numpy as np

END = np.iinfo(np.int64).max  # "to the end of the axis" in a Slice


def tidy(graph: Any) -> None:
    """Write paddings as numbers, slices as ONNX does, and edge paddings as one node."""
    _write_paddings(graph)
    _tidy_slices(graph)
    _join_edge_paddings(graph)
    remove_unused(graph)


def widen_integers(graph: Any) -> None:
    """Make all whole numbers int64, as ONNX's own shapes are.

    TensorFlow computes sizes in int32. OpenVINO takes the casts to it for bounds of the sizes, and refuses the graph.
    """
    from onnx import AttributeProto, TensorProto, numpy_helper

    def widen(tensor: Any) -> None:
        if tensor.data_type == TensorProto.INT32:
            values = numpy_helper.to_array(tensor).astype(np.int64)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    for tensor in graph.initializer:
        widen(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                widen(attribute.t)
            elif node.op_type == "Cast" and attribute.i == TensorProto.INT32:
                attribute.i = TensorProto.INT64
    del graph.value_info[:]  # what it says of types is out of date


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


def _join_edge_paddings(graph: Any) -> None:
    """Replace Concat(first, x, last) along one axis, and then along another, by one Pad of mode "edge".

    The fill alone has seventy of them. Runs after `_tidy_slices`.
    """
    from onnx import helper, numpy_helper

    constants = _constants(graph)
    makers = {name: node for node in graph.node for name in node.output}
    reads: dict[str, int] = {}
    for name in (name for node in graph.node for name in node.input):
        reads[name] = reads.get(name, 0) + 1
    amounts: dict[str, tuple[str, dict[int, int]]] = {}  # a padded tensor: what of, rows by axis
    for node in graph.node:
        found = _edge_padding(node, makers, constants)
        if found is None:
            continue
        source, axis, rows = found
        rows_by_axis = {axis: rows}
        # All that reads the first padding is this one: its slices at both ends, and its middle.
        if source in amounts and reads[source] == 3 and axis not in amounts[source][1]:
            source, before = amounts[source]
            rows_by_axis |= before
        amounts[node.output[0]] = (source, rows_by_axis)
    for node in graph.node:
        if node.output[0] not in amounts:
            continue
        source, rows_by_axis = amounts[node.output[0]]
        one_side = [rows_by_axis.get(axis, 0) for axis in range(4)]
        pads = numpy_helper.from_array(np.array(one_side * 2, np.int64), f"{node.output[0]}_pads")
        graph.initializer.append(pads)
        node.CopyFrom(
            helper.make_node(
                "Pad", [source, pads.name], list(node.output), name=node.name, mode="edge"
            )
        )


def _edge_padding(
    node: Any, makers: dict[str, Any], constants: dict[str, np.ndarray]
) -> tuple[str, int, int] | None:
    """(x, axis, rows) when a node is Concat([first] * rows + [x] + [last] * rows) of a four-dimensional x."""
    if node.op_type != "Concat" or len(node.input) % 2 == 0:
        return None
    rows, axis = len(node.input) // 2, node.attribute[0].i
    source = node.input[rows]
    axis += 4 if axis < 0 else 0
    expected = [(0, 1, axis, 1)] * rows + [(-1, END, axis, 1)] * rows
    for name, values in zip([*node.input[:rows], *node.input[rows + 1 :]], expected, strict=True):
        slice_ = makers.get(name)
        if slice_ is None or slice_.op_type != "Slice" or slice_.input[0] != source:
            return None
        given = [constants.get(parameter) for parameter in slice_.input[1:]]
        if any(g is None or g.tolist() != [v] for g, v in zip(given, values, strict=True)):
            return None
    return source, axis, rows


def _constants(graph: Any) -> dict[str, np.ndarray]:
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
