"""An export as what repairs: any format behind the contract `inference.network.Network`. TensorFlow is imported for a
SavedModel only."""

from pathlib import Path

import numpy as np

from cnnlg_tf.errors import ArtefactError
from cnnlg_tf.export import formats, manifest
from cnnlg_tf.export.signatures import DEFAULT, SIGNATURES
from cnnlg_tf.inference.network import SMALLEST_SIDE, WIDEST_SIDE
from cnnlg_tf.inference.signature_network import SignatureNetwork
from cnnlg_tf.startup import standard_error_held, start_tensorflow

ARTEFACTS = (".onnx", ".tflite", ".xml", ".bin", ".engine", ".pb")
_ANY_SIZE = {"minimum": [1, 1, 1], "optimum": [], "maximum": [1, WIDEST_SIDE, WIDEST_SIDE]}


class ExportNetwork(SignatureNetwork):
    """An export folder, its files verified, on the processor or, for an engine, the GPU that it was made for.

    Args:
        folder: what `find_export` found.
        threads: 0 takes all cores.

    Raises:
        ArtefactError: a file is missing, altered, of another version, or cannot be loaded.
        MissingExtraError: the format's runtime is not installed.
        ExportError: an engine's driver or GPU is missing.
    """

    def __init__(self, folder: str | Path, threads: int = 0) -> None:
        self._folder = Path(folder)
        self.manifest = manifest.verify(folder)
        if self.manifest["format"] == "saved_model":
            start_tensorflow()
        for name, described in self.manifest.get("signatures", {}).items():
            made = SIGNATURES.get(name)
            if made is not None and made.inputs.keys() != described["inputs"].keys():
                raise ArtefactError(
                    f"{name} of an export must take {', '.join(made.inputs)}. Received: {folder}, "
                    f"of another version, whose takes {', '.join(described['inputs'])}; export it again"
                )
        loaded = formats.find(self.manifest["format"]).load(folder, threads=threads, verify=False)
        if DEFAULT not in loaded:
            raise ArtefactError(
                f"an export that repairs windows must have {DEFAULT}. Received: {folder}, which has "
                f"{', '.join(loaded)}"
            )
        if self.manifest["format"] == "litert":
            with standard_error_held():  # its first run tells there how it computes
                square = (1, SMALLEST_SIDE, SMALLEST_SIDE)
                nothing = np.zeros((*square, 3), np.float32), np.zeros((*square, 1), np.float32)
                loaded[DEFAULT](image=nothing[0], mask=nothing[1])
        # an engine takes what it was built for
        least, _, most = self.manifest.get("profile", _ANY_SIZE).values()
        super().__init__(
            lambda inputs, name: loaded[name](**inputs),
            loaded,
            least=max(SMALLEST_SIDE, *least[1:]),
            widest=min(WIDEST_SIDE, *most[1:]),
        )

    def __str__(self) -> str:
        return f"the {self.manifest['format']} export {self._folder}"


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
