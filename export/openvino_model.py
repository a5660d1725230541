"""OpenVINO for Intel and AMD processors: its converter takes our ONNX model as it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export import manifest, onnx_model, parity
from cnnlg_tf.export.signatures import DEFAULT
from cnnlg_tf.extras import require
from cnnlg_tf.files import atomic_path

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMAT = "openvino"
FILE = "model.xml"
PRECISIONS = ("fp32", "fp16")


def export_openvino(
    model: "CNNLG",
    path: str | Path,
    *,
    precision: str = "fp32",
    allow_loss: bool = False,
    proto: Any = None,
) -> Path:
    """Write `path/model.xml`, `path/model.bin` and their manifest.

    Args:
        precision: fp32, or fp16: weights stored as float16.
        allow_loss: write the files even if their parity misses the bar.
        proto: what `to_onnx` gave for this model, when it is at hand.

    Raises:
        MissingExtraError: the extra `openvino` or `onnx` is not installed.
        ExportError: an unknown precision, the folder cannot be written, or its output is too far from the model's.
    """
    if precision not in PRECISIONS:
        raise ExportError(
            f"precision must be one of {PRECISIONS} for OpenVINO. Received: {precision!r}"
        )
    openvino = require("openvino", "openvino")
    proto = proto or onnx_model.to_onnx(model)
    path = Path(path)
    try:
        with atomic_path(path) as folder:
            folder.mkdir()
            converted = openvino.Core().read_model(proto.SerializeToString())
            openvino.save_model(converted, folder / FILE, compress_to_fp16=precision == "fp16")
            figures = parity.check(
                model, load_runner(folder, verify=False), precision, allow_loss=allow_loss
            )
            manifest.write_manifest(
                folder,
                model,
                format=FORMAT,
                precision=precision,
                signatures=[DEFAULT],
                packages=("openvino",),
                parity=figures,
            )
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error}") from error
    return path


def load_runner(folder: str | Path, *, threads: int = 0, verify: bool = True) -> parity.Runner:
    """An export folder's model on the CPU in float32 arithmetic, as a function of numpy arrays.

    Args:
        threads: 0 takes all cores.

    Raises:
        ArtefactError: the files are not those of the manifest, or OpenVINO cannot load them.
    """
    openvino = require("openvino", "openvino")
    if verify:
        manifest.verify(folder, format=FORMAT)
    path = Path(folder) / FILE
    # By default OpenVINO computes in bfloat16 where the processor can do so.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    try:
        compiled = openvino.Core().compile_model(path, "CPU", settings)
    except RuntimeError as error:
        raise ArtefactError(
            f"{path} must be a model that OpenVINO loads. Received: {error}"
        ) from error

    def run(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        result = compiled({"image": image, "mask": mask})
        return result["repaired"], result["uncertainty"]

    return run
