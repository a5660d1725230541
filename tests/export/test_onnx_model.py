import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export import cases, operators
from cnnlg_tf.export.onnx_model import OPSET, export_onnx, load
from cnnlg_tf.export.quantise import nodes_to_quantise, quantise
from cnnlg_tf.export.signatures import SIGNATURES
from cnnlg_tf.export.source import Source


@pytest.mark.parametrize("name", ["serving_default", "refine"])
def test_graph_is_checked_named_and_free_in_size(source: Any, name: str) -> None:
    proto, signature = source.onnx(name), SIGNATURES[name]
    onnx.checker.check_model(proto, full_check=True)
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", OPSET)]
    shapes = {
        tensor.name: tuple(d.dim_param or d.dim_value for d in tensor.type.tensor_type.shape.dim)
        for tensor in [*proto.graph.input, *proto.graph.output]
    }
    declared = signature.inputs | signature.outputs
    assert shapes == {key: tensor.shape for key, tensor in declared.items()}


def test_paddings_are_numbers(source: Any) -> None:
    convolutions = [node for node in source.onnx().graph.node if node.op_type == "Conv"]
    assert not any(a.name == "auto_pad" for node in convolutions for a in node.attribute)


@pytest.mark.parametrize(("batch", "height", "width"), [(1, 16, 16), (2, 50, 70), (1, 129, 33)])
def test_pixels_are_the_models(
    onnx_export: Path, model: Any, batch: int, height: int, width: int
) -> None:
    image, mask = cases.drawn_case(batch, height, width)
    expected = model.repair(image, mask)
    results = load(onnx_export)["serving_default"](image=image, mask=mask)
    for key, wanted in zip(("repaired", "uncertainty"), expected, strict=True):
        np.testing.assert_allclose(results[key], wanted, atol=1e-4)


def test_what_was_repaired_smaller_is_refined_as_by_the_model(
    onnx_export: Path, model: Any
) -> None:
    """With a reference, without one (a photo of nothing), and with another detail."""
    image, mask = cases.drawn_case(2, 50, 70)
    given = cases.arguments("refine", image, mask)
    nothing = np.full((1, 16, 32, 3), -1.0, np.float32)
    refine = load(onnx_export)["refine"]
    for reference, detail in ((given["reference"], 1.0), (nothing, 1.0), (nothing, 0.5)):
        inputs = given | {"reference": reference, "detail": np.array(detail, np.float32)}
        other = None if reference is nothing else reference
        drawn = given["sketch"], given["sketch_mask"]
        wanted = model.refine(image, mask, given["guide"], detail, other, *drawn).numpy()
        received = refine(**inputs)["repaired"]
        assert np.mean(np.abs(received - wanted)[mask[..., 0] > 0.5] < 1e-4) > 0.99
        assert np.array_equal(received[mask[..., 0] < 0.5], image[mask[..., 0] < 0.5])


def test_paint_gives_what_the_model_paints(onnx_export: Path, model: Any) -> None:
    """With everything, and with nothing: then it is a repair."""
    image, mask = cases.drawn_case(2, 50, 70)
    given = cases.arguments("paint", image, mask)
    paint, hole = load(onnx_export)["paint"], mask[..., 0] > 0.5
    expected = dict(zip(("repaired", "uncertainty"), model.paint(**given), strict=True))
    received = paint(**given)
    assert np.mean(np.abs(received["repaired"] - expected["repaired"])[hole] < 1e-4) > 0.99
    np.testing.assert_allclose(received["uncertainty"], expected["uncertainty"], atol=1e-4)
    repaired = load(onnx_export)["serving_default"](image=image, mask=mask)
    nothing = cases.emptied("paint", given) | {"temperature": np.array(0.0, np.float32)}
    blank = nothing | {
        "sketch": given["sketch"],
        "sketch_mask": 0.0 * mask,
        "reference": np.full((1, 16, 16, 3), -1.0, np.float32),
    }
    for inputs in (nothing, blank):
        received = paint(**inputs)
        for name, wanted in repaired.items():
            np.testing.assert_allclose(received[name], wanted, atol=1e-5)


KINDS = ["plain_", pytest.param("", marks=pytest.mark.slow)]
"""Of models: prefixes of the fixtures."""


def export(request: pytest.FixtureRequest, kind: str, folder: Path, precision: str) -> Path:
    model, source = (request.getfixturevalue(f"{kind}{name}") for name in ("model", "source"))
    return export_onnx(model, folder / precision, precision=precision, source=source)


