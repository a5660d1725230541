"""What a config asks for, and which configs are refused."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server.config_files import ModelServerConfig, single_model_config
from cnnlg_tf.serving.server.sources import aspired_versions, validate


def config(text: str) -> Any:
    return text_format.Parse(text, ModelServerConfig())


def model(text: str = 'model_platform: "tensorflow"', name: str = "m") -> str:
    return f'model_config_list {{ config {{ name: "{name}" base_path: "/m" {text} }} }}'


def test_only_numbered_folders_are_versions(tmp_path: Path) -> None:
    for name in ("1", "0007", "x2", ".tmp", "٣"):
        (tmp_path / name).mkdir()
    (tmp_path / "9").touch()
    (entry,) = single_model_config("m", tmp_path).model_config_list.config
    assert aspired_versions(entry) == {7: tmp_path / "0007"}


def test_a_missing_base_path(tmp_path: Path) -> None:
    (entry,) = single_model_config("m", tmp_path / "none").model_config_list.config
    with pytest.raises(ServingError, match="Could not find base path .*none for servable m"):
        aspired_versions(entry)


def test_the_deprecated_type_means_tensorflow() -> None:
    validate(config(model("model_type: TENSORFLOW")), None)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("custom_model_config {}", "ModelServer does not yet support custom model config."),
        (
            'model_config_list { config { name: "m" model_platform: "tensorflow" } '
            'config { name: "m" model_platform: "tensorflow" } }',
            "Illegal to list model m multiple times in config list",
        ),
        (model(""), "Illegal setting neither ModelServerConfig::model_type"),
        (
            model('model_type: TENSORFLOW model_platform: "tensorflow"'),
            "Illegal setting both ModelServerConfig::model_type",
        ),
        (model('model_platform: "caffe"'), "Model m requests unsupported platform caffe"),
    ],
)
def test_configs_that_are_refused(new: str, message: str) -> None:
    with pytest.raises(ServingError, match=message) as caught:
        validate(config(new), None)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_changes_that_are_refused() -> None:
    with pytest.raises(ServingError, match="Cannot transition to requested config.") as caught:
        validate(config(""), config(model()))
    assert caught.value.code == "FAILED_PRECONDITION"
    with pytest.raises(
        ServingError,
        match="Illegal to change a model's platform. For model m platform was tensorflow "
        "and new platform requested is other",
    ):
        validate(config(model('model_platform: "other"')), config(model()))
