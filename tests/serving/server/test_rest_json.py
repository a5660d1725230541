"""JSON to messages and back."""

import base64
import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import classification_pb2

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server import rest_json


def infos(**dtypes: Any) -> dict[str, Any]:
    return {
        name: meta_graph_pb2.TensorInfo(dtype=tf.dtypes.as_dtype(dtype).as_datatype_enum)
        for name, dtype in dtypes.items()
    }


def read(document: Any, **dtypes: Any) -> dict[str, np.ndarray]:
    arrays, _ = rest_json.predict_inputs(document, infos(**dtypes))
    return arrays


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([1, 2.5], "float32"),
        ([1.5], "float64"),
        ([[1], [-2]], "int8"),
        ([2**63 - 1], "int64"),
        ([2**64 - 1], "uint64"),
        ([True, False], "bool"),
        ([], "float32"),
        ([[], []], "int32"),
    ],
)
def test_numbers_become_the_inputs_type(value: Any, dtype: str) -> None:
    array = read({"inputs": value}, x=dtype)["x"]
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, np.array(value, dtype))


def test_named_rows_and_columns_agree() -> None:
    rows = {"instances": [{"a": [1, 2], "b": "x"}, {"a": [3, 4], "b": "y"}]}
    columns = {"inputs": {"a": [[1, 2], [3, 4]], "b": ["x", "y"]}}
    for document in (rows, columns):
        arrays = read(document, a="float32", b="string")
        np.testing.assert_array_equal(arrays["a"], np.float32([[1, 2], [3, 4]]))
        assert arrays["b"].tolist() == [b"x", b"y"]


@pytest.mark.parametrize(
    ("document", "dtypes", "message"),
    [
        ({}, {"x": "float32"}, "Missing 'inputs' or 'instances' key"),
        ({"inputs": [1]}, {}, "Failed to get input map for signature: DEFAULT"),
        (
            {"inputs": [1], "instances": [1]},
            {"x": "float32"},
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist",
        ),
        ({"instances": 1}, {"x": "float32"}, "Excepting 'instances' to be an list/array"),
        ({"instances": []}, {"x": "float32"}, "No values in 'instances' array"),
        ({"instances": [1]}, {"a": "float32", "b": "float32"}, "instances is a plain list, but"),
        ({"inputs": [1]}, {"a": "float32", "b": "float32"}, "inputs is a plain value/list, but"),
        (
            {"inputs": {"a": 1}},
            {"a": "float32", "b": "float32"},
            "Missing named input: b in 'inputs' object.",
        ),
        (
            {"instances": [{"x": 1}, 2]},
            {"x": "float32"},
            "Expecting object but got list at item 1 of input list",
        ),
        (
            {"instances": [1, {"x": 2}]},
            {"x": "float32"},
            "Expecting value/list but got object at item 1 of input list",
        ),
        (
            {"instances": [{"y": 1}]},
            {"x": "float32"},
            "Failed to process element: 0 of 'instances' list. "
            'JSON object: {"y": 1} must only have keys: x',
        ),
        (
            {"inputs": ["a"]},
            {"x": "float32"},
            'JSON Value: "a" Type: String is not of expected type: float',
        ),
        (
            {"inputs": [1.5]},
            {"x": "int32"},
            "JSON Value: 1.5 Type: Number is not of expected type: int32",
        ),
        ({"inputs": [300]}, {"x": "uint8"}, "JSON Value: 300 Type: Number is not of expected"),
        (
            {"inputs": [1]},
            {"x": "bool"},
            "JSON Value: 1 Type: Number is not of expected type: bool",
        ),
        (
            {"inputs": [None]},
            {"x": "string"},
            "JSON Value: null Type: Null is not of expected type: string",
        ),
        (
            {"inputs": [2**24 + 1]},
            {"x": "float32"},
            "Cannot convert JSON value: 16777217 to float without loss of precision.",
        ),
        ({"inputs": [1e39]}, {"x": "float32"}, "Cannot convert JSON value: 1e+39 to float"),
        (
            {"inputs": [[1, 2], [3]]},
            {"x": "float32"},
            "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
        ),
        ({"instances": [[1, 2], [3]]}, {"x": "float32"}, "Expecting tensor size: 2 but got: 1"),
        (
            {"inputs": [1, [2]]},
            {"x": "float32"},
            "Encountered list at unexpected level: 1 expected < 1",
        ),
        (
            {"inputs": [[1], 2]},
            {"x": "float32"},
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        ({"inputs": [{"b64": "!"}]}, {"x": "string"}, "Unable to base64 decode"),
        (
            {"inputs": [{"b64": 1}]},
            {"x": "string"},
            'JSON Value: {"b64": 1} not formatted correctly for base64 data',
        ),
        ({"inputs": [1]}, {"x": "complex64"}, "Conversion of JSON Value: 1 to type: complex64"),
    ],
)
def test_wrong_inputs_are_refused(document: Any, dtypes: dict[str, str], message: str) -> None:
    with pytest.raises(ServingError) as caught:
        read(document, **dtypes)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"instances = [1, 2]", "JSON Parse error: Invalid value. at offset: 0"),
        (b"[1]", "JSON Value: [1] Is not object"),
        (b'{"signature_name": 100}', "'signature_name' key must be a string value."),
        (b"[" * 100_000, "JSON Parse error: Invalid value."),
        (b"\xff\xfe\xfd", "JSON Parse error: Invalid value."),
    ],
)
def test_wrong_bodies_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(ServingError) as caught:
        rest_json.parse_body(body)
    assert message in str(caught.value)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_a_long_value_is_cut_in_messages() -> None:
    with pytest.raises(ServingError) as caught:
        rest_json.parse_body(json.dumps(["x"] * 10_000).encode())
    assert len(str(caught.value)) < 1100