@pytest.mark.parametrize("kind", KINDS)
def test_float16_is_half_the_size_and_near(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    folder = export(request, kind, tmp_path, "fp16")
    made = json.loads((folder / "manifest.json").read_text())
    assert made["precision"] == "fp16" and "serving_default" in made["parity"]
    assert all(figures["hole_psnr"] > 38 for figures in made["parity"].values())
    graph = onnx.load(folder / "model.onnx").graph
    weights = [t for t in graph.initializer if len(t.dims) == 4 and t.dims[1] > 1]
    halves = [t for t in weights if t.data_type == onnx.TensorProto.FLOAT16]
    assert sum(math.prod(t.dims) for t in halves) > 0.9 * sum(math.prod(t.dims) for t in weights)
    assert all(t.type.tensor_type.elem_type == onnx.TensorProto.FLOAT for t in graph.input)


@pytest.mark.parametrize("kind", KINDS)
def test_int8_stores_small_weights_and_is_near(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    folder = export(request, kind, tmp_path, "int8")
    made = json.loads((folder / "manifest.json").read_text())
    assert made["parity"]["serving_default"]["hole_psnr"] > 32
    graph = onnx.load(folder / "model.onnx").graph
    kernels = [t for t in graph.initializer if len(t.dims) == 4 and t.dims[1] > 1]
    types = [t.data_type for t in kernels]
    assert types.count(onnx.TensorProto.INT8) > (1 if kind else 5)
    assert onnx.TensorProto.FLOAT16 in types and onnx.TensorProto.FLOAT not in types
    integers = any(node.op_type == "QuantizeLinear" for node in graph.node)
    assert integers == (not kind)  # a plain model has no merge
    if integers:
        check_integers_come_after_the_choice(graph)


def before_the_choice(graph: Any) -> list[Any]:
    """The nodes that the choice of copies depends on."""
    makers = {name: node for node in graph.node for name in node.output}
    unseen = [node.input[0] for node in graph.node if node.op_type == "ArgMin"]
    assert unseen
    seen: dict[str, Any] = {}
    while unseen:
        name = unseen.pop()
        if name in makers and name not in seen:
            seen[name] = makers[name]
            unseen += makers[name].input
    return list(seen.values())


def check_integers_come_after_the_choice(graph: Any) -> None:
    operators_before = {node.op_type for node in before_the_choice(graph)}
    assert {"Conv", "DequantizeLinear"} <= operators_before  # weights may be rounded
    assert "QuantizeLinear" not in operators_before  # activations may not


def test_what_int8_computes_with_integers_comes_after_the_choice(source: Any) -> None:
    proto = source.onnx()
    named = nodes_to_quantise(proto)
    assert len(named) > 5
    assert not {node.name for node in before_the_choice(proto.graph)} & set(named)


def test_int8_needs_photos(plain_source: Any) -> None:
    with pytest.raises(ExportError, match="at least one calibration photo. Received: none"):
        quantise(plain_source.onnx(), "serving_default", [])


def test_unknown_precision_is_told(plain_model: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="precision must be one of .* for onnx. Received: 'fp8'"):
        export_onnx(plain_model, tmp_path / "x", precision="fp8")


def test_lost_weights_are_noticed_and_nothing_is_left(
    plain_model: Any, plain_source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = onnx.ModelProto()
    damaged.CopyFrom(plain_source.onnx())
    for tensor in damaged.graph.initializer:
        if len(tensor.dims) == 4 and tensor.dims[1] > 1:
            zeros = np.zeros(list(tensor.dims), np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(zeros, tensor.name))
    broken = Source(plain_model)
    broken.names = ["serving_default"]
    monkeypatch.setattr(broken, "onnx", lambda name: damaged)
    with pytest.raises(
        ExportError,
        match="serving_default of the export .*: fp32 must have 99% of the hole's values within 0.001",
    ):
        export_onnx(plain_model, tmp_path / "x", source=broken)
    assert not list(tmp_path.iterdir())


def test_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ArtefactError, match="must be an ONNX model that onnxruntime loads"):
        load(tmp_path)


def test_unwritable_folder_is_told(plain_model: Any, plain_source: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        export_onnx(plain_model, tmp_path / "file" / "x", source=plain_source)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["serving_default", "paint", "refine"])
def test_for_tensorrt_every_operator_is_one_that_it_takes(source: Any, name: str) -> None:
    assert operators.unsupported_by_tensorrt(source.tensorrt_onnx(name)) == []


def test_what_a_plain_model_needs_tensorrt_takes(plain_source: Any) -> None:
    assert operators.unsupported_by_tensorrt(plain_source.tensorrt_onnx()) == []


@pytest.mark.parametrize("name", ["serving_default", "paint", "refine"])
def test_without_a_form_of_its_own_tensorrt_could_not_take_the_synthesis(
    source: Any, name: str
) -> None:
    assert "NonZero" in operators.unsupported_by_tensorrt(source.onnx(name))


def test_operator_that_tensorrt_lacks_is_told() -> None:
    node = onnx.helper.make_node("NonZero", ["x"], ["y"])
    custom = onnx.helper.make_node("Fill", ["x"], ["z"], domain="org.example")
    graph = onnx.helper.make_graph([node, custom], "g", [], [])
    with pytest.raises(
        ExportError, match="TensorRT's parser takes. Received also: NonZero, org.example.Fill"
    ):
        operators.check_tensorrt(onnx.helper.make_model(graph))
