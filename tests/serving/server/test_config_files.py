"""Text-format files."""

from pathlib import Path
from typing import Any

import pytest

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server.config_files import (
    ModelServerConfig,
    MonitoringConfig,
    SSLConfig,
    read_text_proto,
    single_model_config,
)


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "file.config"
    file.write_text(text)
    return file


def test_each_kind_is_read(tmp_path: Path) -> None:
    monitoring = read_text_proto(
        write(tmp_path, 'prometheus_config: { enable: true path: "/m" }'), MonitoringConfig
    )
    assert (monitoring.prometheus_config.enable, monitoring.prometheus_config.path) == (True, "/m")
    ssl = read_text_proto(write(tmp_path, 'server_key: "k" client_verify: true'), SSLConfig)
    assert (ssl.server_key, ssl.client_verify) == ("k", True)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(ModelServerConfig, "ModelServerConfig"), (MonitoringConfig, "MonitoringConfig")],
)
def test_a_bad_file_is_told_in_tf_servings_words(tmp_path: Path, kind: Any, name: str) -> None:
    file = write(tmp_path, "improperly formatted file")
    with pytest.raises(ServingError) as caught:
        read_text_proto(file, kind)
    assert f"Invalid protobuf file: '{file}'" in str(caught.value)
    assert f"Error parsing text-format tensorflow.serving.{name}: 1:1 : " in str(caught.value)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="cannot be read: .*No such file") as caught:
        read_text_proto(tmp_path / "none", SSLConfig)
    assert caught.value.code == "NOT_FOUND"


def test_a_single_model() -> None:
    (config,) = single_model_config("m", "/models/m").model_config_list.config
    assert (config.name, config.base_path, config.model_platform) == (
        "m",
        "/models/m",
        "tensorflow",
    )
