"""A Triton model repository: NAME/config.pbtxt and NAME/1/ with an ONNX model or a TensorRT engine."""

import re
import shutil
from pathlib import Path
from typing import Any

from cnnlg_tf.errors import ArtefactError
from cnnlg_tf.export.manifest import verify
from cnnlg_tf.export.signatures import DEFAULT, artefact

# By an export's format: the file of the model that Triton runs, and what Triton wants it to be called.
_MODELS = {
    "onnx": (artefact(DEFAULT, ".onnx"), "model.onnx"),
    "tensorrt": (artefact(DEFAULT, ".engine"), "model.plan"),
}
_TYPES = {
    "float32": "TYPE_FP32",
    "float16": "TYPE_FP16",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "bool": "TYPE_BOOL",
}
_TENSOR = re.compile(r"(\w+) \[(.+)\]")


def write_repository(export: Path, folder: Path, template: str) -> None:
    """Fill the folder NAME of a repository from an export: with `serving_default`, whose tensors Triton can batch.

    Args:
        export: a folder with an ONNX model or a TensorRT engine, and its manifest.
        folder: the folder to make, NAME.
        template: a config.pbtxt without inputs and outputs.

    Raises:
        ArtefactError: the export is altered, or not one that Triton runs.
    """
    manifest = verify(export)
    file, name = _MODELS[manifest["format"]]
    version = folder / "1"
    version.mkdir(parents=True)
    shutil.copyfile(export / file, version / name)
    signature = manifest["signatures"][DEFAULT]
    tensors = [_tensor("input", *item) for item in signature["inputs"].items()]
    tensors += [_tensor("output", *item) for item in signature["outputs"].items()]
    (folder / "config.pbtxt").write_text(template + "".join(tensors), encoding="utf-8")


def triton_format(export: Path) -> str:
    """The format of an export that Triton runs, `onnx` or `tensorrt`.

    Raises:
        ArtefactError: it is another one, or a TensorRT-RTX engine, which Triton has no backend for.
    """
    manifest = verify(export)
    made: str = manifest["format"]
    if made not in _MODELS or manifest.get("builder") == "rtx":
        kind = "a TensorRT-RTX engine" if made in _MODELS else f"format {made!r}"
        raise ArtefactError(
            f"Triton needs an export of format onnx or tensorrt. Received: {kind} in {export}"
        )
    return made


def _tensor(side: str, name: str, description: Any) -> str:
    """`input { ... }` from a manifest's "float32 [batch, height, width, 3]"; Triton adds the batch."""
    match = _TENSOR.fullmatch(description)
    if match is None or match[1] not in _TYPES or not match[2].startswith("batch"):
        raise ArtefactError(
            f"Triton batches tensors like 'float32 [batch, ...]'. Received: {name}: {description}"
        )
    sizes = match[2].split(", ")[1:]
    dims = ", ".join(size if size.isdigit() else "-1" for size in sizes)
    return f'{side} {{ name: "{name}" data_type: {_TYPES[match[1]]} dims: [ {dims} ] }}\n'
