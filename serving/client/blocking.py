"""The blocking client."""

from typing import TYPE_CHECKING, Any, Self
from urllib.parse import SplitResult

from cnnlg_tf.errors import ServingError
from cnnlg_tf.extras import require
from cnnlg_tf.serving.client import arrays
from cnnlg_tf.serving.client.arrays import DamageOutputs, RepairOutputs
from cnnlg_tf.serving.client.base import BaseClient
from cnnlg_tf.serving.client.metadata import Array, Arrays, Metadata, ModelRef, VersionStatus
from cnnlg_tf.serving.client.rest_transport import RestTransport
from cnnlg_tf.serving.client.tls import TLS

if TYPE_CHECKING:
    from cnnlg_tf.serving.client.grpc_transport import GrpcTransport


class Client(BaseClient):
    """The blocking client; safe to share between threads. See BaseClient for its errors.

    with Client("localhost:8500") as client:
        repaired, uncertainty = client.repair(image, mask)
    """

    _transport: "GrpcTransport | RestTransport"

    @staticmethod
    def _grpc(
        target: str, model: ModelRef, tls: TLS | None, max_message_bytes: int
    ) -> "GrpcTransport":
        require("grpc", "client")
        from cnnlg_tf.serving.client.grpc_transport import GrpcTransport

        return GrpcTransport(target, model, tls, max_message_bytes)

    @staticmethod
    def _rest(
        url: SplitResult, model: ModelRef, tls: TLS | None, max_message_bytes: int
    ) -> RestTransport:
        return RestTransport(url, model, tls, max_message_bytes)

    def repair(self, image: Any, mask: Any) -> RepairOutputs:
        """Fill the hole of a photo.

        Args:
            image: [height, width, 3] or [batch, height, width, 3]: floats in [0, 1], or uint8.
            mask: [height, width], 1 (or 255, or True) = missing; one for the batch, or one a photo.

        Returns:
            The photo with known pixels unchanged, and the standard deviation of each pixel; batched
            as `image` was.
        """
        return arrays.as_repair(image, self.predict(arrays.repair_inputs(image, mask)))

    def repair_bytes(self, photo: bytes, mask: bytes) -> bytes:
        """Fill the hole of a photo.

        Args:
            photo: a file of any kind that cnnlg_tf.photos decodes; EXIF's rotation is applied.
            mask: one too, by the rule of cnnlg_tf.photos: bright is missing, transparent is known.

        Returns:
            A PNG with the photo's known pixels bit for bit, its depth, alpha and metadata.
        """
        from cnnlg_tf.serving.client.encoded import EncodedRepair

        pair = EncodedRepair.of(photo, mask)
        return pair.finish(arrays.as_bytes(self.predict(pair.inputs(), "inpaint_bytes")))

    def sample(self, image: Any, mask: Any, seed: int, temperature: float = 1.0) -> Array:
        """One of the possible repairs; arrays as in `repair`.

        The same seed in [0, 2**64) gives the same one; temperature 0 the likeliest.
        """
        inputs = arrays.sample_inputs(image, mask, seed, temperature)
        return arrays.as_output(image, self.predict(inputs, "sample"), "repaired")

    def paint(
        self,
        image: Any,
        mask: Any,
        *,
        sketch: Any = None,
        sketch_mask: Any = None,
        reference: Any = None,
        detail: float = 1.0,
        seed: int = 0,
        temperature: float = 0.0,
    ) -> RepairOutputs:
        """Fill the hole of a photo as `repair` does, with all that can be said of how.

        Args:
            sketch: like `image`, the colours of strokes in the hole that the repair follows.
            sketch_mask: like `mask`, 1 = a stroke. With `sketch`.
            reference: a photo, or several of one size from 16 x 16 px, that may be copied from besides the image.
            detail: 0 smooth .. 1 as learnt .. 2 crisp.
            seed: in [0, 2**64), of one of the possible repairs.
            temperature: how far that may be from the expected one: 0, whatever the seed, is the expected one.
        """
        inputs = arrays.paint_inputs(
            image, mask, sketch, sketch_mask, reference, detail, seed, temperature
        )
        return arrays.as_repair(image, self.predict(inputs, "paint"))

    def refine(
        self,
        image: Any,
        mask: Any,
        guide: Any,
        detail: float = 1.0,
        reference: Any = None,
        *,
        sketch: Any = None,
        sketch_mask: Any = None,
    ) -> Array:
        """Add to a repair of lower resolution what that resolution lacks; arrays as in `repair`.

        Args:
            guide: the repair, enlarged: like `image`, in [0, 1].
            detail: 0 smooth .. 1 as learnt .. 2 crisp.
            reference, sketch, sketch_mask: as in `paint`.
        """
        inputs = arrays.refine_inputs(image, mask, guide, detail, reference, sketch, sketch_mask)
        return arrays.as_output(image, self.predict(inputs, "refine"), "repaired")

    def find_damage(self, image: Any) -> DamageOutputs:
        """Where a photo looks damaged. `image` as in `repair`."""
        return arrays.as_damage(
            image, self.predict({"image": arrays.photo_batch(image)}, "find_damage")
        )

    def predict(self, inputs: dict[str, Any], signature: str = "serving_default") -> Arrays:
        """Call any signature.

        Names, dtypes and shapes are checked against the server's metadata before sending.
        """
        specs = self.metadata().signature(signature)
        cast = specs.cast(inputs)
        try:
            return self._retry.call(
                lambda left: self._transport.predict(signature, cast, specs, left), self._timeout
            )
        except ServingError:
            self._metadata = None
            raise

    def metadata(self) -> Metadata:
        """The model's signatures."""
        if self._metadata is None:
            self._metadata = self._retry.call(self._transport.metadata, self._timeout)
        return self._metadata

    def status(self) -> list[VersionStatus]:
        """The state of each version on the server, newest first."""
        return self._retry.call(self._transport.status, self._timeout)

    def close(self) -> None:
        """Close the connections. The client also works as a context manager."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
