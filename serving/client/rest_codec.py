"""Between numpy and the JSON of TF-Serving's REST interface (column form); no sockets here."""

import base64
import binascii
from typing import Any

import numpy as np

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.client.metadata import (
    Array,
    Arrays,
    Metadata,
    ModelRef,
    Signature,
    TensorSpec,
    VersionStatus,
    numpy_dtype,
)


def predict_body(signature: str, inputs: Arrays) -> dict[str, Any]:
    """The JSON body of a predict request. Strings travel as base64."""
    return {
        "signature_name": signature,
        "inputs": {name: _values(array) for name, array in inputs.items()},
    }


def predict_reply(reply: Any, specs: Signature) -> Arrays:
    """The arrays of a predict reply.

    A lone output comes without its name; `specs` gives it, and the dtypes.

    Raises:
        ServingError: the reply is not what `specs` says.
    """
    with _Reading("predict"):
        outputs = reply["outputs"]
        if len(specs.outputs) == 1:
            outputs = dict.fromkeys(specs.outputs, outputs)
        return {name: _array(outputs[name], spec.dtype) for name, spec in specs.outputs.items()}


def metadata_reply(reply: Any, model: ModelRef) -> Metadata:
    """The signatures of a metadata reply."""
    with _Reading("metadata"):
        spec = reply["model_spec"]
        definitions = reply["metadata"]["signature_def"]["signature_def"]
        return Metadata(
            spec.get("name", model.name),
            int(spec["version"]) if spec.get("version") else None,
            {
                name: Signature(
                    _tensor_specs(definition["inputs"]), _tensor_specs(definition["outputs"])
                )
                for name, definition in definitions.items()
                # TensorFlow's initialiser of a SavedModel: no tensors, not for clients.
                if definition.get("outputs") and not name.startswith("__")
            },
        )


def status_reply(reply: Any) -> list[VersionStatus]:
    """The versions in a status reply, newest first."""
    with _Reading("status"):
        versions = [
            VersionStatus(
                int(item["version"]),
                item["state"],
                item["status"]["error_code"],
                item["status"]["error_message"],
            )
            for item in reply["model_version_status"]
        ]
    return sorted(versions, key=lambda item: -item.version)


class _Reading:
    """Turns what a malformed reply raises into one ServingError."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError | binascii.Error):
            raise ServingError(
                f"the {self._what} reply must be the JSON that TF-Serving documents. "
                f"Received one where {type(error).__name__}: {error}",
                "INTERNAL",
            ) from error


def _values(array: Array) -> Any:
    if array.dtype != object:
        return array.tolist()
    flat = [{"b64": base64.b64encode(value).decode("ascii")} for value in array.ravel()]
    nested = np.array(flat, object).reshape(array.shape)
    return nested.tolist()


def _array(values: Any, dtype: str) -> Array:
    if dtype != "DT_STRING":
        return np.array(values, numpy_dtype(dtype))
    return _bytes_array(values)


def _bytes_array(values: Any) -> Array:
    """Nested strings: {"b64": ...} where the output's name ends in _bytes, else plain text."""
    if isinstance(values, list):
        items = [_bytes_array(value) for value in values]
        return np.stack(items) if items else np.zeros(0, object)
    value = (
        base64.b64decode(values["b64"], validate=True)
        if isinstance(values, dict)
        else values.encode()
    )
    array = np.empty((), object)
    array[()] = value
    return array


def _tensor_specs(infos: dict[str, Any]) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(info["dtype"], _shape(info["tensor_shape"]))
        for name, info in infos.items()
    }


def _shape(shape: dict[str, Any]) -> tuple[int | None, ...] | None:
    if shape.get("unknown_rank"):
        return None
    sizes = [int(dim["size"]) for dim in shape.get("dim", [])]
    return tuple(size if size >= 0 else None for size in sizes)
