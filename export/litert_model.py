"""LiteRT (TensorFlow Lite) for phones and small boards: built-in operators only, one file of signatures.

Sizes are free, but where the source has a shape: the graph then has no size that is not known, as GPU and NPU delegates
want it.
"""

import io
import tempfile
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlg_tf.errors import ArtefactError
from cnnlg_tf.export.frozen import import_function
from cnnlg_tf.export.loaded import Loaded
from cnnlg_tf.export.quantise import INTEGER_ARITHMETIC, INTEGER_WEIGHTS
from cnnlg_tf.export.quiet import errors_only
from cnnlg_tf.export.signatures import DEFAULT, SIGNATURES, specs
from cnnlg_tf.export.source import Source
from cnnlg_tf.export.writing import writing
from cnnlg_tf.extras import require
from cnnlg_tf.startup import usable_cores

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMAT = "litert"
FILE = "model.tflite"


def export_litert(
    model: "CNNLG",
    path: str | Path,
    *,
    precision: str = "fp32",
    allow_loss: bool = False,
    source: Source | None = None,
) -> Path:
    """Write `path/model.tflite`, with the signatures that every format has, and its manifest.

    Args:
        precision: fp32, fp16 (weights stored as float16) or int8 (`quantise` says which layers: int8 weights and
            activations quantised on the fly, int8 weights alone, or float16 weights).
        allow_loss: write the file even if its parity misses the bar.
        source: what other exports of this model share.

    Returns:
        `path`.

    Raises:
        MissingExtraError: the extra `litert` is not installed.
        ExportError: an unknown precision, the folder cannot be written, or its output is too far from the model's.
    """
    source = source or Source(model)
    with writing(path, FORMAT, precision, source, allow_loss=allow_loss) as draft:
        for module in ("ai_edge_litert", "ai_edge_quantizer"):
            require(module, "litert")
        (draft.folder / FILE).write_bytes(_convert(source, draft.names, precision))
        draft.packages = ("ai-edge-litert",)
    return Path(path)


def load(folder: Path, threads: int = 0) -> Loaded:
    """An export folder's model in LiteRT's interpreter, a function for each of its signatures.

    Raises:
        ArtefactError: the interpreter cannot load it.
    """
    litert = require("ai_edge_litert.interpreter", "litert")
    path = folder / FILE
    try:
        interpreter = litert.Interpreter(
            model_path=str(path), num_threads=threads or usable_cores()
        )
        names = SIGNATURES.keys() & interpreter.get_signature_list().keys() or {DEFAULT}
        return {name: interpreter.get_signature_runner(name) for name in names}
    except (ValueError, RuntimeError) as error:
        raise ArtefactError(
            f"{path} must be a LiteRT model with {DEFAULT}. Received: {error}"
        ) from error


def _convert(source: Source, names: list[str], precision: str) -> bytes:
    import tensorflow as tf

    module, functions = tf.Module(), {name: _named(source, name) for name in names}
    module.functions = functions
    # Only a SavedModel gives its names to the signature; absl warns that a frozen graph has no gradients.
    with errors_only("absl"), tempfile.TemporaryDirectory() as folder:
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, folder, functions, options)
        converter: Any = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=names)
        converted: bytes = converter.convert()
    return converted if precision == "fp32" else _quantise(converted, integers=precision == "int8")


def _named(source: Source, name: str) -> Any:
    """A frozen graph as a tf.function whose arguments have the signature's names."""
    import tensorflow as tf

    graph = import_function(source.frozen(name))
    return tf.function(
        lambda *arguments: graph(*arguments),
        input_signature=specs(name, source.shape),
        autograph=False,
    )


def _quantise(converted: bytes, integers: bool) -> bytes:
    """Round a float32 model's convolutions to float16, and those that bear it to int8.

    TensorFlow's own converter could only do all constants alike: the synthesis' places do not fit into float16.
    """
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
    if integers:
        tool.add_weight_only_config(f".*{INTEGER_WEIGHTS}", convolution, num_bits=8)
        tool.add_dynamic_config(f".*{INTEGER_ARITHMETIC}", convolution, num_bits=8)
    with redirect_stderr(io.StringIO()):  # progress bars, not all of which have a switch
        return bytes(tool.quantize(enable_progress_report=False).quantized_model)
