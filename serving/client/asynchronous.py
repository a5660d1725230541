"""The asyncio client: `Client` with awaitable methods."""

import asyncio
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import SplitResult

from cnnlg_tf.errors import ServingError
from cnnlg_tf.extras import require
from cnnlg_tf.serving.client import arrays
from cnnlg_tf.serving.client.arrays import DamageOutputs, RepairOutputs
from cnnlg_tf.serving.client.base import BaseClient
from cnnlg_tf.serving.client.metadata import Array, Arrays, Metadata, ModelRef, VersionStatus
from cnnlg_tf.serving.client.rest_transport import ThreadedRestTransport
from cnnlg_tf.serving.client.tls import TLS

if TYPE_CHECKING:
    from cnnlg_tf.serving.client.grpc_transport import AsyncGrpcTransport


class AsyncClient(BaseClient):
    """The asyncio client: Client's arguments, methods, results and errors, awaited.

    Make it inside the running event loop. gRPC calls are native, REST calls run in threads.

    async with AsyncClient("localhost:8500") as client:
        repaired, uncertainty = await client.repair(image, mask)
    """

    _transport: "AsyncGrpcTransport | ThreadedRestTransport"

    @staticmethod
    def _grpc(
        target: str, model: ModelRef, tls: TLS | None, max_message_bytes: int
    ) -> "AsyncGrpcTransport":
        require("grpc", "client")
        from cnnlg_tf.serving.client.grpc_transport import AsyncGrpcTransport

        return AsyncGrpcTransport(target, model, tls, max_message_bytes)

    @staticmethod
    def _rest(
        url: SplitResult, model: ModelRef, tls: TLS | None, max_message_bytes: int
    ) -> ThreadedRestTransport:
        return ThreadedRestTransport(url, model, tls, max_message_bytes)

    async def repair(self, image: Any, mask: Any) -> RepairOutputs:
        """See Client.repair."""
        return arrays.as_repair(image, await self.predict(arrays.repair_inputs(image, mask)))

    async def repair_bytes(self, photo: bytes, mask: bytes) -> bytes:
        """See Client.repair_bytes."""
        from cnnlg_tf.serving.client.encoded import EncodedRepair

        pair = await asyncio.to_thread(EncodedRepair.of, photo, mask)
        inputs = await asyncio.to_thread(pair.inputs)
        outputs = await self.predict(inputs, "inpaint_bytes")
        return await asyncio.to_thread(pair.finish, arrays.as_bytes(outputs))

    async def sample(self, image: Any, mask: Any, seed: int, temperature: float = 1.0) -> Array:
        """See Client.sample."""
        inputs = arrays.sample_inputs(image, mask, seed, temperature)
        return arrays.as_output(image, await self.predict(inputs, "sample"), "repaired")

    async def paint(
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
        """See Client.paint."""
        inputs = arrays.paint_inputs(
            image, mask, sketch, sketch_mask, reference, detail, seed, temperature
        )
        return arrays.as_repair(image, await self.predict(inputs, "paint"))

    async def refine(
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
        """See Client.refine."""
        inputs = arrays.refine_inputs(image, mask, guide, detail, reference, sketch, sketch_mask)
        return arrays.as_output(image, await self.predict(inputs, "refine"), "repaired")

    async def find_damage(self, image: Any) -> DamageOutputs:
        """See Client.find_damage."""
        return arrays.as_damage(
            image, await self.predict({"image": arrays.photo_batch(image)}, "find_damage")
        )

    async def predict(self, inputs: dict[str, Any], signature: str = "serving_default") -> Arrays:
        """See Client.predict."""
        specs = (await self.metadata()).signature(signature)
        cast = specs.cast(inputs)
        try:
            return await self._retry.call_async(
                lambda left: self._transport.predict(signature, cast, specs, left), self._timeout
            )
        except ServingError:
            self._metadata = None
            raise

    async def metadata(self) -> Metadata:
        """See Client.metadata."""
        if self._metadata is None:
            self._metadata = await self._retry.call_async(self._transport.metadata, self._timeout)
        return self._metadata

    async def status(self) -> list[VersionStatus]:
        """See Client.status."""
        return await self._retry.call_async(self._transport.status, self._timeout)

    async def close(self) -> None:
        """See Client.close."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()
