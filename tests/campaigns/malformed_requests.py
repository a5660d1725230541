"""Malformed requests: gRPC bytes and messages, REST documents and framing, encoded images.

Must hold: the process lives, its memory stays flat, every answer is one of the documented kinds, and
the next good request is answered right.
"""

import base64
import io
import json
import random
import socket
import time
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from PIL import Image
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from tests.campaigns.harness import (
    Budget,
    Report,
    add_manifest,
    broken,
    main,
    own_mebibytes,
    promise,
)
from tests.serving.servers import Server, predict_request, running_server

_METHODS = ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata")
_CODES = {
    "OK",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "FAILED_PRECONDITION",
    "UNIMPLEMENTED",
    "RESOURCE_EXHAUSTED",
    "DEADLINE_EXCEEDED",
    "OUT_OF_RANGE",
}
_STATUSES = {200, 400, 404, 429, 501, 504}
_TYPES = (0, 1, 1, 1, 2, 3, 3, 4, 6, 7, 7, 9, 10, 14, 19, 22, 23, 101, 999)
_SIZES = (-1, 0, 1, 1, 1, 1, 2, 3, 3, 4, 8, 16, 17, 2**20, 2**31, 2**62)
_TEXTS = ("", "x", "image", "mask", "\N{SNOWMAN}", "a" * 1000, "serving_default", "inputs", "\0")
_NUMBERS = (0, 1, -1, 0.5, 255, 1e308, -1e-308, 2**63, 2**70, float("nan"), float("inf"))
_GOOD_EVERY = 50
_TIDY_SECONDS = 35.0  # longer than the server's own interval


def campaign(budget: Budget, dice: random.Random, folder: Path) -> Report:
    """Attack a server of the product's signatures and of models of all types."""
    from tests.serving import model_factory
    from tests.serving.test_client_and_server import save_model

    model_factory.save_half_plus_two(folder / "half_plus_two/1")
    model_factory.save_kinds(folder / "kinds/1")
    save_model(folder / "cnnlg/1")
    add_manifest(folder / "cnnlg/1", "serving_default", "inpaint_bytes", "sample")
    entries = "".join(
        f'config {{ name: "{name}" base_path: "{folder}/{name}" model_platform: "tensorflow" }}'
        for name in ("half_plus_two", "kinds", "cnnlg")
    )
    (folder / "models.config").write_text(f"model_config_list {{ {entries} }}")
    limits = (f"--max_message_bytes={64 * 2**20}", f"--max_rest_body_bytes={16 * 2**20}")
    flags = (f"--model_config_file={folder}/models.config", *limits, "--max_image_pixels=1000000")
    with running_server(folder / "log", *flags) as server:
        return attack(server, ["half_plus_two", "kinds", "cnnlg"], budget, dice)


def attack(server: Server, models: list[str], budget: Budget, dice: random.Random) -> Report:
    """Send malformed requests to a running server; half_plus_two must be among its models."""
    report = Report()
    attacker = _Attacker(server, models, dice)
    _good(server)
    budget.start = time.monotonic()  # the server's own start is no part of it
    before = None
    for index in budget.attacks():
        kind, outcome = attacker.one()
        report.outcomes[f"{kind} {outcome}"] += 1
        alive = server.process.poll() is None
        promise(alive, f"attack {index} ({kind}) ended the server: {server.process.poll()}")
        if index % _GOOD_EVERY == 0:
            _good(server)
        if before is None and budget.share() > 0.2:  # what is kept for later is there by then
            before = _settled_mebibytes(server, budget)
    _good(server)
    after = _settled_mebibytes(server, budget)
    report.figures = {"mebibytes_at_a_fifth": before and round(before), "at_end": round(after)}
    grown = after - (before or after)
    promise(grown < 64 + 0.05 * after, f"memory grew by {grown:.0f} MiB to {after:.0f} MiB")
    return report


