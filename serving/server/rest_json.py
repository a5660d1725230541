"""JSON to TensorFlow Serving's messages and back, by the rules of its REST API.

Large bodies go through orjson: while Python's own module works on one, nothing else in the process runs. What that one
alone reads and writes (NaN, infinities) and the words of errors are its.
"""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import tensorflow as tf

from cnnlg_tf.errors import ServingError

_MOST_DIMENSIONS = 32
_MOST_SHOWN = 1000  # characters of a value in a message
_FLOATS = (np.float32, np.float64)
_INTEGERS = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)


def parse_body(body: bytes | bytearray) -> dict[str, Any]:
    """The JSON object of a request. Raises ServingError: INVALID_ARGUMENT."""
    if not body:
        raise _invalid("JSON Parse error: The document is empty")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _parse_slowly(body)
    if not isinstance(document, dict):
        raise _invalid(f"JSON Value: {_text(document)} Is not object")
    if not isinstance(document.get("signature_name", ""), str):
        raise _invalid(
            f"JSON Value: {_text(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return document


def _parse_slowly(body: bytes | bytearray) -> Any:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        position = getattr(error, "pos", 0)
        raise _invalid(
            f"JSON Parse error: Invalid value. at offset: {position} ({error})"
        ) from error
    _check_unicode(body, document)
    return document


def _check_unicode(body: bytes | bytearray, document: Any) -> None:
    r"""Half of a surrogate pair, "\\ud800", is JSON and no text: nothing behind could encode it."""
    if b"\\ud" in body.lower():
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise _invalid(
                f"JSON strings must be valid Unicode. Received: {error.object[error.start]!a}"
            ) from error
        except RecursionError as error:
            raise _invalid("JSON Parse error: nested too deep") from error


def predict_inputs(
    document: dict[str, Any], infos: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], bool]:
    """The input arrays of a predict document, and whether it is in row form.

    Args:
        infos: the signature's inputs, name -> TensorInfo.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    if not infos:
        signature = document.get("signature_name", "")
        raise _invalid(f"Failed to get input map for signature: {signature or 'DEFAULT'}")
    rows = "instances" in document
    if rows and "inputs" in document:
        raise _invalid(
            f"JSON Value: {_text(document)} Not formatted correctly expecting only "
            "one of 'inputs' or 'instances' keys to exist "
        )
    if rows:
        return _from_rows(document, infos), True
    if "inputs" in document:
        return _from_columns(document["inputs"], infos), False
    raise _invalid("Missing 'inputs' or 'instances' key")


def predict_answer(arrays: Mapping[str, np.ndarray], rows: bool) -> bytes:
    """The JSON of a signature's outputs: `predictions` in row form, else `outputs`."""
    arrays = dict(sorted(arrays.items()))
    if rows:
        sizes: set[int] = set()
        for name, array in arrays.items():
            if array.ndim == 0:
                raise _invalid(f"Tensor name: {name} has no shape information ")
            if len(array) < 1:
                raise _invalid(f"Tensor name: {name} has invalid batch size: {len(array)}")
            if sizes and len(array) not in sizes:
                raise _invalid(
                    f"Tensor name: {name} has inconsistent batch size: {len(array)} "
                    f"expecting: {sizes.pop()}"
                )
            sizes.add(len(array))
    finite = all(array.dtype.kind != "f" or np.isfinite(array).all() for array in arrays.values())
    values = {name: _json_values(name, array, finite) for name, array in arrays.items()}
    if len(values) == 1:
        answer = next(iter(values.values()))
    elif rows:
        answer = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    else:
        answer = values
    body = {"predictions" if rows else "outputs": answer}
    if finite:
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(body).encode()


def fill_examples(document: dict[str, Any], request: Any) -> None:
    """Fill a ClassificationRequest or RegressionRequest from `examples` and `context`."""
    request.model_spec.signature_name = document.get("signature_name", "")
    if "examples" not in document:
        raise _invalid(
            f"JSON Value: {_text(document)} When method is classify, "
            "key 'examples' is expected and was not found"
        )
    examples = document["examples"]
    if not isinstance(examples, list):
        raise _invalid(
            f"JSON Value: {_text(document)} Expecting 'examples' value to be an list/array"
        )
    if not examples:
        raise _invalid(f"JSON Value: {_text(document)} 'examples' value is an empty array")
    target = request.input.example_list
    if "context" in document:
        target = request.input.example_list_with_context
        _fill_example(document["context"], target.context)
    for example in examples:
        _fill_example(example, target.examples.add())


