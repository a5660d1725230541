"""Graphs rewritten for those who run them: the same results from other operators and shapes."""

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from cnnlg_tf.export.onnx_graph import match_shapes
from cnnlg_tf.export.onnx_model import without_products
from cnnlg_tf.export.signatures import PIXELS
from cnnlg_tf.export.source import Source


def operators(content: bytes) -> set[str]:
    return {node.op_type for node in onnx.load_from_string(content).graph.node}


def run(content: bytes, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, inputs)
    return found


def test_products_become_sums_of_integers_that_are_the_same(products: bytes) -> None:
    sums = without_products(products)
    assert {"Gemm", "MatMul"} <= operators(products)
    assert not {"Gemm", "MatMul"} & operators(sums)
    rng = np.random.default_rng(0)
    shapes = {"a": (50, 27), "b": (40, 27), "c": (1, 40), "stack": (2, 50, 27)}
    inputs = {
        name: rng.integers(-510, 256, shape).astype(np.float32) for name, shape in shapes.items()
    }
    for product, total in zip(run(products, inputs), run(sums, inputs), strict=True):
        assert np.array_equal(product, total)
    assert np.array_equal(run(sums, inputs)[0], inputs["a"] @ inputs["b"].T + inputs["c"])


def test_shapes_are_matched_and_results_stay() -> None:
    """A number beside one channel, a mask beside three, a mask that is chosen by, in two scopes; vectors stay."""
    nodes = [
        helper.make_node("Mul", ["half", "mask"], ["faint"], "a/mul"),
        helper.make_node("Sub", ["image", "faint"], ["less"], "a/sub"),
        helper.make_node("Greater", ["mask", "half"], ["where"], "a/greater"),
        helper.make_node("Where", ["where", "half", "less"], ["chosen"], "a/where"),
        helper.make_node("Add", ["faint", "chosen"], ["more"], "b/add"),
        helper.make_node("Mul", ["more", "colours"], ["result"], "b/mul"),
    ]
    sides: list[int | str] = ["batch", "height", "width"]
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [*sides, 3]),
            helper.make_tensor_value_info("mask", onnx.TensorProto.FLOAT, [*sides, 1]),
        ],
        [helper.make_tensor_value_info("result", onnx.TensorProto.FLOAT, [*sides, 3])],
        [
            numpy_helper.from_array(np.float32(0.5), "half"),
            numpy_helper.from_array(np.array([1, 2, 3], np.float32), "colours"),
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    matched = match_shapes(onnx.load_from_string(proto.SerializeToString()))
    by_name = {node.name: node for node in matched.graph.node}
    sizes = {tensor.name: list(tensor.dims) for tensor in matched.graph.initializer}
    assert sizes[by_name["a/mul"].input[0]] == [1, 1, 1, 1]
    assert {"a/faint_for_3", "b/faint_for_3", "a/where_for_3"} <= set(by_name)
    assert by_name["b/mul"].input[1] in sizes
    rng = np.random.default_rng(0)
    inputs = {
        "image": rng.random((2, 5, 4, 3), np.float32),
        "mask": rng.random((2, 5, 4, 1), np.float32),
    }
    (before,), (after,) = (run(each.SerializeToString(), inputs) for each in (proto, matched))
    assert np.array_equal(before, after)


@pytest.mark.slow
def test_written_out_they_lay_the_same_pixels(model: Any) -> None:
    from cnnlg_tf.export.cases import arguments, drawn_case

    products = Source(model, chosen=[PIXELS]).tensorrt_onnx(PIXELS).SerializeToString()
    sums = without_products(products)
    for seed, (height, width) in enumerate([(48, 64), (50, 77), (128, 96)]):
        inputs = arguments(PIXELS, *drawn_case(1, height, width, seed=seed))
        (expected,), (found,) = run(products, inputs), run(sums, inputs)
        assert np.array_equal(expected, found)
