"""OpenVINO for Intel and AMD processors: its converter takes our ONNX model as it is."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnnlg_tf.errors import ArtefactError
from cnnlg_tf.export import parity
from cnnlg_tf.export.formats import FORMATS
from cnnlg_tf.export.source import Source
from cnnlg_tf.export.writing import prove, writing
from cnnlg_tf.extras import require

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMAT = "openvino"
FILE = "model.xml"


def export_openvino(
    model: "CNNLG",
    path: str | Path,
    *,
    precision: str = "fp32",
    allow_loss: bool = False,
    source: Source | None = None,
) -> Path:
    """Write `path/model.xml`, `path/model.bin` and their manifest.

    Args:
        precision: fp32, or fp16: weights stored as float16.
        allow_loss: write the files even if their parity misses the bar.
        source: what other exports of this model share.

    Raises:
        MissingExtraError: the extra `openvino` or `onnx` is not installed.
        ExportError: an unknown precision, the folder cannot be written, or its output is too far from the model's.
    """
    FORMATS[FORMAT].choose(precision)
    openvino = require("openvino", "openvino")
    source = source or Source(model)
    with writing(path) as folder:
        converted = openvino.Core().read_model(source.onnx.SerializeToString())
        openvino.save_model(converted, folder / FILE, compress_to_fp16=precision == "fp16")
        packages = ("openvino",)
        prove(model, folder, FORMAT, precision, allow_loss=allow_loss, packages=packages)
    return Path(path)


def load_runner(folder: Path, threads: int = 0) -> parity.Runner:
    """An export folder's model on the CPU in float32 arithmetic, as a function of numpy arrays.

    Args:
        threads: 0 takes all cores.

    Raises:
        ArtefactError: OpenVINO cannot load it.
    """
    openvino = require("openvino", "openvino")
    path = folder / FILE
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
