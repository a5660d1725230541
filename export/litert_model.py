"""LiteRT (TensorFlow Lite) for phones and small boards: built-in operators only, free batch, height and width."""

import io
import tempfile
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export import manifest, parity
from cnnlg_tf.export.frozen import FrozenGraph, freeze, import_function
from cnnlg_tf.export.quantise import INTEGER_ARITHMETIC, INTEGER_WEIGHTS
from cnnlg_tf.export.quiet import errors_only
from cnnlg_tf.export.signatures import DEFAULT, SIGNATURES
from cnnlg_tf.extras import require
from cnnlg_tf.files import atomic_path

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMAT = "litert"
FILE = "model.tflite"
PRECISIONS = ("fp32", "fp16", "int8")


def export_litert(
    model: "CNNLG",
    path: str | Path,
    *,
    precision: str = "fp32",
    allow_loss: bool = False,
    frozen: FrozenGraph | None = None,
) -> Path:
    """Write `path/model.tflite`, with the signature `serving_default`, and its manifest.

    Args:
        precision: fp32, fp16 (weights stored as float16) or int8 (`quantise` says which layers: int8 weights and
            activations quantised on the fly, int8 weights alone, or float16 weights).
        allow_loss: write the file even if its parity misses the bar.
        frozen: what `freeze` gave for this model, when it is at hand.

    Returns:
        `path`.

    Raises:
        MissingExtraError: the extra `litert` is not installed.
        ExportError: an unknown precision, the folder cannot be written, or its output is too far from the model's.
    """
    if precision not in PRECISIONS:
        raise ExportError(
            f"precision must be one of {PRECISIONS} for LiteRT. Received: {precision!r}"
        )
    for module in ("ai_edge_litert", "ai_edge_quantizer"):
        require(module, "litert")
    path = Path(path)
    try:
        with atomic_path(path) as folder:
            folder.mkdir()
            (folder / FILE).write_bytes(_convert(frozen or freeze(model), precision))
            figures = parity.check(
                model, load_runner(folder, verify=False), precision, allow_loss=allow_loss
            )
            manifest.write_manifest(
                folder,
                model,
                format=FORMAT,
                precision=precision,
                signatures=[DEFAULT],
                packages=("ai-edge-litert",),
                parity=figures,
            )
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error}") from error
    return path


def load_runner(
    folder: str | Path, *, threads: int | None = None, verify: bool = True
) -> parity.Runner:
    """An export folder's model in LiteRT's interpreter, as a function of numpy arrays.

    Raises:
        ArtefactError: the file is not that of the manifest, or the interpreter cannot load it.
    """
    litert = require("ai_edge_litert.interpreter", "litert")
    if verify:
        manifest.verify(folder, format=FORMAT)
    path = Path(folder) / FILE
    try:
        interpreter = litert.Interpreter(model_path=str(path), num_threads=threads)
        runner = interpreter.get_signature_runner(DEFAULT)
    except (ValueError, RuntimeError) as error:
        raise ArtefactError(
            f"{path} must be a LiteRT model with {DEFAULT}. Received: {error}"
        ) from error

    def run(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        result = runner(image=image, mask=mask)
        return result["repaired"], result["uncertainty"]

    return run


def _convert(frozen: FrozenGraph, precision: str) -> bytes:
    import tensorflow as tf

    graph = import_function(frozen)
    specs = [
        tf.TensorSpec([None, None, None, t.shape[-1]], t.dtype, name)
        for name, t in SIGNATURES[DEFAULT].inputs.items()
    ]
    module = tf.Module()
    module.function = tf.function(
        lambda image, mask: graph(image, mask), input_signature=specs, autograph=False
    )
    # Only a SavedModel gives its names to the signature; absl warns that a frozen graph has no gradients.
    with errors_only("absl"), tempfile.TemporaryDirectory() as folder:
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, folder, {DEFAULT: module.function}, options)
        converter: Any = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[DEFAULT])
        if precision == "fp16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        converted: bytes = converter.convert()
    return _quantise(converted) if precision == "int8" else converted


def _quantise(converted: bytes) -> bytes:
    """Round a float32 model's convolutions: TensorFlow's own converter could only do all of them alike."""
    from ai_edge_quantizer import quantizer
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import (
        ComputePrecision,
        OpQuantizationConfig,
        TensorDataType,
        TensorQuantizationConfig,
        TFLOperationName,
    )

    half = OpQuantizationConfig(
        weight_tensor_config=TensorQuantizationConfig(num_bits=16, dtype=TensorDataType.FLOAT),
        compute_precision=ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    convolution = TFLOperationName.CONV_2D
    tool = quantizer.Quantizer(bytearray(converted))
    tool.update_quantization_recipe(".*", convolution, half, AlgorithmName.FLOAT_CASTING)
    tool.add_weight_only_config(f".*{INTEGER_WEIGHTS}", convolution, num_bits=8)
    tool.add_dynamic_config(f".*{INTEGER_ARITHMETIC}", convolution, num_bits=8)
    with redirect_stderr(io.StringIO()):  # progress bars, not all of which have a switch
        return bytes(tool.quantize(enable_progress_report=False).quantized_model)
