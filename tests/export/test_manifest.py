import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cnnlg_tf.errors import ArtefactError
from cnnlg_tf.export import manifest
from cnnlg_tf.export.signatures import SIGNATURES


@pytest.fixture
def copy(plain_onnx: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain_onnx, tmp_path / "copy"))


def test_manifest_says_what_was_exported(plain_onnx: Path) -> None:
    made = manifest.verify(plain_onnx, format="onnx")
    assert (
        made["precision"] == "fp32"
        and made["opset"] == 17
        and made["parity"]["serving_default"]["meets_bar"]
    )
    assert made["signatures"]["serving_default"] == {
        "inputs": {
            "image": "float32 [batch, height, width, 3]",
            "mask": "float32 [batch, height, width, 1]",
        },
        "outputs": {
            "repaired": "float32 [batch, height, width, 3]",
            "uncertainty": "float32 [batch, height, width, 1]",
        },
    }
    assert SIGNATURES["refine"].describe()["inputs"]["reference"] == (
        "float32 [references, reference_height >= 16, reference_width >= 16, 3] or empty"
    )
    assert {"cnnlg-tf", "tensorflow", "onnx"} <= set(made["versions"])


def test_truncated_file_is_told(copy: Path) -> None:
    file = copy / "model.onnx"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ArtefactError, match="must have .* bytes, as its manifest says"):
        manifest.verify(copy)


def test_altered_file_is_told(copy: Path) -> None:
    file = copy / "model.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtefactError, match="must have the sha256 .* altered after the export"):
        manifest.verify(copy)


def test_missing_file_is_told(copy: Path) -> None:
    (copy / "model.onnx").unlink()
    with pytest.raises(ArtefactError, match="must hold model.onnx.*no such file"):
        manifest.verify(copy)


def test_missing_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="must hold manifest.json"):
        manifest.verify(tmp_path)


def test_other_format_is_told(copy: Path) -> None:
    with pytest.raises(ArtefactError, match="format 'litert'. Received: 'onnx'"):
        manifest.verify(copy, format="litert")


def test_damaged_and_newer_manifests_are_told(copy: Path) -> None:
    file = copy / "manifest.json"
    content = json.loads(file.read_text())
    file.write_text("{")
    with pytest.raises(ArtefactError, match="is damaged"):
        manifest.verify(copy)
    file.write_text(json.dumps(content | {"manifest_version": 2}))
    with pytest.raises(ArtefactError, match="must have manifest version 1.*Received: version 2"):
        manifest.verify(copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": {"model.onnx": {"sha256": ""}}}, "files must give each name its bytes"),
        ({"files": {"model.onnx": {"byteS": 7, "sha256": ""}}}, "files must give each name its"),
        ({"files": ["model.onnx"]}, "files must give each name"),
        ({"files": {"a" * 300: {"bytes": 1, "sha256": ""}}}, "must hold 'aaa"),
        ({"files": {"\0": {"bytes": 1, "sha256": ""}}}, "as its manifest says"),
        ({"signatures": {"serving_default": {"inputs": 7}}}, "signatures must give each name"),
        ({"signatures": {"serving_default": "x"}}, "signatures must give each name"),
        ({"ranges": {"serving_default": {"image": {"leaSt": 0}}}}, "ranges must give each"),
        ({"ranges": {"serving_default": {"image": {"least": "0", "most": 1}}}}, "ranges must"),
        ({"ranges": {"nobody": {"image": {"least": 0, "most": 1}}}}, "ranges must give each"),
        (
            {"ranges": {"serving_default": {"image": {"least": 0, "most": 1, "known_by": "x"}}}},
            "ranges must be of inputs",
        ),
    ],
)
def test_a_manifest_with_other_contents_is_damaged(
    copy: Path, changes: dict[str, Any], message: str
) -> None:
    file = copy / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    with pytest.raises(ArtefactError, match=message) as caught:
        manifest.verify(copy)
    assert str(copy) in str(caught.value)
