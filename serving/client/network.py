"""A server as a Network: windows travel as floats, one request each."""

from cnnlg_tf.inference.signature_network import SignatureNetwork
from cnnlg_tf.serving.client.blocking import Client


class ServerNetwork(SignatureNetwork):
    """What a client's server serves. Raises ServingError when a request fails."""

    def __init__(self, client: Client) -> None:
        super().__init__(client.predict, client.metadata().signatures)

    def __str__(self) -> str:
        return "a server"
