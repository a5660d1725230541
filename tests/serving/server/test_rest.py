"""The REST API of a real server."""

import base64
import contextlib
import gzip
import http.client
import json
import socket
import time
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server.limits import Call
from cnnlg_tf.serving.server.rest import RestServer
from tests.serving.servers import Server, free_port, predict_request, wait_until

TWO = "/v1/models/half_plus_two"
KINDS = "/v1/models/kinds"


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        (f"{TWO}:predict", {"instances": [2.0, 3.0, 4.0]}, {"predictions": [3.0, 3.5, 4.0]}),
        (f"{TWO}:predict", {"inputs": [2.0, 3.0, 4.0]}, {"outputs": [3.0, 3.5, 4.0]}),
        (f"{TWO}:predict", {"inputs": 2.0}, {"outputs": 3.0}),
        (
            f"{TWO}:predict",
            {"instances": [{"x": [1.0]}, {"x": [5]}]},
            {"predictions": [[2.5], [4.5]]},
        ),
        (f"{TWO}/versions/1:predict", {"instances": [[2]]}, {"predictions": [[3.0]]}),
        (f"{TWO}/labels/stable:predict", {"instances": [[2]]}, {"predictions": [[3.0]]}),
        (
            f"{TWO}:predict",
            {"signature_name": "serving_default", "instances": [0.4]},
            {"predictions": [2.2]},
        ),
        (
            f"{TWO}:classify",
            {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]},
            {"results": [[["", 3.0]]]},
        ),
        (
            f"{TWO}:classify",
            {"signature_name": "classify_labels", "context": {"x": [0.4]}, "examples": [{}, {}]},
            {"results": [[["half", 2.2]], [["half", 2.2]]]},
        ),
        (
            f"{TWO}:regress",
            {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}, {"x": [4.0]}]},
            {"results": [3.0, 4.0]},
        ),
        (
            f"{KINDS}:predict",
            {"signature_name": "two", "instances": [{"a": [1.0, 2.0], "b": 3.0}]},
            {"predictions": [{"total": 6.0, "scaled": [3.0, 6.0]}]},
        ),
        (
            f"{KINDS}:predict",
            {"signature_name": "two", "inputs": {"a": [[1.0, 2.0]], "b": [3.0]}},
            {"outputs": {"total": [6.0], "scaled": [[3.0, 6.0]]}},
        ),
    ],
)
def test_answers(server: Server, path: str, body: Any, answer: Any) -> None:
    assert server.rest(path, body) == (200, answer)


def test_a_type_with_no_json_form_is_an_error(server: Server) -> None:
    body = {"signature_name": "integers", "instances": [[1, 2]]}
    error = "Failed to write JSON value for tensor type: half"
    assert server.rest(f"{KINDS}:predict", body) == (400, {"error": error})


def test_binary_values_travel_as_base64(server: Server) -> None:
    text = base64.b64encode(b"a\xfe").decode()
    body = {"signature_name": "strings", "instances": [{"b64": text}, "b"]}
    status, answer = server.rest(f"{KINDS}:predict", body)
    raw = [base64.b64encode(value).decode() for value in (b"a\xfe\xff", b"b\xff")]
    assert status == 200
    assert [row["raw_bytes"] for row in answer["predictions"]] == [{"b64": value} for value in raw]
    assert answer["predictions"][1]["upper"] == "B"


def test_floats_keep_their_shortest_form_and_nan_its_token(server: Server) -> None:
    path = f"http://localhost:{server.rest_port}{TWO}:predict"
    connection = http.client.HTTPConnection("localhost", server.rest_port, timeout=20)
    connection.request("POST", path, '{"instances": [NaN, Infinity, -Infinity, 0.2]}')
    text = connection.getresponse().read().decode()
    connection.close()
    assert text == '{"predictions": [NaN, Infinity, -Infinity, 2.1]}'


