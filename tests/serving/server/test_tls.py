"""REST over TLS, with and without client certificates."""

import http.client
import ssl
from pathlib import Path

import pytest

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving import TLS
from cnnlg_tf.serving.server.config_files import SSLConfig
from cnnlg_tf.serving.server.rest import RestServer
from cnnlg_tf.serving.server.tls import ServerTLS
from tests.serving.servers import free_port


def server_tls(folder: Path, client_ca: bool) -> ServerTLS:
    ca = str(folder / "ca.pem") if client_ca else None
    found = ServerTLS.from_files(str(folder / "server.pem"), str(folder / "server.key"), ca)
    assert found is not None
    return found


def get(port: int, context: ssl.SSLContext) -> int:
    connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=context)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("mutual", [False, True])
def test_https(certificates: Path, mutual: bool) -> None:
    tls = server_tls(certificates, mutual)
    rest = RestServer(None, port := free_port(), threads=1, timeout=9, tls=tls.ssl_context())  # type: ignore[arg-type]
    rest.start()
    root = certificates / "ca.pem"
    known = TLS(root, certificates / "client.pem", certificates / "client.key").ssl_context()
    try:
        assert get(port, known) == 200
        if mutual:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                get(port, TLS(root).ssl_context())
        else:
            assert get(port, TLS(root).ssl_context()) == 200
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            plain = http.client.HTTPConnection("localhost", port, timeout=20)
            plain.request("GET", "/healthz")
            plain.getresponse()
    finally:
        plain.close()
        rest.stop(1)


def test_the_same_from_an_ssl_config(certificates: Path, tmp_path: Path) -> None:
    from google.protobuf import text_format

    key, pem, ca = ((certificates / n).read_text() for n in ("server.key", "server.pem", "ca.pem"))
    config = SSLConfig(server_key=key, server_cert=pem, custom_ca=ca, client_verify=True)
    (tmp_path / "ssl").write_text(text_format.MessageToString(config))
    assert ServerTLS.from_config(str(tmp_path / "ssl")) == server_tls(certificates, True)
    assert ServerTLS.from_config("") is None
    assert ServerTLS.from_files(None, None, None) is None


def test_what_cannot_be_used_is_told(certificates: Path) -> None:
    key, pem = str(certificates / "server.key"), str(certificates / "server.pem")
    with pytest.raises(ServingError, match="a server's TLS needs a certificate and its key"):
        ServerTLS.from_files(pem, None, None)
    with pytest.raises(ServingError, match="a certificate file cannot be read: .*none.pem"):
        ServerTLS.from_files("none.pem", key, None)
    with pytest.raises(ServingError, match="the server's certificate and key cannot be used"):
        ServerTLS(b"no key", b"no certificate").ssl_context()
