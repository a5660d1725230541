"""INT8 ONNX: Q/DQ pairs around the networks' convolutions, calibrated on photos with onnxruntime's quantiser.

Scales are symmetric and weights have one a channel, as TensorRT asks; onnxruntime runs the same file on CPUs.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export.onnx_precision import FLOAT32_SCOPE, is_network
from cnnlg_tf.export.parity import drawn_case, hole_for
from cnnlg_tf.export.quiet import errors_only

SENSITIVE = (
    "/head",
    "/coarse_head",
    "/latent_head",
    "/stem",
    "/fold",
    "/missing",
    "scan_",
    FLOAT32_SCOPE,
)
"""Convolutions that stay float: the first and the last of each network, and those that feed a recurrence."""
CALIBRATION_CASES = 8


def quantise(proto: Any, photos: list[np.ndarray] | None = None) -> Any:
    """An int8 version of a float32 onnx.ModelProto.

    Args:
        photos: float32 [height, width, 3] in [0, 1], which should look like those to repair; holes are drawn into them.
            None takes drawn pictures, which is enough for a test and not for a product.

    Raises:
        ExportError: `photos` is empty.
    """
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    if photos is not None and not photos:
        raise ExportError("int8 needs at least one calibration photo. Received: none")

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is an optional extra
        def __init__(self) -> None:
            self._cases = _cases(photos)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._cases, None)

    with errors_only(), tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(proto, source)
        quantize_static(
            source,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_quantize=nodes_to_quantise(proto),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
        )
        return onnx.load(target)


def nodes_to_quantise(proto: Any) -> list[str]:
    """Names of the convolutions that become int8."""
    return [
        node.name
        for node in proto.graph.node
        if is_network(node) and not any(part in node.name for part in SENSITIVE)
    ]


def _cases(photos: list[np.ndarray] | None) -> Iterator[dict[str, np.ndarray]]:
    if photos is None:
        for seed in range(CALIBRATION_CASES):
            image, mask = drawn_case(1, 64, 80, seed=seed)
            yield {"image": image, "mask": mask}
        return
    for seed, photo in enumerate(photos):
        mask = hole_for(photo.shape[0], photo.shape[1], seed)
        yield {"image": photo[None].astype(np.float32), "mask": mask[None]}
