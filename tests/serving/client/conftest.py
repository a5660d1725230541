"""Small real servers: gRPC through the official stubs, REST as TF-Serving documents its JSON.

Both serve a numpy model with the product's signatures: a repaired hole is 0.5 everywhere.
"""

import base64
import io
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

IMAGE = ("DT_FLOAT", [-1, -1, -1, 3])
PLANE = ("DT_FLOAT", [-1, -1, -1, 1])
STRING = ("DT_STRING", [-1])
NUMPY = {"DT_FLOAT": np.float32, "DT_HALF": np.float16, "DT_INT32": np.int32}
SAID = {
    "sketch": IMAGE,
    "sketch_mask": PLANE,
    "reference": IMAGE,
    "detail": ("DT_FLOAT", []),
}
SIGNATURES: dict[str, Any] = {
    "serving_default": (
        {"image": IMAGE, "mask": PLANE},
        {"repaired": IMAGE, "uncertainty": PLANE},
    ),
    "inpaint_bytes": (
        {"image_bytes": STRING, "mask_bytes": STRING},
        {"repaired_bytes": STRING},
    ),
    "refine": (
        {
            "image": IMAGE,
            "mask": PLANE,
            "guide": IMAGE,
            **SAID,
        },
        {"repaired": IMAGE},
    ),
    "paint": (
        {
            "image": IMAGE,
            "mask": PLANE,
            **SAID,
            "seed": ("DT_INT32", [2]),
            "temperature": ("DT_FLOAT", []),
        },
        {"repaired": IMAGE, "uncertainty": PLANE},
    ),
    "sample": (
        {
            "image": IMAGE,
            "mask": PLANE,
            "seed": ("DT_INT32", [2]),
            "temperature": ("DT_FLOAT", []),
        },
        {"repaired": IMAGE},
    ),
    "find_damage": ({"image": IMAGE}, {"mask_probability": PLANE, "mask": PLANE}),
}