def _settled_mebibytes(server: Server, budget: Budget) -> float:
    """The server's memory, in long campaigns after it had time to give back what it does not need."""
    if budget.count > 10_000:
        time.sleep(_TIDY_SECONDS)
    return own_mebibytes(server.process.pid)


def _good(server: Server) -> None:
    answer = server.predictions.Predict(predict_request("half_plus_two", x=np.float32([4])), 60)
    promise(list(answer.outputs["y"].float_val) == [4.0], f"a good request got {answer}")
    status, document = server.rest("/v1/models/half_plus_two:predict", {"instances": [6.0]})
    promise((status, document) == (200, {"predictions": [5.0]}), f"REST: {status} {document}")


class _Attacker:
    def __init__(self, server: Server, models: list[str], dice: random.Random) -> None:
        self._server = server
        self._dice = dice
        self._send = {
            name: server.channel.unary_unary(f"/tensorflow.serving.PredictionService/{name}")
            for name in _METHODS
        }
        self._signatures = [
            (model, name, sorted(signature.inputs))
            for model in models
            for name, signature in _signatures(server, model).items()
        ]
        self._images = [_image(kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP")]

    def one(self) -> tuple[str, str]:
        kinds = [self._bytes] * 4 + [self._message] * 8 + [self._document] * 6 + [self._framing]
        return self._dice.choice(kinds)()

    def _bytes(self) -> tuple[str, str]:
        method = self._dice.choice(_METHODS)
        valid = self._request().SerializeToString()
        return f"gRPC bytes to {method}", self._call(method, broken(valid, self._dice))

    def _message(self) -> tuple[str, str]:
        return "gRPC message", self._call("Predict", self._request().SerializeToString())

    def _call(self, method: str, data: bytes) -> str:
        try:
            self._send[method](data, timeout=30)
        except grpc.RpcError as error:
            code, details = error.code().name, error.details()
            unreadable = code == "INTERNAL" and details.startswith("a request of ")
            promise(code in _CODES or unreadable, f"{method} answered {code}: {details[:300]}")
            return code
        return "OK"

    def _request(self) -> Any:
        dice = self._dice
        model, signature, inputs = dice.choice(self._signatures)
        request = predict_pb2.PredictRequest()
        request.model_spec.name = model if dice.random() < 0.95 else dice.choice(_TEXTS)
        request.model_spec.signature_name = signature
        if dice.random() < 0.05:
            request.model_spec.version.value = dice.choice((0, 1, -1, 2**62))
        if dice.random() < 0.05:
            request.model_spec.version_label = dice.choice(_TEXTS)
        for name in inputs:
            if dice.random() < 0.97:
                self._fill(request.inputs[name], name)
        if dice.random() < 0.05:
            self._fill(request.inputs[dice.choice(_TEXTS)], "")
        if dice.random() < 0.1:
            request.output_filter.extend(dice.choices(_TEXTS, k=2))
        return request

    def _fill(self, tensor: Any, name: str) -> None:
        dice = self._dice
        tensor.dtype = dice.choice(_TYPES)
        if name.endswith("_bytes") and dice.random() < 0.8:
            tensor.dtype = 7
            tensor.string_val.append(broken(dice.choice(self._images), dice))
            tensor.tensor_shape.dim.add().size = 1
            return
        if name == "steps":  # how long its model works
            tensor.dtype = dice.choice((3, 3, 1))
            tensor.int_val.append(1)
            tensor.tensor_shape.dim.add().size = 1
            return
        for _ in range(dice.randrange(7)):
            tensor.tensor_shape.dim.add().size = dice.choice(_SIZES)
        if dice.random() < 0.02:
            tensor.tensor_shape.unknown_rank = True
        if dice.random() < 0.6:
            tensor.tensor_content = dice.randbytes(dice.choice((0, 1, 4, 12, 48, 192, 3072)))
        else:
            tensor.float_val.extend(dice.choices(_NUMBERS, k=dice.randrange(4)))
            tensor.int_val.extend(dice.choices((0, 1, -1, 255, 2**31 - 1), k=dice.randrange(4)))
            tensor.string_val.extend(dice.choices((b"", b"a", b"\xff"), k=dice.randrange(3)))

    def _document(self) -> tuple[str, str]:
        dice = self._dice
        model, signature, inputs = dice.choice(self._signatures)
        form, kind = dice.choice((("instances", "rows"), ("inputs", "columns")))
        named = {name: self._value(4, name) for name in inputs if dice.random() < 0.97}
        content: Any = [named] * dice.randrange(1, 3) if form == "instances" else named
        if dice.random() < 0.3:
            content = self._value(5, "")
        document = {"signature_name": signature, form: content}
        if dice.random() < 0.05:
            document[dice.choice(_TEXTS)] = self._value(2, "")
        body = json.dumps(document).encode()
        if dice.random() < 0.4:
            body, kind = broken(body, dice), "broken JSON"
        action = dice.choice(("predict",) * 8 + ("classify", "regress"))
        headers = {"Content-Encoding": "gzip"} if dice.random() < 0.02 else {}
        status, answer = self._server.rest(f"/v1/models/{model}:{action}", body, headers)
        promise(
            status in _STATUSES, f"REST answered {status}: {str(answer)[:300]} to {body[:300]!r}"
        )
        is_error = status == 200 or list(answer) == ["error"]
        promise(is_error, f"REST answered {status} with {str(answer)[:300]}")
        return f"REST {kind}", str(status)

    def _value(self, depth: int, name: str) -> Any:
        dice = self._dice
        if name == "steps":
            return dice.choice((1, [1], "1", None))
        if name.endswith("_bytes") and dice.random() < 0.8:
            image = broken(dice.choice(self._images), dice)
            return [{"b64": base64.b64encode(image).decode()}]
        choice = dice.randrange(12)
        if choice < 6 and depth:
            return [self._value(depth - 1, "")] * dice.randrange(4)
        if choice == 6 and depth:
            return {dice.choice(_TEXTS): self._value(depth - 1, "")}
        if choice == 7:
            return {"b64": dice.choice(("", "AAAA", "?", "A", "\N{SNOWMAN}"))}
        return dice.choice((*_NUMBERS, *_TEXTS, "\ud800", None, True, False))

    def _framing(self) -> tuple[str, str]:
        """Raw bytes that are nearly HTTP; any answer may come, or none, but no 5xx."""
        dice = self._dice
        body = b'{"instances": [2.0]}'
        head = b"POST /v1/models/half_plus_two:predict HTTP/1.1\r\nHost: a\r\n"
        length = dice.choice((b"20", b"19", b"-1", b"\xb2", b"20, 20", b"99999999999999999999"))
        chunk = dice.choice(
            (b"14", b"-1", b"\xb2", b"0x14", b"+14", b"1" * 30, b"14;" + b"x" * 999)
        )
        data = dice.choice(
            (
                head + b"Content-Length: " + length + b"\r\n\r\n" + body,
                head
                + b"Transfer-Encoding: chunked\r\n\r\n"
                + chunk
                + b"\r\n"
                + body
                + b"\r\n0\r\n\r\n",
                broken(head + b"Content-Length: 20\r\n\r\n" + body, dice),
            )
        )
        with socket.create_connection(("localhost", self._server.rest_port), timeout=30) as link:
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            try:
                answer = link.recv(4096)
            except ConnectionError:
                answer = b""
        status = answer[9:12].decode("latin-1")
        promise(not status.startswith("5") or status == "501", f"{data!r} got {answer[:300]!r}")
        return "HTTP framing", status or "closed"


def _signatures(server: Server, model: str) -> Any:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = model
    response = server.predictions.GetModelMetadata(request, 30)
    found = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(found)
    return found.signature_def


def _image(kind: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


if __name__ == "__main__":
    main(campaign, count=200_000, seconds=4 * 3600)
