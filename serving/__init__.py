"""Serving: the embedded server, the client, and deployment files.

`Client` and `AsyncClient` load on first use and import no TensorFlow; the server's modules are
imported by their own names.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnlg_tf.serving.client import TLS, AsyncClient, Client, RetryPolicy

__all__ = ["TLS", "AsyncClient", "Client", "RetryPolicy"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'cnnlg_tf.serving' has no attribute {name!r}")
    from cnnlg_tf.serving import client

    return getattr(client, name)
