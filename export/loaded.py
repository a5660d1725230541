"""A loaded export: its signatures as functions of numpy arrays, given and returned by name."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from cnnlg_tf.export.signatures import DEFAULT, SIGNATURES, artefact

Function = Callable[..., dict[str, np.ndarray]]
Loaded = dict[str, Function]


def one_a_file(folder: Path, suffix: str, load: Callable[[Path, str], Function]) -> Loaded:
    """The signatures of a format of one graph a file: the first at once, others when first called.

    Args:
        load: (file, signature) -> the function in it.
    """
    files = {name: folder / artefact(name, suffix) for name in SIGNATURES}
    first, *others = [name for name, file in files.items() if file.is_file()] or [DEFAULT]
    loaded = {first: load(files[first], first)}
    return loaded | {name: _later(partial(load, files[name], name)) for name in others}


def written_out(name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """A signature's arguments, for runtimes that take no empty ones: no strokes, photos that hold nothing."""
    image = np.shape(inputs["image"])
    written = dict(inputs)
    for argument, tensor in SIGNATURES[name].inputs.items():
        if tensor.or_empty and not np.size(inputs[argument]):
            channels = tensor.shape[-1]
            if tensor.shape[0] == "batch":
                written[argument] = np.zeros((*image[:3], channels), tensor.dtype)
            else:
                shape = (1, tensor.least, tensor.least, channels)
                written[argument] = np.full(shape, -1.0, tensor.dtype)
    return written


def _later(load: Callable[[], Function]) -> Function:
    load = cache(load)

    def call(**inputs: Any) -> dict[str, np.ndarray]:
        return load()(**inputs)

    return call
