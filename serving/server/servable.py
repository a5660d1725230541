"""A loaded SavedModel: its signatures, and a TensorFlow session that runs them."""

import ctypes
import gc
import importlib
import importlib.util
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session

from cnnlg_tf.errors import MissingExtraError, ServingError
from cnnlg_tf.serving.server.limits import Call, RunGate
from cnnlg_tf.serving.server.validation import InputRule, input_rules

_log = logging.getLogger(__name__)
_UNKNOWN_OP = "Op type not registered 'TFText>"


class Servable(ABC):
    """One version of a model in memory.

    Attributes:
        signatures: name -> SignatureDef, as in the model's file.
        rules: signature name -> input alias -> what that input must be.
        path: the version folder.
    """

    signatures: Mapping[str, Any]
    rules: Mapping[str, Mapping[str, InputRule]]
    path: Path

    @abstractmethod
    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], call: Call
    ) -> list[np.ndarray]:
        """Compute the tensors named `fetches` from the tensors named in `feeds` ("x:0").

        Raises:
            ServingError: the request is cancelled or late.
            tf.errors.OpError: the model refuses the input.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the memory back. No call may be running."""


class SavedModelServable(Servable):
    """A SavedModel of TensorFlow 1 or 2.

    A session in a graph of its own runs it, not `tf.saved_model.load`: outputs that were not asked
    for are not computed, a deadline stops a run, feeds meet no checks that TF-Serving would not
    make, and closing the session frees everything (functions loaded eagerly stay in the
    process-wide context).
    """

    def __init__(
        self,
        path: Path,
        tags: Sequence[str],
        config: Any,
        gate: RunGate,
        manifest: Mapping[str, Any] | None = None,
    ) -> None:
        """Load the SavedModel in `path`; a damaged one raises whatever TensorFlow raises.

        Args:
            manifest: the export's, where there is one.
        """
        self.path = path
        self._gate = gate
        try:
            meta_graph = self._load(tags, config)
        except tf.errors.NotFoundError as error:
            if _UNKNOWN_OP not in str(error):
                raise
            _register_text_ops()
            meta_graph = self._load(tags, config)
        self.signatures = dict(meta_graph.signature_def)
        described, ranges = ((manifest or {}).get(key, {}) for key in ("signatures", "ranges"))
        self.rules = {
            name: input_rules(
                signature,
                described.get(name, {}).get("inputs"),
                self._is_argument,
                ranges.get(name),
            )
            for name, signature in self.signatures.items()
        }
        self._handles: dict[str, Any] = {}

    def _load(self, tags: Sequence[str], config: Any) -> Any:
        self._graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=self._graph, config=config)
        try:
            with self._graph.as_default():
                return tf.compat.v1.saved_model.load(self._session, list(tags), str(self.path))
        except BaseException:
            self._session.close()
            raise

    def _is_argument(self, name: str) -> bool:
        operation = self._graph.get_tensor_by_name(name).op
        return operation.type.startswith("Placeholder") and not operation.inputs

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], call: Call
    ) -> list[np.ndarray]:
        with self._gate.enter(call):
            remaining = call.remaining()
            options = None
            if remaining is not None:
                milliseconds = max(1, int(remaining * 1000))
                serialized = tf.compat.v1.RunOptions(timeout_in_ms=milliseconds).SerializeToString()
                options = pywrap_tf_session.TF_NewBufferFromString(serialized)
            try:
                # Session.run would refuse feeds that differ from a placeholder's static shape;
                # TF-Serving leaves that to the operations ([1] into [None, 1] is fine).
                outputs: list[np.ndarray] = self._session._call_tf_sessionrun(
                    options,
                    {self._handle(name): array for name, array in feeds.items()},
                    [self._handle(name) for name in fetches],
                    [],
                    None,
                )
                return outputs
            except UnicodeDecodeError as error:
                # TensorFlow's message quotes bytes of the request that are no text, so that Python
                # could not even make the exception; its status is lost, its message is in here.
                text = bytes(error.object).decode("utf-8", "backslashreplace")
                raise ServingError(text, "INVALID_ARGUMENT") from error
            finally:
                if options is not None:
                    pywrap_tf_session.TF_DeleteBuffer(options)

    def close(self) -> None:
        self._session.close()
        self._handles.clear()
        del self._session, self._graph
        release_memory()

    def _handle(self, name: str) -> Any:
        if name not in self._handles:
            try:
                self._handles[name] = self._graph.get_tensor_by_name(name)._as_tf_output()
            except (KeyError, ValueError) as error:  # such as __saved_model_init_op's "NoOp"
                raise ServingError(
                    f"a signature must name tensors of the model's graph. Received: {name!r}",
                    "FAILED_PRECONDITION",
                ) from error
        return self._handles[name]


def release_memory() -> None:
    """Collect what lies in cycles, such as a closed model's graph, and give the pages back."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):  # not glibc
        pass


def _register_text_ops() -> None:
    """Register TF Text's operations: TF-Serving has them built in, here they are a package.

    A tensorflow-text made for another TensorFlow cannot be imported; its libraries of operations
    often can be loaded one by one.

    Raises:
        MissingExtraError: the package is not installed.
    """
    found = importlib.util.find_spec("tensorflow_text")
    if found is None or found.origin is None:
        raise MissingExtraError(
            "this model needs TF Text's operations, and tensorflow-text is not installed. "
            "Install it with: pip install 'cnnlg-tf[text]'"
        )
    try:
        importlib.import_module("tensorflow_text")
    except (ImportError, tf.errors.OpError) as error:
        _log.warning(
            "tensorflow-text does not fit TensorFlow %s (%s); loading its operations one by one",
            tf.__version__,
            error,
        )
        for library in sorted(Path(found.origin).parent.glob("python/ops/*.so")):
            try:
                tf.load_op_library(str(library))
            except tf.errors.OpError as refused:
                _log.warning("TF Text's %s cannot be loaded: %s", library.name, refused)
