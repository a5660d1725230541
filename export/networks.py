"""An export as what repairs: any format behind the contract `inference.network.Network`. TensorFlow is imported for a
SavedModel only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cnnlg_tf.errors import ArtefactError
from cnnlg_tf.export import formats, manifest
from cnnlg_tf.inference.network import (
    SMALLEST_SIDE,
    WIDEST_SIDE,
    Conditions,
    Filled,
    seed_pair,
)
from cnnlg_tf.startup import standard_error_held, start_tensorflow

ARTEFACTS = (".onnx", ".tflite", ".xml", ".bin", ".engine", ".pb")
SAMPLE, FIND_DAMAGE = "sample", "find_damage"


class ExportNetwork:
    """An export folder, its files verified, on the processor or, for an engine, the GPU that it was made for.

    Args:
        folder: what `find_export` found.
        threads: 0 takes all cores.

    Raises:
        ArtefactError: a file is missing, altered, or cannot be loaded.
        MissingExtraError: the format's runtime is not installed.
        ExportError: an engine's driver or GPU is missing.
    """

    def __init__(self, folder: str | Path, threads: int = 0) -> None:
        self._folder = Path(folder)
        self.manifest = manifest.verify(folder)
        least, most = SMALLEST_SIDE, WIDEST_SIDE
        self._functions: dict[str, Callable[..., dict[str, np.ndarray]]] = {}
        if self.manifest["format"] == "tensorrt":
            from cnnlg_tf.export.tensorrt_runtime import Engine

            self._repair: Any = Engine(folder)
            profile = self.manifest["profile"]
            least, most = max(profile["minimum"][1:]), min(profile["maximum"][1:])
        elif self.manifest["format"] == "saved_model":
            from cnnlg_tf.export.saved_model import as_runner, load_functions

            start_tensorflow()
            self._functions = load_functions(self._folder, threads)
            self._repair = as_runner(self._functions)
        else:
            self._repair = formats.find(self.manifest["format"]).load_runner(
                folder, threads=threads, verify=False
            )
        if self.manifest["format"] == "litert":
            with standard_error_held():  # its first run tells there how it computes
                self._repair(
                    np.zeros((1, 16, 16, 3), np.float32), np.zeros((1, 16, 16, 1), np.float32)
                )
        self._least = max(SMALLEST_SIDE, least)
        self.widest = min(WIDEST_SIDE, most)
        self.can = frozenset({SAMPLE, FIND_DAMAGE}.intersection(self._functions))

    def __str__(self) -> str:
        return f"the {self.manifest['format']} export {self._folder}"

    def fill(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        conditions: Conditions,
        guide: np.ndarray | None = None,
    ) -> Filled:
        height, width = hole.shape
        padding = ((0, max(0, self._least - height)), (0, max(0, self._least - width)))
        batch = np.pad(image, (*padding, (0, 0)), mode="edge")[np.newaxis]
        mask = np.pad(hole, padding)[np.newaxis, ..., np.newaxis].astype(np.float32)
        if SAMPLE in conditions.abilities:
            found = self._functions[SAMPLE](
                image=batch,
                mask=mask,
                seed=seed_pair(conditions.seed or 0),
                temperature=np.float32(conditions.temperature),
            )
            repaired, uncertainty = found["repaired"], np.zeros_like(mask)
        else:
            repaired, uncertainty = self._repair(batch, mask)
        return Filled(repaired[0, :height, :width], uncertainty[0, :height, :width, 0])

    def find_damage(self, image: np.ndarray) -> np.ndarray:
        found = self._functions[FIND_DAMAGE](image=image[np.newaxis])
        probability: np.ndarray = found["mask_probability"][0, ..., 0]
        return probability


def find_export(path: Path) -> Path | None:
    """The export that a path names: a folder with a manifest, the newest version in a folder of
    numbered ones, the folder of an artefact; None when it names none."""
    if path.is_file() and path.suffix in ARTEFACTS:
        if not (path.parent / manifest.NAME).is_file():
            raise ArtefactError(
                f"an artefact must stand in its export folder, beside {manifest.NAME}. Received: {path} without one"
            )
        return path.parent
    if (path / manifest.NAME).is_file():
        return path
    numbered = (
        [child for child in path.glob("*") if child.name.isdecimal()] if path.is_dir() else []
    )
    versions = [child for child in numbered if (child / manifest.NAME).is_file()]
    return max(versions, key=lambda child: int(child.name), default=None)
