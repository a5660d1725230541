"""What both clients share: their arguments, and how an address picks a transport."""

from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import SplitResult, urlsplit

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.client.metadata import Metadata, ModelRef
from cnnlg_tf.serving.client.retry import RetryPolicy
from cnnlg_tf.serving.client.tls import TLS

# A 24-megapixel photo with its mask as float32 tensors is 384 MB.
MAX_MESSAGE_BYTES = 512 * 1024 * 1024


class BaseClient(ABC):
    """A model on a server that speaks TF-Serving's interface.

    The model's signatures are read from the server at the first request, and again after one fails:
    a new version may have other inputs. Every method raises ServingError, with the gRPC status name
    as its `code`, when the request fails; ImageError or MaskError when the arrays cannot be a photo
    and its mask.
    """

    def __init__(
        self,
        server: str,
        *,
        model: str = "cnnlg",
        version: int | None = None,
        label: str | None = None,
        timeout: float = 60.0,
        retry: RetryPolicy | None = None,
        tls: TLS | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Opens no connection yet.

        Args:
            server: `host:8500` for gRPC, `http://host:8501` or `https://...` for REST.
            model: the model's name on the server.
            version, label: one version of it, by number or by label; the newest without either.
            timeout: seconds for one request, retries included.
            retry: how a request is repeated while the server is UNAVAILABLE.
            tls: certificates; gRPC is encrypted when it is given, REST when the address is https.
            max_message_bytes: the longest request or reply over gRPC, the longest reply over REST.
        """
        if not timeout > 0:
            raise ServingError(
                f"timeout must be a positive number of seconds. Received: {timeout}",
                "INVALID_ARGUMENT",
            )
        self._timeout = timeout
        self._retry = retry or RetryPolicy()
        self._metadata: Metadata | None = None
        url = _rest_url(server)
        ref = ModelRef(model, version, label)
        if url is None:
            self._transport = self._grpc(server, ref, tls, max_message_bytes)
        else:
            self._transport = self._rest(url, ref, tls, max_message_bytes)

    @staticmethod
    @abstractmethod
    def _grpc(target: str, model: ModelRef, tls: TLS | None, max_message_bytes: int) -> Any: ...

    @staticmethod
    @abstractmethod
    def _rest(
        url: SplitResult, model: ModelRef, tls: TLS | None, max_message_bytes: int
    ) -> Any: ...


def _rest_url(server: str) -> SplitResult | None:
    """The parsed address of a REST server, None for a gRPC one."""
    if server.startswith(("http://", "https://")):
        url = urlsplit(server)
        if url.hostname:
            return url
    elif server.startswith("unix:"):
        return None
    elif "://" not in server or server.startswith("dns://"):
        host, _, port = server.rpartition(":")
        if host and port.isdigit():
            return None
    raise ServingError(
        f"a server must be host:port for gRPC or http://host:port for REST. Received: {server!r}",
        "INVALID_ARGUMENT",
    )
