"""The server's certificate, its key, and whose clients may come: for gRPC and for REST."""

import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server.config_files import SSLConfig, read_text_proto


@dataclass(frozen=True)
class ServerTLS:
    """PEM texts. With `client_ca` and `verify` only clients with a certificate of it may come."""

    key: bytes
    certificate: bytes
    client_ca: bytes = b""
    verify: bool = False

    @classmethod
    def from_config(cls, path: str) -> "ServerTLS | None":
        """Read a text SSLConfig; None for an empty path.

        Raises:
            ServingError: NOT_FOUND or INVALID_ARGUMENT.
        """
        if not path:
            return None
        config = read_text_proto(Path(path), SSLConfig)
        key, certificate = config.server_key.encode(), config.server_cert.encode()
        return cls(key, certificate, config.custom_ca.encode(), config.client_verify)

    @classmethod
    def from_files(
        cls, certificate: str | None, key: str | None, client_ca: str | None
    ) -> "ServerTLS | None":
        """Read PEM files; None without a certificate. A client CA makes client certificates a must.

        Raises:
            ServingError: INVALID_ARGUMENT, one file without the other, or one that cannot be read.
        """
        if certificate is None and key is None and client_ca is None:
            return None
        if certificate is None or key is None:
            raise ServingError(
                "a server's TLS needs a certificate and its key. "
                f"Received: certificate={certificate}, key={key}, client CA={client_ca}",
                "INVALID_ARGUMENT",
            )
        try:
            ca = Path(client_ca).read_bytes() if client_ca else b""
            return cls(Path(key).read_bytes(), Path(certificate).read_bytes(), ca, bool(client_ca))
        except OSError as error:
            raise ServingError(
                f"a certificate file cannot be read: {error}", "INVALID_ARGUMENT"
            ) from error

    def grpc_credentials(self) -> Any:
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)],
            root_certificates=self.client_ca or None,
            require_client_auth=self.verify,
        )

    def ssl_context(self) -> ssl.SSLContext:
        """The same for HTTP. Raises ServingError: INVALID_ARGUMENT, no certificate and its key."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            with tempfile.TemporaryDirectory() as folder:  # ssl reads files only; this one is ours
                pair = Path(folder) / "pair.pem"
                pair.touch(0o600)
                pair.write_bytes(self.certificate + b"\n" + self.key)
                context.load_cert_chain(pair)
            if self.client_ca:
                context.load_verify_locations(cadata=self.client_ca.decode())
        except (OSError, ValueError) as error:
            raise ServingError(
                f"the server's certificate and key cannot be used: {error}", "INVALID_ARGUMENT"
            ) from error
        if self.verify:
            context.verify_mode = ssl.CERT_REQUIRED
        return context
