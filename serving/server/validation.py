"""Checks a request's tensors against what the model takes, before native code sees them.

TensorFlow's kernels may end the process on a tensor whose rank they did not expect; a server must
not, whatever a client sends.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from cnnlg_tf.errors import ServingError
from cnnlg_tf.export.signatures import MISSING, Range
from cnnlg_tf.serving.server.limits import Limits

_DESCRIPTION = re.compile(r"\w+ \[(.*)\]( or empty)?")
_IMAGE_RANK = 4
_ANY_TYPE = "any type"


@dataclass(frozen=True)
class InputRule:
    """What one input must be.

    Attributes:
        dtype: TensorFlow's name of the element type, or "any type".
        sizes: for each dimension its size, the name of a free size ("height"; the same name means
            the same number in all inputs; "height >= 16" with a least one), or None for any; None
            instead of a tuple for any shape.
        or_empty: it may have no elements, and then be of any shape.
        values: what an export's manifest says of its numbers; None for any.
    """

    dtype: str
    sizes: tuple[int | str | None, ...] | None
    or_empty: bool = False
    values: Range | None = None

    def __str__(self) -> str:
        if self.sizes is None:
            return f"{self.dtype} of any shape"
        text = f"{self.dtype} [{', '.join('any' if s is None else str(s) for s in self.sizes)}]"
        return f"{text} or empty" if self.or_empty else text


def input_rules(
    signature: Any,
    described: Mapping[str, str] | None,
    is_argument: Callable[[str], bool],
    ranges: Mapping[str, Any] | None = None,
) -> dict[str, InputRule]:
    """The rules of a SignatureDef's inputs, by alias.

    Args:
        described: the inputs as an export's manifest writes them, "float32 [batch, height, width,
            3]": from there come the names of free sizes; None where there is no manifest.
        is_argument: whether the tensor of that name is an argument of the graph. Signatures of
            TensorFlow 1 may name a tensor inside the graph; clients of TF-Serving feed those in
            other shapes than the declared one ([1] for [-1, 1]), so only their type is checked.
        ranges: the values that an export's manifest says they may have, as `Range` has them.
    """
    rules = {}
    for alias, info in signature.inputs.items():
        sizes, text = None, (described or {}).get(alias, "")
        if info.WhichOneof("encoding") == "name" and is_argument(info.name):
            dims = None  # a graph that checks ranks itself may take any
            if not info.tensor_shape.unknown_rank:
                dims = [dim.size if dim.size >= 0 else None for dim in info.tensor_shape.dim]
            sizes = _named(dims, text)
        # TensorFlow Lite's signature tool leaves types out.
        dtype = tf.dtypes.as_dtype(info.dtype).name if info.dtype else _ANY_TYPE
        described_as = _DESCRIPTION.fullmatch(text)
        or_empty, values = bool(described_as and described_as[2]), (ranges or {}).get(alias)
        rules[alias] = InputRule(
            dtype, sizes, or_empty, None if values is None else Range(**values)
        )
    return rules


def check_inputs(
    arrays: Mapping[str, np.ndarray], rules: Mapping[str, InputRule], limits: Limits
) -> None:
    """Refuse arrays that break their rules.

    Raises:
        ServingError: INVALID_ARGUMENT; it names the input, what was expected and what came.
    """
    known: dict[str, tuple[int, str]] = {}  # a free size -> its number, and the input it is from
    for alias, array in arrays.items():
        rule = rules[alias]
        _check_type(alias, array, rule)
        if rule.or_empty and not array.size:
            continue
        if rule.sizes is not None and len(rule.sizes) != array.ndim:
            raise _wrong(alias, array, rule)
        for size, want in zip(array.shape, rule.sizes or (), strict=False):
            if isinstance(want, int) and size != want:
                raise _wrong(alias, array, rule)
            if not isinstance(want, str):
                continue
            want, _, least = want.partition(" >= ")
            if size < int(least or 0):
                raise _wrong(alias, array, rule)
            number, source = known.setdefault(want, (size, alias))
            if size != number:
                raise _wrong(alias, array, rule, f" with the {want} of input {source}, {number}")
        _check_sides(alias, array, rule, limits)
    ranges = {alias: rules[alias].values for alias in arrays}
    for alias, values in sorted(
        ranges.items(), key=lambda item: bool(item[1] and item[1].known_by)
    ):
        _check_values(alias, arrays, values)  # a mask before the image that it is about


def _named(sizes: list[int | None] | None, text: str) -> tuple[int | str | None, ...] | None:
    """`sizes` with the free ones named as a manifest's description names them."""
    match = _DESCRIPTION.fullmatch(text)
    names = match[1].split(", ") if match and match[1] else []
    if sizes is None:
        return tuple(int(n) if n.isdigit() else n for n in names) if match else None
    if len(names) != len(sizes):
        return tuple(sizes)
    return tuple(
        name if size is None and not name.isdigit() else size
        for size, name in zip(sizes, names, strict=True)
    )


def _check_type(alias: str, array: np.ndarray, rule: InputRule) -> None:
    if rule.dtype not in (_type(array), _ANY_TYPE):
        raise _wrong(alias, array, rule)


def _check_sides(alias: str, array: np.ndarray, rule: InputRule, limits: Limits) -> None:
    """No empty images; not more pixels than the server's memory is made for."""
    named = any(isinstance(size, str) for size in rule.sizes or ())
    if 0 in array.shape and (named or array.ndim >= _IMAGE_RANK):
        raise _wrong(alias, array, rule, " with no dimension of size 0")
    if array.ndim == _IMAGE_RANK and array.dtype != object:
        pixels = int(np.prod(array.shape[:-1], dtype=np.int64))
        if pixels > limits.image_pixels:
            raise ServingError(
                f"images must have at most {limits.image_pixels} pixels. "
                f"Received: {pixels} in input {alias} {list(array.shape)}",
                "INVALID_ARGUMENT",
            )


def _check_values(alias: str, arrays: Mapping[str, np.ndarray], values: Range | None) -> None:
    """No value outside its range, and no NaN: a run that the graph itself refuses costs more."""
    if values is None:
        return
    array = arrays[alias]
    least, most = map(array.dtype.type, values.limits)
    inside = (array >= least) & (array <= most)  # NaN is neither
    if values.known_by is not None:
        inside |= arrays[values.known_by] > MISSING
    if inside.all():
        return
    wrong = array[~inside]
    numbers = wrong[~np.isnan(wrong)]
    found = [f"from {numbers.min():g} to {numbers.max():g}"] if numbers.size else []
    if numbers.size < wrong.size:
        found.append(f"{wrong.size - numbers.size} NaN")
    raise ServingError(
        f"input {alias} must {values}. Received: {wrong.size} of {array.size} values outside, "
        f"{' and '.join(found)}",
        "INVALID_ARGUMENT",
    )


def _wrong(alias: str, array: np.ndarray, rule: InputRule, more: str = "") -> ServingError:
    return ServingError(
        f"input {alias} must be {rule}{more}. "
        f"Received: {_type(array)} [{', '.join(map(str, array.shape))}]",
        "INVALID_ARGUMENT",
    )


def _type(array: np.ndarray) -> str:
    return "string" if array.dtype == object else str(tf.dtypes.as_dtype(array.dtype).name)
