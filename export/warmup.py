"""The warm-up file of a SavedModel: one request a signature, which TensorFlow Serving replays before it serves.

Its records are tensorflow.serving.PredictionLog messages. TensorFlow ships no such class, and the package that does is
not needed to export; so the few fields of a predict request are declared here.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cnnlg_tf.export.cases import arguments

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
SIDE = 64

SCHEMA = """
name: "cnnlg_tf/export/warmup.proto" package: "cnnlg_tf.export" syntax: "proto3"
message_type {
  name: "ModelSpec"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "signature_name" number: 3 type: TYPE_STRING label: LABEL_OPTIONAL }
}
message_type {
  name: "PredictRequest"
  field { name: "model_spec" number: 1 type: TYPE_MESSAGE type_name: "ModelSpec" label: LABEL_OPTIONAL }
  field { name: "inputs" number: 2 type: TYPE_MESSAGE type_name: "InputsEntry" label: LABEL_REPEATED }
  nested_type {
    name: "InputsEntry"
    field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "value" number: 2 type: TYPE_BYTES label: LABEL_OPTIONAL }
    options { map_entry: true }
  }
}
message_type {
  name: "PredictLog"
  field { name: "request" number: 1 type: TYPE_MESSAGE type_name: "PredictRequest" label: LABEL_OPTIONAL }
}
message_type {
  name: "PredictionLog"
  field { name: "predict_log" number: 6 type: TYPE_MESSAGE type_name: "PredictLog" label: LABEL_OPTIONAL }
}
"""
"""A FileDescriptorProto in text form. The inputs' values are TensorProto messages: as bytes they read the same."""


def write_warmup(folder: Path, names: list[str]) -> None:
    """Write a small request for each of the named signatures to a version's folder."""
    import tensorflow as tf

    rows = np.linspace(0.0, 1.0, SIDE, dtype=np.float32)
    image = np.broadcast_to(rows[:, None, None], (SIDE, SIDE, 3))
    mask = np.zeros((SIDE, SIDE, 1), np.float32)
    mask[SIDE // 4 : SIDE // 2, SIDE // 4 : SIDE // 2] = 1.0
    (folder / FILE).parent.mkdir()
    with tf.io.TFRecordWriter(str(folder / FILE)) as writer:
        for name in names:
            log = prediction_log()
            request = log.predict_log.request
            request.model_spec.name, request.model_spec.signature_name = "cnnlg", name
            for key, value in arguments(name, image[None], mask[None]).items():
                request.inputs[key] = tf.make_tensor_proto(value).SerializeToString()
            writer.write(log.SerializeToString(deterministic=True))


def prediction_log() -> Any:
    """An empty PredictionLog that holds a predict request."""
    return _message_class("PredictionLog")()


@cache
def _message_class(name: str) -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

    file = text_format.Parse(SCHEMA, descriptor_pb2.FileDescriptorProto())
    pool = descriptor_pool.DescriptorPool()  # its own: the real messages may be loaded beside it
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{name}"))