def test_status_and_metadata(server: Server) -> None:
    ok = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert server.rest(TWO) == (
        200,
        {"model_version_status": [{"version": "2", **ok}, {"version": "1", **ok}]},
    )
    assert server.rest(f"{TWO}/versions/1") == (
        200,
        {"model_version_status": [{"version": "1", **ok}]},
    )
    status, answer = server.rest(f"{TWO}/labels/stable/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "half_plus_two", "signature_name": "", "version": "1"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    dims = [{"size": "-1", "name": ""}, {"size": "1", "name": ""}]
    shape = {"dim": dims, "unknown_rank": False}
    assert signature == {
        "inputs": {"x": {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": "x:0"}},
        "outputs": {"y": {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": "y:0"}},
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/v1/models", None, 400, "Missing model name in request."),
        ("/v1/foo", None, 400, "Malformed request: GET /v1/foo"),
        (f"{TWO}:predict", None, 400, f"Malformed request: GET {TWO}:predict"),
        (TWO, {}, 400, f"Malformed request: POST {TWO}"),
        (
            f"{TWO}/versions/x:predict",
            {},
            400,
            f"Malformed request: POST {TWO}/versions/x:predict",
        ),
        (
            f"{TWO}/versions/{2**64}:predict",
            {"instances": [1]},
            400,
            f"Failed to convert version: {2**64} to numeric.",
        ),
        ("/other", None, 404, "Not Found: /other"),
        (
            "/v1/models/half:predict",
            {"instances": [1.0]},
            404,
            "Servable not found for request: Latest(half)",
        ),
        ("/v1/models/half", None, 404, "Could not find any versions of model half"),
        (f"{TWO}/versions/7", None, 404, "Could not find version 7 of model half_plus_two"),
        (
            f"{TWO}/labels/x:predict",
            {"instances": [1.0]},
            400,
            "Unrecognized servable version label: x",
        ),
        (
            f"{TWO}:predict",
            {"signature_name": "other", "instances": [1.0]},
            400,
            'Serving signature name: "other" not found in signature def',
        ),
        (f"{TWO}:predict", b"", 400, "JSON Parse error: The document is empty"),
    ],
)
def test_errors(server: Server, path: str, body: Any, status: int, error: str) -> None:
    assert server.rest(path, body) == (status, {"error": error})


def test_a_request_that_takes_too_long_ends_in_504(server: Server) -> None:
    body = {"signature_name": "slow", "instances": [10**7]}
    status, answer = server.rest(f"{KINDS}:predict", body)
    assert status == 504
    assert "Timed out" in answer["error"]


def test_a_client_that_left_is_noticed() -> None:
    """While a request waits for its turn, its call says when nobody waits for it any more."""
    problems: list[str] = []

    class Waiting:
        """A core whose classify never ends by itself."""

        def classify(self, request: Any, call: Call, entrypoint: str) -> Any:
            assert call.problem() is None
            wait_until(call.problem, 20)
            problems.append(getattr(call.problem(), "code", ""))
            raise ServingError("over")

    port = free_port()
    rest = RestServer(Waiting(), port, threads=1, timeout=60)  # type: ignore[arg-type]
    rest.start()
    body = b'{"examples": [{}]}'
    head = f"POST {TWO}:classify HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("localhost", port)) as connection:
        connection.sendall(head.encode() + body)
        time.sleep(0.2)
        assert problems == []
    wait_until(lambda: problems, 20)
    rest.stop(5)
    assert problems == ["CANCELLED"]


def test_a_taken_port_is_told() -> None:
    with socket.socket() as holder:
        holder.bind(("0.0.0.0", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ServingError, match=f"REST cannot listen on port {port} of .*: Address"):
            RestServer(None, port, threads=1, timeout=1)  # type: ignore[arg-type]


def test_bodies_gzipped_chunked_and_too_large(server: Server) -> None:
    body = json.dumps({"instances": [2.0]}).encode()
    path = f"{TWO}:predict"
    packed = gzip.compress(body)
    assert server.rest(path, packed, {"Content-Encoding": "gzip"})[1] == {"predictions": [3.0]}
    status, answer = server.rest(path, b"no gzip", {"Content-Encoding": "gzip"})
    assert (status, answer["error"].startswith("the body is not gzip: ")) == (400, True)
    bomb = gzip.compress(bytes(64 * 2**20), 1)
    assert server.rest(path, bomb, {"Content-Encoding": "gzip"}) == (
        429,
        {"error": "a body must have at most 33554432 bytes when unpacked"},
    )
    connection = http.client.HTTPConnection("localhost", server.rest_port, timeout=20)
    for _ in range(2):  # the connection stays open
        connection.request("POST", path, iter([body[:5], body[5:]]), encode_chunked=True)
        assert json.load(connection.getresponse()) == {"predictions": [3.0]}
    connection.putrequest("POST", path)
    connection.putheader("Content-Length", str(10**9))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 429
    assert json.load(response) == {
        "error": "a body must have at most 33554432 bytes. Received: 1000000000"
    }
    connection.close()


def exchange(server: Server, data: bytes) -> bytes:
    """What the server says to raw bytes before it closes the connection."""
    with socket.create_connection(("localhost", server.rest_port), timeout=20) as connection:
        answer = b""
        with contextlib.suppress(ConnectionError):  # the server need not read to the end
            connection.sendall(data)
            while part := connection.recv(4096):
                answer += part
    return answer


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: many\r\n\r\nzz",
        "Content-Length: -1\r\n\r\nzz",
        "Content-Length: \u00b2\r\n\r\nzz",
        "Content-Length: 1\r\nContent-Length: 2\r\n\r\nzz",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nzz\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-1\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\n\r\n\u00b2\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\n\r\n+2\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0x2\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2;" + "x" * 400_000,
        "X-Long: " + "x" * 400_000,
    ],
)
def test_broken_framing_gets_an_error_and_closes_the_connection(
    server: Server, framing: str
) -> None:
    head = f"POST {TWO}:predict HTTP/1.1\r\nHost: a\r\n"
    answer = exchange(server, (head + framing).encode("latin-1"))
    if not answer and len(framing) > 100_000:
        return  # closed while we were writing: the answer is lost with the connection
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert list(json.loads(answer.split(b"\r\n\r\n", 1)[1])) == ["error"]


def test_a_chunked_body_cannot_grow_past_the_limit(server: Server) -> None:
    """A hundred chunks, each below the limit; the server answers before it has read them all."""
    head = f"POST {TWO}:predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%s\r\n" % (2**20, b" " * 2**20)
    with socket.create_connection(("localhost", server.rest_port), timeout=20) as connection:
        connection.sendall(head.encode())
        sent = 0
        try:
            for _ in range(100):
                connection.sendall(chunk)
                sent += 1
            answer = connection.recv(4096)
        except ConnectionError:
            answer = b""  # closed while we were writing: the answer may be lost with it
    assert sent < 100 or answer.startswith(b"HTTP/1.1 429 ")


def test_gzip_that_ends_early_or_late_is_refused(server: Server) -> None:
    packed = gzip.compress(json.dumps({"instances": [2.0]}).encode())
    for data, fault in (
        (packed[:-6], "ends too early"),
        (packed + b"x", "has bytes after its end"),
    ):
        answer = server.rest(f"{TWO}:predict", data, {"Content-Encoding": "gzip"})
        assert answer == (400, {"error": f"the body is not gzip: it {fault}"})
    answer = server.rest(f"{TWO}:predict", packed, {"Content-Encoding": "br"})
    assert answer == (
        400,
        {"error": "a body's Content-Encoding must be gzip or identity. Received: br"},
    )


def test_long_answers_are_gzipped_for_who_asks(server: Server) -> None:
    connection = http.client.HTTPConnection("localhost", server.rest_port, timeout=20)
    body = json.dumps({"instances": [2.0] * 1000})
    answers = []
    for accepted in ("gzip, deflate", "identity", "gzip;q=0"):
        connection.request("POST", f"{TWO}:predict", body, {"Accept-Encoding": accepted})
        response = connection.getresponse()
        data = response.read()
        packed = response.headers["Content-Encoding"] == "gzip"
        answers.append((packed, gzip.decompress(data) if packed else data))
    connection.close()
    assert [packed for packed, _ in answers] == [True, False, False]
    assert len({data for _, data in answers}) == 1


def test_requests_have_ids(server: Server) -> None:
    connection = http.client.HTTPConnection("localhost", server.rest_port, timeout=20)
    ids = []
    for given in ("abc-123", "", "x" * 200):
        connection.request("GET", "/v1/none", headers={"X-Request-ID": given} if given else {})
        response = connection.getresponse()
        response.read()
        ids.append(response.headers["X-Request-ID"])
        connection.close()
    assert ids[0] == "abc-123"
    assert [len(name) for name in ids[1:]] == [32, 32]
    assert ids[1] != ids[2]


def test_health(server: Server) -> None:
    assert server.rest("/healthz") == (200, "ok\n")
    assert server.rest("/readyz") == (200, "ready\n")


def test_not_ready() -> None:
    class Loading:
        def not_ready(self) -> list[str]:
            return ["cnnlg"]

    port = free_port()
    rest = RestServer(Loading(), port, threads=1, timeout=60)  # type: ignore[arg-type]
    rest.start()
    connection = http.client.HTTPConnection("localhost", port, timeout=20)
    connection.request("GET", "/readyz")
    response = connection.getresponse()
    assert (response.status, response.read()) == (503, b"not ready: cnnlg\n")
    connection.close()
    rest.stop(5)


def test_clients_that_are_too_slow_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never ends its headers, one that never ends its body, one that reads no answer."""
    monkeypatch.setattr("cnnlg_tf.serving.server.http_server._HEAD_SECONDS", 0.5)
    monkeypatch.setattr("cnnlg_tf.serving.server.http_server._STALLED_SECONDS", 0.3)

    class Chatty:
        def metadata(self, *_: Any) -> Any:
            raise ServingError("x" * 50_000_000, "NOT_FOUND")

    port = free_port()
    rest = RestServer(Chatty(), port, threads=2, timeout=0.5)  # type: ignore[arg-type]
    rest.start()
    request = b"GET /v1/models/m/metadata HTTP/1.1\r\nHost: a\r\n"
    body = f"POST {TWO}:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{{".encode()
    connect = ("localhost", port)
    with (
        socket.create_connection(connect, timeout=20) as silent,
        socket.create_connection(connect, timeout=20) as half,
        socket.create_connection(connect, timeout=20) as stuck,
        socket.create_connection(connect, timeout=20) as deaf,
    ):
        half.sendall(request)
        stuck.sendall(body)
        deaf.sendall(request + b"\r\n")
        for connection in (silent, half):
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(100) == b""
        assert stuck.recv(100).startswith(b"HTTP/1.1 504 ")
        time.sleep(1.5)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while part := deaf.recv(2**20):
                received += len(part)
        assert received < 50_000_000
    rest.stop(5)


def test_text_that_is_no_unicode_is_an_error(server: Server) -> None:
    for body in (
        b'{"signature_name": "strings", "instances": ["\\ud800"]}',
        b'{"signature_name": "\\ud800", "instances": ["a"]}',
    ):
        status, answer = server.rest(f"{KINDS}:predict", body)
        assert status == 400
        assert list(answer) == ["error"]


def test_deep_nesting_is_an_error(server: Server) -> None:
    for depth in (33, 900, 100_000):
        body = b'{"instances": ' + b"[" * depth + b"1" + b"]" * depth + b"}"
        status, answer = server.rest(f"{TWO}:predict", body)
        assert status == 400
        assert list(answer) == ["error"]


def test_cors(server: Server) -> None:
    connection = http.client.HTTPConnection("localhost", server.rest_port, timeout=20)
    connection.request("OPTIONS", f"{TWO}:predict")
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Access-Control-Allow-Methods"] == "POST, GET"
    assert response.headers["Access-Control-Allow-Headers"] == "Content-Type"


def test_prometheus_counts_requests_by_entrypoint(server: Server) -> None:
    server.rest(f"{TWO}:predict", {"instances": [1.0]})
    server.predictions.Predict(predict_request("half_plus_two", x=np.float32([1])), 20)
    status, text = server.rest("/monitoring/prometheus/metrics")
    assert status == 200
    assert "# TYPE :tensorflow:serving:request_latency histogram" in text
    labels = 'model_name="half_plus_two",API="predict",entrypoint='
    for entrypoint in ("REST", "GRPC"):
        assert f':tensorflow:serving:request_latency_count{{{labels}"{entrypoint}"}}' in text
    assert ':tensorflow:serving:request_count{model_name="half_plus_two",status="OK"}' in text


def test_rest_and_grpc_give_the_same_numbers(server: Server) -> None:
    values = np.random.default_rng(0).normal(size=50).astype(np.float32)
    _, answer = server.rest(f"{TWO}:predict", {"instances": values.tolist()})
    response = server.predictions.Predict(predict_request("half_plus_two", x=values), 20)
    np.testing.assert_array_equal(
        np.float32(answer["predictions"]), tf.make_ndarray(response.outputs["y"])
    )
