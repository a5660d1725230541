"""What only REST can meet: broken HTTP, foreign JSON, dropped connections."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving import TLS, Client, RetryPolicy

Connect = Callable[..., Client]
QUICK = RetryPolicy(first_delay=0.02)


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    with ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(
            Client(*args, **{"timeout": 5, "retry": QUICK, **kwargs})
        )


def test_connections_are_kept(connect: Connect, rest_model: Any) -> None:
    client = connect(rest_model.address)
    for _ in range(5):
        client.status()
    assert rest_model.connections == 1


def test_a_dropped_connection_is_made_anew(connect: Connect, rest_model: Any) -> None:
    client = connect(rest_model.address)
    client.status()
    rest_model.hang_up = 2
    assert client.status()[0].version == 3
    assert rest_model.connections == 3


@pytest.mark.parametrize(
    ("status", "content", "code", "message"),
    [
        (200, b"<html>", "INTERNAL", "must answer in JSON. Received: HTTP 200 '<html>'"),
        (502, b"bad gateway", "UNAVAILABLE", "Received: HTTP 502 'bad gateway'"),
        (404, b"", "NOT_FOUND", "Received: HTTP 404 ''"),
        (418, b'{"error": "teapot"}', "UNKNOWN", "answered UNKNOWN: teapot"),
        (400, b'["odd"]', "INVALID_ARGUMENT", r"answered INVALID_ARGUMENT: \['odd'\]"),
        (504, b'{"error": "late"}', "DEADLINE_EXCEEDED", "late"),
        (413, b'{"error": "big"}', "RESOURCE_EXHAUSTED", "big"),
    ],
)
def test_http_statuses_become_codes(
    connect: Connect, rest_model: Any, status: int, content: bytes, code: str, message: str
) -> None:
    rest_model.raw.append((status, content))
    client = connect(rest_model.address, retry=RetryPolicy(attempts=1))
    with pytest.raises(ServingError, match=message) as caught:
        client.status()
    assert caught.value.code == code


def test_long_replies_are_refused(connect: Connect, rest_model: Any) -> None:
    client = connect(rest_model.address, max_message_bytes=100)
    with pytest.raises(ServingError, match=r"at most 100 bytes \(max_message_bytes\). Received"):
        client.metadata()
    assert client._transport._idle.empty()


def test_version_label_and_prefix_are_in_the_path(connect: Connect, rest_model: Any) -> None:
    with pytest.raises(ServingError):
        connect(rest_model.address + "/api/", version=7).status()
    connect(rest_model.address, version=7).status()
    connect(rest_model.address, label="a b").status()
    assert rest_model.calls == [
        "/api/v1/models/cnnlg/versions/7",
        "/v1/models/cnnlg/versions/7",
        "/v1/models/cnnlg/labels/a%20b",
    ]


@pytest.mark.parametrize("mutual", [False, True])
def test_https(connect: Connect, rest_model: Any, certificates: Path, mutual: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    root = certificates / "ca.pem"
    if mutual:
        context.load_verify_locations(root)
        context.verify_mode = ssl.CERT_REQUIRED
    rest_model.server.socket = context.wrap_socket(rest_model.server.socket, server_side=True)
    address = f"https://localhost:{urlsplit(rest_model.address).port}"
    me = (certificates / "client.pem", certificates / "client.key") if mutual else ()
    assert connect(address, tls=TLS(root, *me)).status()[0].version == 3
    stranger = connect(address, tls=TLS(root) if mutual else None, retry=RetryPolicy(attempts=1))
    with pytest.raises(ServingError) as caught:
        stranger.status()
    assert caught.value.code == "UNAVAILABLE"
