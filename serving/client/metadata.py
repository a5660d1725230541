"""What a server says of its model: names, dtypes and shapes of signatures, states of versions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlg_tf.errors import ServingError

Array = NDArray[Any]
Arrays = dict[str, Array]

# Strings are object arrays of bytes: numpy's own bytes dtype drops trailing zeros.
DTYPES: dict[str, np.dtype[Any]] = {
    "DT_FLOAT": np.dtype(np.float32),
    "DT_DOUBLE": np.dtype(np.float64),
    "DT_HALF": np.dtype(np.float16),
    "DT_INT8": np.dtype(np.int8),
    "DT_INT16": np.dtype(np.int16),
    "DT_INT32": np.dtype(np.int32),
    "DT_INT64": np.dtype(np.int64),
    "DT_UINT8": np.dtype(np.uint8),
    "DT_UINT16": np.dtype(np.uint16),
    "DT_UINT32": np.dtype(np.uint32),
    "DT_UINT64": np.dtype(np.uint64),
    "DT_BOOL": np.dtype(np.bool_),
    "DT_STRING": np.dtype(object),
}


@dataclass(frozen=True)
class ModelRef:
    """Which model of a server: its name, and a version, a version label or neither (the newest)."""

    name: str
    version: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        if self.version is not None and self.label is not None:
            raise ServingError(
                "a model is chosen by version or by label, not both. "
                f"Received: version={self.version}, label={self.label!r}",
                "INVALID_ARGUMENT",
            )


@dataclass(frozen=True)
class TensorSpec:
    """One input or output. `shape` is None when its rank is unknown; a None in it is any size."""

    dtype: str
    shape: tuple[int | None, ...] | None

    def cast(self, name: str, value: Any) -> Array:
        """`value` as the server wants it. Raises ServingError on another kind of dtype or shape."""
        target = numpy_dtype(self.dtype)
        array = np.asarray(value, dtype=object if self.dtype == "DT_STRING" else None)
        if not np.can_cast(array.dtype, target, "same_kind"):
            raise ServingError(
                f"input {name!r} must be {self.dtype}. Received: {array.dtype}", "INVALID_ARGUMENT"
            )
        if self.shape is not None and not _fits(array.shape, self.shape):
            raise ServingError(
                f"input {name!r} must have shape {show_shape(self.shape)}. "
                f"Received: {show_shape(array.shape)}",
                "INVALID_ARGUMENT",
            )
        return array.astype(target, copy=False)


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of one function of a model."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]

    def cast(self, inputs: dict[str, Any]) -> Arrays:
        """The inputs as the server wants them. Raises ServingError on a missing or unknown name."""
        if inputs.keys() != self.inputs.keys():
            raise ServingError(
                f"the signature takes the inputs {sorted(self.inputs)}. Received: {sorted(inputs)}",
                "INVALID_ARGUMENT",
            )
        return {name: self.inputs[name].cast(name, value) for name, value in inputs.items()}


@dataclass(frozen=True)
class Metadata:
    """A loaded model: its name, the version that answered (None if not said), its signatures."""

    name: str
    version: int | None
    signatures: dict[str, Signature]

    def signature(self, name: str) -> Signature:
        """Raises ServingError when the model has no such signature."""
        if name not in self.signatures:
            raise ServingError(
                f"the model {self.name!r} has the signatures {sorted(self.signatures)}. "
                f"Received: {name!r}",
                "INVALID_ARGUMENT",
            )
        return self.signatures[name]


@dataclass(frozen=True)
class VersionStatus:
    """One version on a server.

    `state` is START, LOADING, AVAILABLE, UNLOADING or END; `code` is "OK" or the name of its error.
    """

    version: int
    state: str
    code: str
    message: str


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """Raises ServingError for a dtype that this client cannot carry."""
    if dtype not in DTYPES:
        raise ServingError(
            f"a tensor's dtype must be one of {sorted(DTYPES)}. Received: {dtype}", "UNIMPLEMENTED"
        )
    return DTYPES[dtype]


def show_shape(shape: tuple[int | None, ...]) -> str:
    """`(None, 3)` as `[?, 3]`."""
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _fits(shape: tuple[int, ...], spec: tuple[int | None, ...]) -> bool:
    return len(shape) == len(spec) and all(
        want in (None, got) for got, want in zip(shape, spec, strict=True)
    )
