"""A loaded TFLite model (`model.tflite` in a version folder), served like a SavedModel."""

import queue
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from flatbuffers import encode, flexbuffers, number_types
from flatbuffers.table import Table
from tensorflow.core.protobuf import meta_graph_pb2

from cnnlg_tf.errors import ServingError
from cnnlg_tf.extras import require
from cnnlg_tf.serving.server.limits import Call, RunGate
from cnnlg_tf.serving.server.prediction import DEFAULT_SIGNATURE
from cnnlg_tf.serving.server.servable import Servable, release_memory
from cnnlg_tf.serving.server.validation import input_rules

_METADATA_NAME = b"signature_defs_metadata"
# Fields of the tables in TFLite's schema, by their place.
_MODEL_BUFFERS, _MODEL_METADATA, _METADATA_FIELD_NAME, _METADATA_FIELD_BUFFER, _BUFFER_DATA = (
    4,
    6,
    0,
    1,
    0,
)


class TFLiteServable(Servable):
    """Interpreters in a pool: each runs one request at a time.

    The signatures are the first that exist of: those that TensorFlow Lite's signature tool wrote
    into the metadata; the file's own; `serving_default` over the names of the graph's tensors.

    Args:
        interpreters: how many requests may run at once.
    """

    def __init__(self, path: Path, interpreters: int, gate: RunGate) -> None:
        self.path = path
        self._gate = gate
        content = (path / "model.tflite").read_bytes()
        make = require("ai_edge_litert.interpreter", "litert").Interpreter
        self._pool: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(max(1, interpreters)):
            interpreter = make(model_content=content, num_threads=1)
            interpreter.allocate_tensors()
            self._pool.put(interpreter)
        # Tensor name -> (signature, alias), for the file's own signatures.
        self._runners: dict[str, tuple[str, str]] = {}
        self.signatures = _signatures_in_metadata(content)
        if not self.signatures and interpreter.get_signature_list():
            self.signatures, self._runners = _own_signatures(interpreter)
        elif not self.signatures:
            self.signatures = {DEFAULT_SIGNATURE: _graph_signature(interpreter)}
        # Types only: the interpreter resizes its inputs, and checks shapes with errors, not aborts.
        self.rules = {
            name: input_rules(signature, None, lambda _: False)
            for name, signature in self.signatures.items()
        }

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], call: Call
    ) -> list[np.ndarray]:
        with self._gate.enter(call):
            interpreter = self._pool.get()
            try:
                if self._runners:
                    return self._run_signature(interpreter, feeds, fetches)
                return _run_graph(interpreter, feeds, fetches)
            except (ValueError, RuntimeError) as error:  # what the interpreter raises for bad input
                raise ServingError(str(error), "INVALID_ARGUMENT") from error
            finally:
                self._pool.put(interpreter)

    def close(self) -> None:
        self._pool = queue.SimpleQueue()
        release_memory()

    def _run_signature(
        self, interpreter: Any, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]
    ) -> list[np.ndarray]:
        key, _ = self._runners[fetches[0]]
        runner = interpreter.get_signature_runner(key)
        outputs = runner(**{self._runners[name][1]: array for name, array in feeds.items()})
        return [_as_bytes(outputs[self._runners[name][1]]) for name in fetches]


def _run_graph(
    interpreter: Any, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]
) -> list[np.ndarray]:
    inputs = {detail["name"]: detail for detail in interpreter.get_input_details()}
    outputs = {detail["name"]: detail for detail in interpreter.get_output_details()}
    for name, array in feeds.items():
        if tuple(_find(inputs, name)["shape"]) != array.shape:
            interpreter.resize_tensor_input(_find(inputs, name)["index"], array.shape)
    interpreter.allocate_tensors()
    for name, array in feeds.items():
        interpreter.set_tensor(_find(inputs, name)["index"], array)
    interpreter.invoke()
    return [_as_bytes(interpreter.get_tensor(_find(outputs, name)["index"])) for name in fetches]


def _find(details: Mapping[str, Any], name: str) -> Any:
    """A tensor by its TensorFlow name; early converters dropped the ":0"."""
    detail = details.get(name) or details.get(name.split(":")[0])
    if detail is None:
        raise ServingError(f"Unknown tensor '{name}'.", "INTERNAL")
    return detail


def _graph_signature(interpreter: Any) -> Any:
    signature = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
    for infos, details in (
        (signature.inputs, interpreter.get_input_details()),
        (signature.outputs, interpreter.get_output_details()),
    ):
        for detail in details:
            _fill_info(infos[detail["name"]], detail["name"], detail)
    return signature


def _own_signatures(interpreter: Any) -> tuple[dict[str, Any], dict[str, tuple[str, str]]]:
    signatures, runners = {}, {}
    for key in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(key)
        signature = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
        for kind, infos, details in (
            ("input", signature.inputs, runner.get_input_details()),
            ("output", signature.outputs, runner.get_output_details()),
        ):
            for alias, detail in details.items():
                name = f"{key}_{kind}_{alias}:0"
                _fill_info(infos[alias], name, detail)
                runners[name] = (key, alias)
        signatures[key] = signature
    return signatures, runners


def _fill_info(info: Any, name: str, detail: Mapping[str, Any]) -> None:
    info.name = name
    is_text = detail["dtype"] in (np.bytes_, np.object_)
    info.dtype = (tf.string if is_text else tf.dtypes.as_dtype(detail["dtype"])).as_datatype_enum
    for size in detail["shape_signature"]:
        info.tensor_shape.dim.add().size = int(size)


def _as_bytes(array: np.ndarray) -> np.ndarray:
    return array.astype(object) if array.dtype.kind in "SU" else array


def _signatures_in_metadata(content: bytes) -> dict[str, Any]:
    """The SignatureDefs that the signature tool stored: a flexbuffer map, name -> serialised."""
    data = bytearray(content)
    model = Table(data, encode.Get(number_types.UOffsetTFlags.packer_type, data, 0))
    for metadata in _tables(model, _MODEL_METADATA):
        name = metadata.Offset(4 + 2 * _METADATA_FIELD_NAME)
        if not name or metadata.String(metadata.Pos + name) != _METADATA_NAME:
            continue
        place = metadata.Offset(4 + 2 * _METADATA_FIELD_BUFFER)
        index = metadata.Get(number_types.Uint32Flags, metadata.Pos + place) if place else 0
        buffer = list(_tables(model, _MODEL_BUFFERS))[index]
        offset = buffer.Offset(4 + 2 * _BUFFER_DATA)
        start = buffer.Vector(offset)
        stored = flexbuffers.GetRoot(data[start : start + buffer.VectorLen(offset)]).AsMap
        return {
            key.AsKey: meta_graph_pb2.SignatureDef.FromString(bytes(value.AsStringBytes))
            for key, value in zip(stored.Keys, stored.Values, strict=True)
        }
    return {}


def _tables(parent: Table, field: int) -> list[Table]:
    offset = parent.Offset(4 + 2 * field)
    if not offset:
        return []
    start = parent.Vector(offset)
    places = [start + 4 * index for index in range(parent.VectorLen(offset))]
    return [Table(parent.Bytes, parent.Indirect(place)) for place in places]
