"""Matrix products written out for a builder that has none: of integers, exactly what they were."""

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

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


@pytest.mark.slow
def test_written_out_they_lay_the_same_pixels(model: Any) -> None:
    from cnnlg_tf.export.cases import arguments, drawn_case

    products = Source(model, chosen=[PIXELS]).tensorrt_onnx(PIXELS).SerializeToString()
    sums = without_products(products)
    for seed, (height, width) in enumerate([(48, 64), (50, 77), (128, 96)]):
        inputs = arguments(PIXELS, *drawn_case(1, height, width, seed=seed))
        (expected,), (found,) = run(products, inputs), run(sums, inputs)
        assert np.array_equal(expected, found)