def fill(document: Any) -> Any:
    request = classification_pb2.ClassificationRequest()
    rest_json.fill_examples(document, request)
    return request


def test_features_take_the_kind_of_their_values() -> None:
    encoded = base64.b64encode(b"\xff").decode()
    request = fill({"examples": [{"f": [1.5], "i": 1, "t": True, "s": "a", "b": {"b64": encoded}}]})
    features = request.input.example_list.examples[0].features.feature
    assert list(features["f"].float_list.value) == [1.5]
    assert list(features["i"].int64_list.value) == [1]
    assert list(features["t"].int64_list.value) == [1]
    assert list(features["s"].bytes_list.value) == [b"a"]
    assert list(features["b"].bytes_list.value) == [b"\xff"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "When method is classify, key 'examples' is expected and was not found"),
        ({"examples": 1}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{"x": None}]}, "Feature: x has element with unexpected JSON type: Null"),
        ({"examples": [{"x": [[1]]}]}, "Feature: x has element with unexpected JSON type: Array"),
        (
            {"examples": [{"x": [1, 1.5]}]},
            "Unexpected element type in feature: x expecting type: int64",
        ),
        ({"examples": [{"x": 2**63}]}, "Feature: x has uint64 element. Only int64 is supported."),
        ({"examples": [{"x": 1e39}]}, "Cannot convert JSON value: 1e+39 to float without loss"),
    ],
)
def test_wrong_examples_are_refused(document: Any, message: str) -> None:
    with pytest.raises(ServingError) as caught:
        fill(document)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": np.float32(1)}, "Tensor name: y has no shape information"),
        ({"y": np.zeros((0, 2), np.float32)}, "Tensor name: y has invalid batch size: 0"),
        (
            {"y": np.zeros(2, np.float32), "z": np.zeros(3, np.float32)},
            "Tensor name: z has inconsistent batch size: 3 expecting: 2",
        ),
    ],
)
def test_answers_that_have_no_rows_are_refused(arrays: dict[str, Any], message: str) -> None:
    outputs = {name: np.asarray(array) for name, array in arrays.items()}
    with pytest.raises(ServingError) as caught:
        rest_json.predict_answer(outputs, rows=True)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "rows", "answer"),
    [
        ({"y": np.float32([0.2, 1e-7])}, True, {"predictions": [0.2, 1e-7]}),
        ({"y": np.float32(0.2)}, False, {"outputs": 0.2}),
        ({"y": np.float32([[0.2], [np.nan]])}, True, {"predictions": [[0.2], [np.nan]]}),
        ({"y": np.float64([np.inf, -np.inf])}, False, {"outputs": [np.inf, -np.inf]}),
        ({"y": np.uint64([2**64 - 1])}, True, {"predictions": [2**64 - 1]}),
        (
            {"b": np.array([[True], [False]]), "s": np.array([b"a", b"\xc3\xa4"], object)},
            True,
            {"predictions": [{"b": [True], "s": "a"}, {"b": [False], "s": "ä"}]},
        ),
        (
            {"z": np.zeros((2, 3), np.int8).T, "s_bytes": np.array(b"ab", object)},
            False,
            {"outputs": {"s_bytes": {"b64": "YWI="}, "z": [[0, 0]] * 3}},
        ),
    ],
)
def test_answers_in_the_shortest_decimals(
    arrays: dict[str, Any], rows: bool, answer: dict[str, Any]
) -> None:
    """0.2, not 0.20000000298023224; NaN and infinities as TensorFlow Serving writes them."""
    outputs = {name: np.asarray(array) for name, array in arrays.items()}
    found = json.loads(rest_json.predict_answer(outputs, rows=rows))
    assert repr(found) == repr(answer)


def test_what_one_parser_refuses_the_other_reads() -> None:
    document = rest_json.parse_body(b'{"instances": [NaN, Infinity, 0.5]}')
    (array,) = read(document, x="float32").values()
    assert np.array_equal(array, np.float32([np.nan, np.inf, 0.5]), equal_nan=True)
