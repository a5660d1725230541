"""The client of a served model: no TensorFlow here, only numpy, and grpcio with protobuf for gRPC.

wire.proto is what travels; wire_codec and rest_codec turn arrays into it; the transports send it;
`Client` and `AsyncClient` are what callers use.
"""

from cnnlg_tf.serving.client.arrays import DamageOutputs, RepairOutputs
from cnnlg_tf.serving.client.asynchronous import AsyncClient
from cnnlg_tf.serving.client.blocking import Client
from cnnlg_tf.serving.client.metadata import Metadata, Signature, TensorSpec, VersionStatus
from cnnlg_tf.serving.client.retry import RetryPolicy
from cnnlg_tf.serving.client.tls import TLS

__all__ = [
    "TLS",
    "AsyncClient",
    "Client",
    "DamageOutputs",
    "Metadata",
    "RepairOutputs",
    "RetryPolicy",
    "Signature",
    "TensorSpec",
    "VersionStatus",
]