def run_model(signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the served model answers."""
    if signature == "inpaint_bytes":
        photos = [_decode(data) for data in inputs["image_bytes"]]
        masks = [_decode(data)[..., :1] > 127 for data in inputs["mask_bytes"]]
        repaired = [np.where(m, np.uint8(128), p) for p, m in zip(photos, masks, strict=True)]
        return {"repaired_bytes": np.array([_encode(r) for r in repaired], object)}
    image = inputs["image"]
    if signature == "find_damage":
        probability = image.mean(-1, keepdims=True).astype(np.float32)
        return {"mask_probability": probability, "mask": np.round(probability)}
    mask = inputs["mask"]
    if signature == "refine":
        # darker by the detail, and as bright as the references that hold something
        light = inputs["reference"].mean() if inputs["reference"].size else 0.0
        filled = np.clip(inputs["guide"] - inputs["detail"] / 4 + light, 0.0, 1.0)
        return {"repaired": (image * (1 - mask) + filled * mask).astype(np.float32)}
    if signature == "paint":
        light = inputs["reference"].mean() if inputs["reference"].size else 0.0
        draw = inputs["temperature"] * np.float32(inputs["seed"].sum() % 16) / 16
        filled = np.full_like(image, inputs["detail"] / 4 + light + draw)
        if inputs["sketch_mask"].size:
            filled = np.where(inputs["sketch_mask"] > 0.5, inputs["sketch"], filled)
        painted = (image * (1 - mask) + np.minimum(filled, 1.0) * mask).astype(np.float32)
        return {"repaired": painted, "uncertainty": mask / 4}
    if signature == "sample":
        fill = inputs["temperature"] * np.float32(inputs["seed"].sum() % 16) / 16
        return {"repaired": (image * (1 - mask) + fill * mask).astype(np.float32)}
    return {"repaired": image * (1 - mask) + np.float32(0.5) * mask, "uncertainty": mask / 4}


class FakeServer:
    """`failures` holds (code, message) pairs that the next calls answer; `delay` is in seconds."""

    def __init__(self) -> None:
        self.failures: deque[tuple[grpc.StatusCode, str]] = deque()
        self.delay = 0.0
        self.calls: list[str] = []
        self.requests: list[Any] = []
        self.typed = False
        self.signatures = SIGNATURES
        self.address = ""


class GrpcModel(FakeServer):
    """The official servicers; `typed` makes it answer in float_val, as TF-Serving does."""

    def Predict(self, request: Any, context: Any) -> Any:
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        self._begin("Predict", request, context)
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        outputs = run_model(request.model_spec.signature_name, inputs)
        reply = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for name, value in outputs.items():
            tensor = reply.outputs[name]
            tensor.CopyFrom(tf.make_tensor_proto(value))
            if self.typed and tensor.tensor_content:
                tensor.ClearField("tensor_content")
                tensor.float_val.extend(value.ravel())
        return reply

    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        from tensorflow.core.framework import types_pb2
        from tensorflow_serving.apis import get_model_metadata_pb2

        self._begin("GetModelMetadata", request, context)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, (inputs, outputs) in self.signatures.items():
            definition = signatures.signature_def[name]
            definition.method_name = "tensorflow/serving/predict"
            for specs, infos in ((inputs, definition.inputs), (outputs, definition.outputs)):
                for tensor, (dtype, shape) in specs.items():
                    infos[tensor].name = f"{tensor}:0"
                    infos[tensor].dtype = types_pb2.DataType.Value(dtype)
                    infos[tensor].tensor_shape.SetInParent()
                    for size in shape:
                        infos[tensor].tensor_shape.dim.add(size=size)
        signatures.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = ""
        reply = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
        reply.model_spec.version.value = 3
        reply.metadata["signature_def"].Pack(signatures)
        return reply

    def GetModelStatus(self, request: Any, context: Any) -> Any:
        from tensorflow_serving.apis import get_model_status_pb2

        self._begin("GetModelStatus", request, context)
        reply = get_model_status_pb2.GetModelStatusResponse()
        reply.model_version_status.add(version=2, state="END")
        reply.model_version_status.add(version=3, state="AVAILABLE")
        reply.model_version_status[0].status.error_code = 5
        reply.model_version_status[0].status.error_message = "gone"
        return reply

    def _begin(self, name: str, request: Any, context: Any) -> None:
        self.calls.append(name)
        self.requests.append(request)
        time.sleep(self.delay)
        if self.failures:
            context.abort(*self.failures.popleft())
        if request.model_spec.name != "cnnlg":
            context.abort(
                grpc.StatusCode.NOT_FOUND,
                f"Servable not found for request: Latest({request.model_spec.name})",
            )


@pytest.fixture
def start_grpc() -> Iterator[Callable[..., GrpcModel]]:
    """start_grpc(credentials=None, address="localhost:0") gives the GrpcModel of a new server."""
    from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

    class Served(
        GrpcModel,
        prediction_service_pb2_grpc.PredictionServiceServicer,
        model_service_pb2_grpc.ModelServiceServicer,
    ):
        """The methods that GrpcModel lacks answer UNIMPLEMENTED."""

    servers = []

    def start(
        credentials: grpc.ServerCredentials | None = None, address: str = "localhost:0"
    ) -> GrpcModel:
        model = Served()
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ]
        server = grpc.server(ThreadPoolExecutor(8), options=options)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(model, server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(model, server)
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
        model.address = f"localhost:{port}"
        server.start()
        servers.append(server)
        return model

    yield start
    for server in servers:
        server.stop(None).wait()


@pytest.fixture
def grpc_model(start_grpc: Callable[..., GrpcModel]) -> GrpcModel:
    return start_grpc()


class RestModel(FakeServer):
    """`raw` holds (status, content) pairs that the next calls answer as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.raw: deque[tuple[int, bytes]] = deque()
        self.server: Any = None
        self.hang_up = 0
        self.connections = 0

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if not path.startswith("/v1/models/cnnlg"):
            return 404, {"error": f"Servable not found for request: Latest({path})"}
        if path.endswith("/metadata"):
            return 200, self._metadata()
        if path.endswith(":predict"):
            return 200, {"outputs": self._predict(body)}
        status = {"error_code": "OK", "error_message": ""}
        old = {"error_code": "NOT_FOUND", "error_message": "gone"}
        return 200, {
            "model_version_status": [
                {"version": "2", "state": "END", "status": old},
                {"version": "3", "state": "AVAILABLE", "status": status},
            ]
        }

    def _predict(self, body: Any) -> Any:
        specs = self.signatures[body["signature_name"]]
        inputs = {}
        for name, (dtype, _) in specs[0].items():
            value = body["inputs"][name]
            if dtype == "DT_STRING":
                inputs[name] = np.array([base64.b64decode(item["b64"]) for item in value], object)
            else:
                inputs[name] = np.array(
                    value, {"DT_FLOAT": "f4", "DT_HALF": "f2", "DT_INT32": "i4"}[dtype]
                )
        outputs = {
            name: [{"b64": base64.b64encode(item).decode()} for item in value]
            if value.dtype == object
            else value.tolist()
            for name, value in run_model(body["signature_name"], inputs).items()
        }
        return outputs if len(outputs) > 1 else next(iter(outputs.values()))

    def _metadata(self) -> Any:
        def infos(specs: Any) -> Any:
            return {
                name: {
                    "dtype": dtype,
                    "tensor_shape": {
                        "dim": [{"size": str(size), "name": ""} for size in shape],
                        "unknown_rank": False,
                    },
                    "name": f"{name}:0",
                }
                for name, (dtype, shape) in specs.items()
            }

        definitions = {
            name: {
                "inputs": infos(inputs),
                "outputs": infos(outputs),
                "method_name": "tensorflow/serving/predict",
            }
            for name, (inputs, outputs) in self.signatures.items()
        }
        return {
            "model_spec": {"name": "cnnlg", "signature_name": "", "version": "3"},
            "metadata": {"signature_def": {"signature_def": definitions}},
        }


@pytest.fixture
def rest_model() -> Iterator[RestModel]:
    model = RestModel()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            model.connections += 1

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            model.calls.append(self.path)
            time.sleep(model.delay)
            if model.hang_up:
                model.hang_up -= 1
                self.close_connection = True
                return
            if model.raw:
                status, reply = model.raw.popleft()
            else:
                status, tree = model.answer(
                    self.command, self.path, json.loads(content) if content else None
                )
                reply = json.dumps(tree).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 32

        def handle_error(self, *_: Any) -> None:
            pass

    server = Server(("localhost", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    model.server = server
    model.address = f"http://localhost:{server.server_port}"
    yield model
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port: int = probe.getsockname()[1]
    return port


def _decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _encode(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(params=["grpc", "rest"])
def model(request: pytest.FixtureRequest) -> FakeServer:
    """A served model over each interface; `model.address` is what a client takes."""
    served: FakeServer = request.getfixturevalue(f"{request.param}_model")
    return served
