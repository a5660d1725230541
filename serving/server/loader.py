"""From a version folder to a servable that is ready: loaded, warmed up, batched if asked for."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from cnnlg_tf.errors import ServingError
from cnnlg_tf.export import manifest
from cnnlg_tf.serving.server.batching import BatchedServable, BatchingOptions, BatchScheduler
from cnnlg_tf.serving.server.config_files import BatchingParameters, read_text_proto
from cnnlg_tf.serving.server.limits import Call, RunGate
from cnnlg_tf.serving.server.metrics import ServerMetrics
from cnnlg_tf.serving.server.prediction import Inference
from cnnlg_tf.serving.server.servable import SavedModelServable, Servable
from cnnlg_tf.serving.server.status import to_serving_error

_log = logging.getLogger(__name__)
_MOST_WARMUP_RECORDS = 1000


@dataclass(frozen=True)
class LoadOptions:
    """How a version is loaded; the names are those of the command-line flags."""

    saved_model_tags: Sequence[str] = ("serve",)
    session_config: Any = None
    prefer_tflite_model: bool = False
    num_tflite_pools: int = 1
    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = 1
    batching: BatchingOptions | None = None
    enable_per_model_batching_parameters: bool = False


class Loader:
    """Loads versions; one for a server, so that all models share its batch threads."""

    def __init__(
        self, options: LoadOptions, inference: Inference, metrics: ServerMetrics, gate: RunGate
    ) -> None:
        self._options = options
        self._inference = inference
        self._metrics = metrics
        self._gate = gate
        self._scheduler = (
            BatchScheduler(options.batching.num_batch_threads) if options.batching else None
        )

    def load(self, path: Path) -> Servable:
        """Load the version in folder `path`; a damaged one raises whatever TensorFlow raises."""
        start = time.monotonic()
        try:
            servable = self._read(path)
        except BaseException:
            self._metrics.load(str(path), False, time.monotonic() - start)
            raise
        self._metrics.load(str(path), True, time.monotonic() - start)
        try:
            if self._options.enable_model_warmup:
                self._warm_up(servable)
            return self._with_batching(servable)
        except BaseException:
            servable.close()
            raise

    def stop(self) -> None:
        """Run the batches that wait and end the batch threads."""
        if self._scheduler is not None:
            self._scheduler.stop()

    def _read(self, path: Path) -> Servable:
        if self._options.prefer_tflite_model and (path / "model.tflite").exists():
            from cnnlg_tf.serving.server.tflite_servable import TFLiteServable

            return TFLiteServable(path, self._options.num_tflite_pools, self._gate)
        made = None
        if (
            path / manifest.NAME
        ).is_file():  # an export of ours: nothing altered reaches TensorFlow
            made = manifest.verify(path)
        return SavedModelServable(
            path,
            self._options.saved_model_tags,
            self._options.session_config,
            self._gate,
            made,
        )

    def _with_batching(self, servable: Servable) -> Servable:
        options = self._options.batching
        if options is None or self._scheduler is None:
            return servable
        if self._options.enable_per_model_batching_parameters:
            file = servable.path / "batching_params.pbtxt"
            if not file.exists():
                return servable
            own = BatchingOptions.from_proto(read_text_proto(file, BatchingParameters))
            options = replace(own, thread_pool_name=options.thread_pool_name)
        return BatchedServable(servable, self._scheduler, options, self._metrics)

    def _warm_up(self, servable: Servable) -> None:
        """Replay `assets.extra/tf_serving_warmup_requests`, a TFRecord of PredictionLogs."""
        file = servable.path / "assets.extra" / "tf_serving_warmup_requests"
        if not file.exists():
            return
        start = time.monotonic()
        status = "OK"
        try:
            for index, record in enumerate(tf.data.TFRecordDataset(str(file)).as_numpy_iterator()):
                if index == _MOST_WARMUP_RECORDS:
                    raise ServingError(
                        "Number of warmup records exceeds the maximum "
                        f"({_MOST_WARMUP_RECORDS}) at {file}",
                        "INVALID_ARGUMENT",
                    )
                log = prediction_log_pb2.PredictionLog.FromString(record)
                for _ in range(max(1, self._options.num_request_iterations_for_warmup)):
                    self._replay(servable, log)
        except Exception as error:
            status = to_serving_error(error).code
            raise
        finally:
            self._metrics.warmup(str(servable.path), status, time.monotonic() - start)
        _log.info("Warmed up %s in %.1f s", servable.path, time.monotonic() - start)

    def _replay(self, servable: Servable, log: Any) -> None:
        kind = log.WhichOneof("log_type")
        answer = {
            "predict_log": self._inference.predict,
            "classify_log": self._inference.classify,
            "regress_log": self._inference.regress,
            "multi_inference_log": self._inference.multi_inference,
        }.get(kind)
        if answer is None:
            raise ServingError(f"Unsupported log_type for warmup: {kind}", "UNIMPLEMENTED")
        answer(servable, 0, getattr(log, kind).request, Call())
