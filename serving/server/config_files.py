"""Text-format protobuf files: the configs that `tensorflow_model_server` reads."""

from pathlib import Path
from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from cnnlg_tf.errors import ServingError

ModelServerConfig: Any = model_server_config_pb2.ModelServerConfig

# The messages that the tensorflow-serving-api package leaves out. A text file holds names only,
# so the numbers are free. Field: its type, "*" before a repeated one.
_INT, _TEXT, _FLAG = ".google.protobuf.Int64Value", ".google.protobuf.StringValue", "bool"
_MESSAGES = {
    "BatchingParameters": {
        "max_batch_size": _INT,
        "batch_timeout_micros": _INT,
        "max_enqueued_batches": _INT,
        "num_batch_threads": _INT,
        "thread_pool_name": _TEXT,
        "allowed_batch_sizes": "*int64",
        "pad_variable_length_inputs": _FLAG,
        "enable_large_batch_splitting": ".google.protobuf.BoolValue",
        "max_execution_batch_size": _INT,
    },
    "PrometheusConfig": {"enable": _FLAG, "path": "string"},
    "MonitoringConfig": {"prometheus_config": ".cnnlg_tf.serving.PrometheusConfig"},
    "SSLConfig": {
        "server_key": "string",
        "server_cert": "string",
        "custom_ca": "string",
        "client_verify": _FLAG,
    },
}


def _build_messages() -> dict[str, Any]:
    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="cnnlg_tf/serving/config_files.proto",
        package="cnnlg_tf.serving",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), start=1):
            repeated = kind.startswith("*")
            entry = message.field.add(name=field, number=number)
            entry.label = field_type.LABEL_REPEATED if repeated else field_type.LABEL_OPTIONAL
            if kind.startswith("."):
                entry.type, entry.type_name = field_type.TYPE_MESSAGE, kind
            else:
                entry.type = field_type.Type.Value(f"TYPE_{kind.removeprefix('*').upper()}")
    pool = descriptor_pool.Default()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{name}"))
        for name in _MESSAGES
    }


_classes = _build_messages()
BatchingParameters: Any = _classes["BatchingParameters"]
MonitoringConfig: Any = _classes["MonitoringConfig"]
SSLConfig: Any = _classes["SSLConfig"]


def read_text_proto(path: str | Path, kind: Any) -> Any:
    """Parse a text-format file into a message of class `kind`.

    Raises:
        ServingError: NOT_FOUND or INVALID_ARGUMENT; the message names file, line and fault.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ServingError(f"'{path}' cannot be read: {error}", "NOT_FOUND") from error
    try:
        return text_format.Parse(text, kind())
    except text_format.ParseError as error:
        raise ServingError(
            f"Invalid protobuf file: '{path}': "
            f"Error parsing text-format tensorflow.serving.{kind.DESCRIPTOR.name}: {error}",
            "INVALID_ARGUMENT",
        ) from error


def single_model_config(name: str, base_path: str | Path) -> Any:
    """The config of one model under `base_path`, a folder of numbered versions."""
    config = ModelServerConfig()
    config.model_config_list.config.add(
        name=name, base_path=str(base_path), model_platform="tensorflow"
    )
    return config