def classify_answer(response: Any) -> bytes:
    results = [
        [[entry.label, _short(entry.score)] for entry in classifications.classes]
        for classifications in response.result.classifications
    ]
    return json.dumps({"results": results}).encode()


def regress_answer(response: Any) -> bytes:
    results = [_short(regression.value) for regression in response.result.regressions]
    return json.dumps({"results": results}).encode()


def _from_rows(document: dict[str, Any], infos: Mapping[str, Any]) -> dict[str, np.ndarray]:
    instances = document["instances"]
    if not isinstance(instances, list):
        raise _invalid(f"JSON Value: {_text(document)} Excepting 'instances' to be an list/array")
    if not instances:
        raise _invalid(f"JSON Value: {_text(document)} No values in 'instances' array")
    named = _is_object(instances[0])
    if not named and len(infos) > 1:
        raise _invalid(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    for index, instance in enumerate(instances):
        if named and not _is_object(instance):
            raise _invalid(f"Expecting object but got list at item {index} of input list")
        if not named and _is_object(instance):
            raise _invalid(f"Expecting value/list but got object at item {index} of input list")
        if named and set(instance) != set(infos):
            raise _invalid(
                f"Failed to process element: {index} of 'instances' list. "
                f"JSON object: {_text(instance)} "
                f"must only have keys: {','.join(sorted(infos))}"
            )
    if not named:
        (name,) = infos
        return {name: _tensor(instances, infos[name], rows=True)}
    return {
        name: _tensor([instance[name] for instance in instances], info, rows=True)
        for name, info in infos.items()
    }


def _from_columns(inputs: Any, infos: Mapping[str, Any]) -> dict[str, np.ndarray]:
    if not _is_object(inputs):
        if len(infos) > 1:
            raise _invalid(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        (name,) = infos
        return {name: _tensor(inputs, infos[name])}
    for name in infos:
        if name not in inputs:
            raise _invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: _tensor(inputs[name], info) for name, info in infos.items()}


def _tensor(value: Any, info: Any, rows: bool = False) -> np.ndarray:
    """A nested JSON list as an array of the input's type."""
    dtype = tf.dtypes.as_dtype(info.dtype).as_numpy_dtype
    shape = _shape_of(value)
    if dtype in (*_FLOATS, *_INTEGERS, np.bool_):
        # numpy judges the whole list at once; the walk below is for the rest, and for errors.
        try:
            array = np.array(value)
        except (ValueError, OverflowError):
            array = np.empty((), object)
        if array.shape == tuple(shape) and _lossless(array, dtype):
            return array.astype(dtype)
    flat: list[Any] = []
    _walk(value, 0, shape, dtype, flat, rows)
    array = np.empty(len(flat), dtype)
    array[:] = flat
    return array.reshape(shape)


def _lossless(array: np.ndarray, dtype: Any) -> bool:
    if array.size == 0:
        return True
    if dtype is np.bool_:
        return array.dtype.kind == "b"
    if dtype in _INTEGERS:
        bounds = np.iinfo(dtype)
        return array.dtype.kind in "iu" and array.min() >= bounds.min and array.max() <= bounds.max
    if array.dtype.kind in "iu":
        most = 2 ** (np.finfo(dtype).nmant + 1) - 1
        return bool(array.min() >= -most and array.max() <= most)
    if array.dtype.kind != "f":
        return False
    finite = array[np.isfinite(array)]
    return bool(np.all(np.abs(finite) <= np.finfo(dtype).max))


def _shape_of(value: Any) -> list[int]:
    shape: list[int] = []
    while isinstance(value, list):
        if len(shape) == _MOST_DIMENSIONS:
            raise _invalid(f"a tensor must have at most {_MOST_DIMENSIONS} dimensions")
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def _walk(
    value: Any, level: int, shape: list[int], dtype: Any, flat: list[Any], rows: bool
) -> None:
    """Check and collect the leaves in order; the first fault raises, in TF-Serving's words."""
    if not isinstance(value, list):
        if level != len(shape):
            raise _invalid(
                f"JSON Value: {_text(value)} found at incorrect level: {level + 1} "
                "in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        flat.append(_leaf(value, dtype))
        return
    if level >= len(shape):
        raise _invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        if rows and level == 1:
            raise _invalid(f"Expecting tensor size: {shape[level]} but got: {len(value)}")
        raise _invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    for item in value:
        _walk(item, level + 1, shape, dtype, flat, rows)


def _leaf(value: Any, dtype: Any) -> Any:
    wrong = _invalid(
        f"JSON Value: {_text(value)} Type: {_kind(value)} is not of expected type: {_name(dtype)}"
    )
    if dtype is object:
        if _is_base64(value):
            return decode_base64(value)
        if isinstance(value, dict):
            raise _invalid(f"JSON Value: {_text(value)} not formatted correctly for base64 data")
        if not isinstance(value, str):
            raise wrong
        return value.encode()
    if dtype is np.bool_:
        if not isinstance(value, bool):
            raise wrong
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong
    if dtype in _INTEGERS:
        bounds = np.iinfo(dtype)
        if not isinstance(value, int) or not bounds.min <= value <= bounds.max:
            raise wrong
        return value
    if dtype not in _FLOATS:
        raise ServingError(
            f"Conversion of JSON Value: {_text(value)} to type: {_name(dtype)}", "UNIMPLEMENTED"
        )
    if not _lossless(np.array(value), dtype):
        raise _invalid(
            f"Cannot convert JSON value: {_text(value)} to {_name(dtype)} "
            "without loss of precision."
        )
    return value


def _fill_example(value: Any, example: Any) -> None:
    if not isinstance(value, dict):
        raise _invalid(f"Example must be JSON object but got JSON {_kind(value)}")
    for name, content in value.items():
        feature = example.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            _add_to_feature(item, name, feature)


def _add_to_feature(value: Any, name: str, feature: Any) -> None:
    stored: bytes | int | float
    if _is_base64(value):
        kind, stored = "bytes", decode_base64(value)
    elif isinstance(value, str):
        kind, stored = "bytes", value.encode()
    elif isinstance(value, bool | int):
        if not -(2**63) <= value < 2**63:
            raise _invalid(f"Feature: {name} has uint64 element. Only int64 is supported.")
        kind, stored = "int64", int(value)
    elif isinstance(value, float):
        if not _lossless(np.array(value), np.float32):
            raise _invalid(
                f"Cannot convert JSON value: {_text(value)} to float without loss of precision."
            )
        kind, stored = "float", value
    else:
        raise _invalid(f"Feature: {name} has element with unexpected JSON type: {_kind(value)}")
    already = feature.WhichOneof("kind")
    if already not in (None, f"{kind}_list"):
        raise _invalid(
            f"Unexpected element type in feature: {name} "
            f"expecting type: {already.removesuffix('_list')}"
        )
    getattr(feature, f"{kind}_list").value.append(stored)


def decode_base64(value: Mapping[str, str]) -> bytes:
    """The bytes of a `{"b64": text}` object."""
    text = value["b64"]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _invalid("Unable to base64 decode") from error


def _json_values(name: str, array: np.ndarray, finite: bool) -> Any:
    """What orjson writes; of NaN and infinities, what `json` does."""
    if array.dtype == object:
        binary = name.endswith("_bytes")
        flat = [
            {"b64": base64.b64encode(item).decode()} if binary else item.decode("utf-8", "replace")
            for item in array.ravel()
        ]
        strings = np.empty(array.size, object)
        strings[:] = flat
        return strings.reshape(array.shape).tolist()
    if array.dtype.type not in (*_FLOATS, *_INTEGERS, np.bool_):
        raise _invalid(f"Failed to write JSON value for tensor type: {_name(array.dtype.type)}")
    if finite:
        return np.ascontiguousarray(array) if array.ndim else array[()]
    if array.dtype == np.float32:
        # The shortest decimal that gives the same float32: 0.2, not 0.20000000298023224.
        return array.astype("U").astype(np.float64).tolist()
    return array.tolist()


def _short(value: float) -> float:
    return float(str(np.float32(value))) if math.isfinite(value) else value


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    kinds = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}
    return kinds.get(type(value), "Null")


def _name(dtype: Any) -> str:
    name = str(tf.dtypes.as_dtype(dtype).name)
    return {"float16": "half", "float32": "float", "float64": "double"}.get(name, name)


def _text(value: Any) -> str:
    """A value for a message, cut when long; no more of it is written than is shown."""
    text = ""
    try:
        for part in json.JSONEncoder().iterencode(value):
            text += part
            if len(text) > _MOST_SHOWN:
                return text[:_MOST_SHOWN] + "..."
    except RecursionError:
        return text + "..."
    return text


def _invalid(message: str) -> ServingError:
    return ServingError(message, "INVALID_ARGUMENT")
