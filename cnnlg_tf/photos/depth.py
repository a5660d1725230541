"""How deep numbers are: the one place where 8 bits become floats, 16 bits become 8, and back."""

from collections.abc import Iterator
from typing import Any

import numpy as np

_ROWS = 256  # converted at a time, so that the floats between take little memory


def to_unit(pixels: np.ndarray) -> np.ndarray:
    """Numbers of any photo's type to float32: an integer type's largest value becomes 1."""
    if np.issubdtype(pixels.dtype, np.integer):
        return pixels.astype(np.float32) * np.float32(1.0 / np.iinfo(pixels.dtype).max)
    return pixels.astype(np.float32)


def from_unit(values: np.ndarray, dtype: Any) -> np.ndarray:
    """Floats in [0, 1] to a photo's type; what lies outside is clipped, halves round to even.

    NaN, where nothing is known, stays NaN in floats and becomes 0 in integers.
    """
    dtype = np.dtype(dtype)
    clipped = np.clip(values, 0.0, 1.0)
    if np.issubdtype(dtype, np.integer):
        clipped = np.rint(np.nan_to_num(clipped, nan=0.0) * np.float32(np.iinfo(dtype).max))
    converted: np.ndarray = clipped.astype(dtype)
    return converted


def to_depth(pixels: np.ndarray, dtype: Any) -> np.ndarray:
    """The same picture in another type: to the nearest value, whole range to whole range."""
    dtype = np.dtype(dtype)
    if pixels.dtype == dtype:
        return pixels
    converted = np.empty(pixels.shape, dtype)
    for rows in blocks(len(pixels)):
        converted[rows] = from_unit(to_unit(pixels[rows]), dtype)
    return converted


def blocks(count: int) -> Iterator[slice]:
    """Slices of some rows each, for work that needs much memory a row."""
    for start in range(0, count, _ROWS):
        yield slice(start, start + _ROWS)
