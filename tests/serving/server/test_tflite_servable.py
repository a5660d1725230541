"""TFLite models with each of the three ways to say their signatures."""

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers
from tensorflow.core.protobuf import meta_graph_pb2

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server.limits import Call, RunGate
from cnnlg_tf.serving.server.tflite_servable import TFLiteServable
from tests.serving import model_factory


def run(servable: TFLiteServable, value: Any, signature: str = "serving_default") -> list[float]:
    found = servable.signatures[signature]
    feeds = {found.inputs["x"].name: value}
    (output,) = servable.run(feeds, [found.outputs["y"].name], Call())
    return [float(item) for item in output.ravel()]


def test_a_signature_of_the_file(tmp_path: Path) -> None:
    model_factory.save_tflite(tmp_path / "1")
    servable = TFLiteServable(tmp_path / "1", 2, RunGate(2))
    assert list(servable.signatures) == ["serving_default"]
    assert run(servable, np.float32([2, 4])) == [3, 4]
    with pytest.raises(ServingError, match="INT32 but expected type FLOAT32") as caught:
        run(servable, np.int32([2]))
    assert caught.value.code == "INVALID_ARGUMENT"
    servable.close()


def test_the_names_of_the_graph(tmp_path: Path) -> None:
    model_factory.save_plain_tflite(tmp_path / "1")
    servable = TFLiteServable(tmp_path / "1", 1, RunGate(2))
    assert list(servable.signatures) == ["serving_default"]
    assert run(servable, np.float32([[2], [4]])) == [3, 4]  # the graph's [1, 1] is resized
    with pytest.raises(ServingError, match="Unknown tensor 'z'."):
        servable.run({"z": np.float32([1])}, ["y"], Call())
    servable.close()


class _Bytes(str):
    """A str for flexbuffers' builder that is encoded to given bytes."""

    data: bytes

    def __new__(cls, data: bytes) -> "_Bytes":
        text = super().__new__(cls)
        text.data = data
        return text

    def encode(self, *_: Any) -> bytes:
        return self.data


def test_signatures_in_the_metadata(tmp_path: Path) -> None:
    content = model_factory.save_plain_tflite(tmp_path / "1")
    signature = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
    signature.inputs["x"].name, signature.outputs["y"].name = "x:0", "y:0"
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key("halve")
        builder.String(_Bytes(signature.SerializeToString()))
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    metadata, buffer = schema.MetadataT(), schema.BufferT()
    metadata.name, metadata.buffer = "signature_defs_metadata", len(model.buffers)
    buffer.data = list(builder.Finish())
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), metadata]
    packed = flatbuffers.Builder(1024)
    packed.Finish(model.Pack(packed), b"TFL3")
    (tmp_path / "1" / "model.tflite").write_bytes(bytes(packed.Output()))
    servable = TFLiteServable(tmp_path / "1", 1, RunGate(2))
    assert dict(servable.signatures) == {"halve": signature}
    assert run(servable, np.float32([[2]]), "halve") == [3]
    servable.close()
