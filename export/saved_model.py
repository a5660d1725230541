"""SavedModel for TensorFlow Serving: a folder of numbered versions with all signatures and a warm-up file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export import manifest, parity
from cnnlg_tf.export.signatures import DEFAULT, SIGNATURES, available, serving_functions
from cnnlg_tf.files import atomic_path

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

FORMAT = "saved_model"
WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
WARMUP_SIDE = 64


def export_saved_model(model: "CNNLG", path: str | Path, *, version: int | None = None) -> Path:
    """Write `path/<version>/`: saved_model.pb, its variables, the warm-up requests and manifest.json.

    The folder appears under its number only when it is complete, so that a running server never takes up half a model.
    The posterior encoder, which only training uses, is left out.

    Args:
        path: the folder of versions, what TensorFlow Serving calls the base path.
        version: a positive number; None takes the next free one.

    Returns:
        The version's folder.

    Raises:
        ExportError: the version is no positive number, the folder cannot be written, or the SavedModel's output differs
            from the model's.
    """
    import tensorflow as tf

    path = Path(path)
    version = next_version(path) if version is None else version
    if version < 1:
        raise ExportError(f"version must be a positive number. Received: {version}")
    target = path / str(version)
    try:
        with atomic_path(target) as folder:
            names = available(model)
            module = tf.Module(name="cnnlg")
            functions = {
                name: function.get_concrete_function()
                for name, function in serving_functions(model).items()
            }
            module.weights = _weights_of(functions)
            tf.saved_model.save(module, str(folder), signatures=functions)
            _write_warmup(folder / WARMUP, names)
            manifest.write_manifest(
                folder,
                model,
                format=FORMAT,
                precision="fp32",
                signatures=names,
                packages=(),
                parity=parity.check(model, load_runner(folder, verify=False), "fp32"),
                weights_bytes=int(sum(np.prod(w.shape) * w.dtype.size for w in module.weights)),
            )
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error}") from error
    return target


def load_runner(folder: str | Path, *, verify: bool = True) -> parity.Runner:
    """The SavedModel of a version's folder as a function (image, mask) -> (repaired, uncertainty) of numpy arrays.

    Raises:
        ArtefactError: there is no SavedModel, or its files are not those of its manifest.
    """
    import tensorflow as tf

    if verify:
        manifest.verify(folder, format=FORMAT)
    try:
        loaded = tf.saved_model.load(str(folder))
        function = loaded.signatures[DEFAULT]
    except (OSError, KeyError) as error:
        raise ArtefactError(
            f"{folder} must hold a SavedModel with {DEFAULT}. Received: {error}"
        ) from error

    def run(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        result = function(image=tf.constant(image), mask=tf.constant(mask))
        return result["repaired"].numpy(), result["uncertainty"].numpy()

    run.loaded = loaded  # type: ignore[attr-defined]  # a signature holds its variables weakly
    return run


def next_version(path: Path) -> int:
    """One more than the highest numbered folder in `path`."""
    found = (
        [int(child.name) for child in path.iterdir() if child.name.isdigit()]
        if path.is_dir()
        else []
    )
    return max(found, default=0) + 1


def _weights_of(functions: dict[str, Any]) -> list[Any]:
    """The variables that the functions read, each once; no others go into the SavedModel."""
    variables = {id(v): v for function in functions.values() for v in function.graph.variables}
    return list(variables.values())


def _write_warmup(path: Path, names: list[str]) -> None:
    """One small request a signature, as a TFRecord of tensorflow.serving.PredictionLog."""
    import tensorflow as tf

    side = WARMUP_SIDE
    rows = np.linspace(0.0, 1.0, side, dtype=np.float32)
    image = np.broadcast_to(rows[:, None, None], (side, side, 3))
    mask = np.zeros((side, side, 1), np.float32)
    mask[side // 4 : side // 2, side // 4 : side // 2] = 1.0
    encoded = [tf.io.encode_png((255 * x).astype(np.uint8)).numpy() for x in (image, mask)]
    tensors: dict[str, Any] = {
        "image": image[None],
        "mask": mask[None],
        "image_bytes": np.array([encoded[0]]),
        "mask_bytes": np.array([encoded[1]]),
        "seed": np.zeros(2, np.int32),
        "temperature": np.float32(1.0),
    }
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name in names:
            writer.write(_prediction_log(name, {k: tensors[k] for k in SIGNATURES[name].inputs}))


def _prediction_log(signature: str, inputs: dict[str, np.ndarray]) -> bytes:
    """A serialised PredictionLog, written by its field numbers: exporting then needs no serving packages.

    PredictionLog.predict_log = 6; PredictLog.request = 1; PredictRequest.model_spec = 1, inputs = 2 (a map: key = 1,
    value = 2); ModelSpec.name = 1, signature_name = 3.
    """
    import tensorflow as tf

    request = _field(1, _field(1, b"cnnlg") + _field(3, signature.encode()))
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += _field(2, _field(1, name.encode()) + _field(2, tensor))
    return _field(6, _field(1, request))


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited field of a protocol buffer: tag, length as a varint, payload."""
    length, varint = len(payload), bytearray()
    while length > 0x7F:
        varint.append(length & 0x7F | 0x80)
        length >>= 7
    varint.append(length)
    return bytes([number << 3 | 2]) + bytes(varint) + payload
