"""The server without its ports: takes request messages, finds the model, answers, counts.

gRPC and REST differ only in how they read and write messages; both call this.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from tensorflow_serving.apis import model_management_pb2

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server import rest_json, status
from cnnlg_tf.serving.server.limits import Call
from cnnlg_tf.serving.server.manager import ModelManager
from cnnlg_tf.serving.server.metrics import ServerMetrics
from cnnlg_tf.serving.server.prediction import DEFAULT_SIGNATURE, Inference

_log = logging.getLogger(__name__)


class ServerCore:
    """All calls raise ServingError with a code, and nothing else.

    `entrypoint` is "GRPC" or "REST", for the metrics.
    """

    def __init__(self, manager: ModelManager, inference: Inference, metrics: ServerMetrics) -> None:
        self.manager = manager
        self.metrics = metrics
        self._inference = inference
        self._refuses = False

    def refuse(self) -> None:
        """From now on inference is UNAVAILABLE; what is being worked on is not touched."""
        self._refuses = True

    def predict(self, request: Any, call: Call, entrypoint: str) -> Any:
        return self._answer("predict", self._inference.predict, request, call, entrypoint)

    def predict_json(self, spec: Any, document: dict[str, Any], call: Call) -> bytes:
        """A predict document of the REST API -> the JSON of its answer.

        One lease covers reading the document and running the model: between two, a new version
        with other inputs could come in.
        """

        def answer(servable: Any, version: int, document: Any, call: Call) -> bytes:
            name = document.get("signature_name") or DEFAULT_SIGNATURE
            if name not in servable.signatures:
                raise ServingError(
                    f'Serving signature name: "{name}" not found in signature def',
                    "INVALID_ARGUMENT",
                )
            signature = servable.signatures[name]
            arrays, rows = rest_json.predict_inputs(document, signature.inputs)
            outputs = self._inference.predict_arrays(
                servable, name, arrays, sorted(signature.outputs), call, spec.name
            )
            return rest_json.predict_answer(outputs, rows)

        return bytes(self._answer("predict", answer, document, call, "REST", spec))

    def classify(self, request: Any, call: Call, entrypoint: str) -> Any:
        return self._answer("classify", self._inference.classify, request, call, entrypoint)

    def regress(self, request: Any, call: Call, entrypoint: str) -> Any:
        return self._answer("regress", self._inference.regress, request, call, entrypoint)

    def multi_inference(self, request: Any, call: Call, entrypoint: str) -> Any:
        if not request.tasks:
            raise ServingError("Inference request contains no tasks.", "INVALID_ARGUMENT")
        if any(not task.model_spec.name for task in request.tasks):
            raise ServingError("Found ModelSpec with an empty model name.", "INVALID_ARGUMENT")
        spec = request.tasks[0].model_spec
        return self._answer(
            "multi_inference", self._inference.multi_inference, request, call, entrypoint, spec
        )

    def metadata(self, request: Any, call: Call) -> Any:
        with self.manager.lease(_spec(request)) as (servable, version):
            return self._inference.metadata(servable, version, request, call)

    def not_ready(self) -> list[str]:
        """Names of the configured models that cannot answer now."""
        return self.manager.not_ready()

    def status(self, request: Any) -> Any:
        return self.manager.status(_spec(request))

    def reload(self, request: Any, call: Call) -> Any:
        """Apply a ReloadConfigRequest."""
        if request.config.WhichOneof("config") != "model_config_list":
            raise ServingError(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported",
                "INVALID_ARGUMENT",
            )
        self.manager.reload(request.config, call)
        return model_management_pb2.ReloadConfigResponse(status=status.to_proto(None))

    def _answer(
        self,
        api: str,
        method: Callable[[Any, int, Any, Call], Any],
        request: Any,
        call: Call,
        entrypoint: str,
        spec: Any = None,
    ) -> Any:
        start = time.monotonic()
        spec = spec if spec is not None else _spec(request)
        code = "OK"
        try:
            call.check()
            if self._refuses:
                raise ServingError("the server is stopping", "UNAVAILABLE")
            with self.manager.lease(spec) as (servable, version):
                return method(servable, version, request, call)
        except Exception as error:
            known = status.to_serving_error(error)
            code = known.code
            if code == "INTERNAL" and known is not error:
                _log.exception("%s of model %s failed in an unforeseen way", api, spec.name)
            raise known from error
        finally:
            # A series for each name that a client thinks of would grow without end.
            name = spec.name if self.manager.has_model(spec.name) else ""
            self.metrics.request(name, api, entrypoint, code, time.monotonic() - start)


def _spec(request: Any) -> Any:
    if not request.HasField("model_spec"):
        raise ServingError("Missing ModelSpec", "INVALID_ARGUMENT")
    return request.model_spec
