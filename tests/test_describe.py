"""What `info` says of checkpoints and exports."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cnnlg_tf.describe import describe
from cnnlg_tf.errors import ArtefactError, CheckpointError


def test_checkpoint(checkpoint: Path, untrained: Any) -> None:
    told = yaml.safe_load(describe(checkpoint))
    parameters = told["parameters"]
    assert parameters["total"] == sum(v for k, v in parameters.items() if k != "total")
    assert parameters["total"] == untrained.count_params()
    assert told["config"]["widths"] == [8, 8, 8, 8]
    assert told["checkpoint"]["licence"] == "not stated"
    assert "model.weights.h5" in told["files"]
    assert {"cnnlg-tf", "tensorflow", "keras"} <= set(told["versions"])


def test_export(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"format": "onnx", "opset": 17}))
    told = yaml.safe_load(describe(tmp_path))
    assert told["manifest"] == {"format": "onnx", "opset": 17}
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(
        ArtefactError, match=r"manifest\.json must be a JSON file. Received: Expect"
    ):
        describe(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="a model must be a checkpoint folder"):
        describe(tmp_path)
