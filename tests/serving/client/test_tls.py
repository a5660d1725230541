from pathlib import Path

import pytest

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving import TLS


def test_certificate_and_key_go_together() -> None:
    with pytest.raises(ServingError, match="go together. Received: certificate=a.pem"):
        TLS(certificate="a.pem")


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="certificate file .*none.pem cannot be read"):
        TLS(tmp_path / "none.pem").pem()
    with pytest.raises(ServingError, match="cannot be used: .*No such file"):
        TLS(tmp_path / "none.pem").ssl_context()
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(ServingError, match="cannot be used"):
        TLS(tmp_path / "bad.pem").ssl_context()


def test_pem_is_what_grpc_takes(certificates: Path) -> None:
    tls = TLS(certificates / "ca.pem", certificates / "client.pem", certificates / "client.key")
    assert set(tls.pem()) == {"root_certificates", "private_key", "certificate_chain"}
    assert all(tls.pem().values())
    assert TLS().pem() == dict.fromkeys(tls.pem())
