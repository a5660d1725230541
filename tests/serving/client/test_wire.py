"""wire.proto against the official messages: same fields, same bytes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from cnnlg_tf.serving.client import wire_pb2 as wire

PROTO = "cnnlg_tf/serving/client/wire.proto"
ROOT = Path(__file__).parents[3]


def official(name: str) -> Any:
    from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2
    from tensorflow.core.protobuf import meta_graph_pb2
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_pb2,
        predict_pb2,
        status_pb2,
    )

    for module in (
        predict_pb2,
        model_pb2,
        get_model_metadata_pb2,
        get_model_status_pb2,
        status_pb2,
        meta_graph_pb2,
        tensor_pb2,
        tensor_shape_pb2,
    ):
        if name in module.DESCRIPTOR.message_types_by_name:
            return getattr(module, name)
    raise LookupError(name)


def test_compiled_module_is_what_the_proto_file_says(tmp_path: Path) -> None:
    out = tmp_path / "wire.binpb"
    # In a process of its own: protoc's library and TensorFlow's do not share one.
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--descriptor_set_out={out}"]
    subprocess.run([*command, PROTO], cwd=ROOT, check=True)
    compiled = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file[0]
    committed = descriptor_pb2.FileDescriptorProto.FromString(wire.DESCRIPTOR.serialized_pb)
    assert committed == _without_json_names(compiled)


def _without_json_names(file: Any) -> Any:
    """protoc writes each field's JSON name into a descriptor set, but not into a module."""
    messages = list(file.message_type)
    while messages:
        message = messages.pop()
        messages += message.nested_type
        for field in message.field:
            field.ClearField("json_name")
    return file


@pytest.mark.parametrize("name", sorted(wire.DESCRIPTOR.message_types_by_name))
def test_fields_are_the_official_ones(name: str) -> None:
    fields = official(name).DESCRIPTOR.fields_by_name
    for ours in getattr(wire, name).DESCRIPTOR.fields:
        theirs = fields[ours.name]
        # An enum travels as an int32 does: error_code is written as one.
        kinds = {ours.type, theirs.type}
        assert ours.number == theirs.number, ours.name
        assert len(kinds) == 1 or kinds == {ours.TYPE_INT32, ours.TYPE_ENUM}, ours.name
        assert ours.is_repeated == theirs.is_repeated, ours.name
        assert ours.is_packed == theirs.is_packed, ours.name
        assert bool(ours.containing_oneof) == bool(theirs.containing_oneof), ours.name


def test_enums_are_the_official_ones() -> None:
    from tensorflow.core.framework import types_pb2
    from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

    assert set(wire.DataType.items()) <= set(types_pb2.DataType.items())
    assert wire.ModelVersionStatus.State.items() == ModelVersionStatus.State.items()
    assert wire.DESCRIPTOR.package == "cnnlg.wire"


FILLED = {
    "PredictRequest": """
        model_spec { name: "cnnlg" version { value: 7 } signature_name: "sample" }
        inputs { key: "image" value { dtype: DT_FLOAT tensor_shape { dim { size: 2 } }
                                      tensor_content: "abcdefgh" } }
        inputs { key: "seed" value { dtype: DT_INT32 tensor_shape { dim { size: 2 } }
                                     int_val: [-1, 5] version_number: 1 } }
        inputs { key: "text" value { dtype: DT_STRING tensor_shape { } string_val: "x\\000" } }
        inputs { key: "all" value { dtype: DT_HALF tensor_shape { unknown_rank: true }
            float_val: [1.5, -0] double_val: 2 int64_val: -3 bool_val: [true, false] half_val: 15360
            uint32_val: 4294967295 uint64_val: 18446744073709551615 } }
        output_filter: ["repaired", "uncertainty"] """,
    "PredictResponse": """
        model_spec { name: "cnnlg" version_label: "stable" }
        outputs { key: "repaired" value { dtype: DT_FLOAT tensor_shape { dim { size: 1 name: "b" } }
                                          float_val: 0.25 } } """,
    "GetModelMetadataRequest": 'model_spec { name: "cnnlg" } metadata_field: "signature_def"',
    "SignatureDefMap": """
        signature_def { key: "find_damage" value { method_name: "tensorflow/serving/predict"
            inputs { key: "image" value { name: "image:0" dtype: DT_FLOAT
                tensor_shape { dim { size: -1 } dim { size: 3 } } } }
            outputs { key: "mask" value { name: "m:0" dtype: DT_BOOL tensor_shape { } } } } } """,
    "GetModelStatusRequest": 'model_spec { name: "cnnlg" version { } }',
    "GetModelStatusResponse": """
        model_version_status { version: 3 state: AVAILABLE status { } }
        model_version_status { version: 2 state: END
                               status { error_code: 5 error_message: "gone" } } """,
}


@pytest.mark.parametrize("name", sorted(FILLED))
def test_bytes_are_the_official_ones_both_ways(name: str) -> None:
    from google.protobuf import text_format

    text = FILLED[name]
    theirs = text_format.Parse(
        text.replace("error_code: 5", "error_code: NOT_FOUND"), official(name)()
    )
    ours = text_format.Parse(text, getattr(wire, name)())
    data = theirs.SerializeToString(deterministic=True)
    assert ours.SerializeToString(deterministic=True) == data
    assert getattr(wire, name).FromString(data) == ours
    assert official(name).FromString(ours.SerializeToString()) == theirs
