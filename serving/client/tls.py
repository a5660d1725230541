"""Certificates of an encrypted connection."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from cnnlg_tf.errors import ServingError


@dataclass(frozen=True)
class TLS:
    """PEM files. Without `root_certificates` the system's are trusted.

    The other two prove who the client is (mutual TLS).
    """

    root_certificates: str | Path | None = None
    certificate: str | Path | None = None
    private_key: str | Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.private_key is None):
            raise ServingError(
                "a client's certificate and private_key go together. "
                f"Received: certificate={self.certificate}, private_key={self.private_key}",
                "INVALID_ARGUMENT",
            )

    def pem(self) -> dict[str, bytes | None]:
        """The files' contents under the names that grpc.ssl_channel_credentials takes."""
        return {
            "root_certificates": _read(self.root_certificates),
            "private_key": _read(self.private_key),
            "certificate_chain": _read(self.certificate),
        }

    def ssl_context(self) -> ssl.SSLContext:
        """The same for Python's own sockets."""
        try:
            context = ssl.create_default_context(cafile=self.root_certificates)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.private_key)
        except OSError as error:
            raise ServingError(
                f"the certificates {self} cannot be used: {error}", "INVALID_ARGUMENT"
            ) from error
        return context


def _read(path: str | Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ServingError(
            f"the certificate file {path} cannot be read: {error}", "INVALID_ARGUMENT"
        ) from error
