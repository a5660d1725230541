"""The gRPC face: PredictionService and ModelService over the official stubs."""

import logging
from collections.abc import Callable
from typing import Any

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server import status
from cnnlg_tf.serving.server.core import ServerCore
from cnnlg_tf.serving.server.limits import Call

_log = logging.getLogger(__name__)
PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, core: ServerCore) -> None:
        self._core = core

    def Predict(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda call: self._core.predict(request, call, "GRPC"))

    def Classify(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda call: self._core.classify(request, call, "GRPC"))

    def Regress(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda call: self._core.regress(request, call, "GRPC"))

    def MultiInference(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda call: self._core.multi_inference(request, call, "GRPC"))

    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda call: self._core.metadata(request, call))


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, core: ServerCore) -> None:
        self._core = core

    def GetModelStatus(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda call: self._core.status(request))

    def HandleReloadConfigRequest(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda call: self._core.reload(request, call))


def add_services(server: grpc.Server, core: ServerCore) -> None:
    """Register both services."""
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(core), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(core), server)


def _answer(context: Any, method: Callable[[Call], Any]) -> Any:
    call = Call(context.time_remaining())
    if not context.add_callback(call.cancel):
        call.cancel()
    try:
        return method(call)
    except ServingError as error:
        context.abort(status.grpc_code(error), str(error))
    except Exception as error:
        _log.exception("A request failed in an unforeseen way")
        context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
