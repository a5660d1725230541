"""Client and AsyncClient against a real server, over gRPC and REST: the same tests for all four."""

import asyncio
import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import ImageError, MaskError, MissingExtraError, ServingError
from cnnlg_tf.serving import TLS, AsyncClient, Client, RetryPolicy

QUICK = RetryPolicy(first_delay=0.02)


class AwaitedClient:
    """AsyncClient whose methods are run to their end on an event loop of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._runner = asyncio.Runner()

        async def make() -> AsyncClient:
            return AsyncClient(*args, **kwargs)

        try:
            self._client = self._runner.run(make())
        except BaseException:
            self._runner.close()
            raise

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await getattr(self._client, name)(*args, **kwargs)

        return lambda *args, **kwargs: self._runner.run(call(*args, **kwargs))

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


Connect = Callable[..., Any]


@pytest.fixture(params=[Client, AwaitedClient], ids=["blocking", "asyncio"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    clients = []

    def make(*args: Any, **kwargs: Any) -> Any:
        clients.append(request.param(*args, **{"retry": QUICK, "timeout": 10, **kwargs}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def test_repair(connect: Connect, model: Any, photo: np.ndarray, mask: np.ndarray) -> None:
    client = connect(model.address)
    image = (photo / 255).astype(np.float32)
    repaired, uncertainty = client.repair(image, mask)
    hole = mask > 0
    np.testing.assert_array_equal(repaired[~hole], image[~hole], strict=True)
    np.testing.assert_array_equal(repaired[hole], np.float32(0.5))
    np.testing.assert_array_equal(uncertainty[..., 0], hole * np.float32(0.25), strict=True)
    batch = client.repair(np.stack([image, image[::-1]]), mask)
    assert batch.repaired.shape == (2, *image.shape)
    np.testing.assert_array_equal(batch.repaired[0], repaired)


def test_repair_of_typed_fields(
    connect: Connect, grpc_model: Any, photo: np.ndarray, mask: np.ndarray
) -> None:
    grpc_model.typed = True
    repaired, _ = connect(grpc_model.address).repair(photo, mask)
    np.testing.assert_array_equal(repaired[mask == 0], (photo / np.float32(255))[mask == 0])


def test_repair_bytes(connect: Connect, model: Any, photo: np.ndarray, mask: np.ndarray) -> None:
    reply = connect(model.address).repair_bytes(png(photo), png(mask))
    pixels = np.asarray(Image.open(io.BytesIO(reply)))
    np.testing.assert_array_equal(pixels, np.where(mask[..., None] > 0, 128, photo))


def test_sample_sends_seed_and_temperature(connect: Connect, model: Any) -> None:
    client = connect(model.address)
    image, mask = np.zeros((4, 4, 3)), np.ones((4, 4))
    sample = client.sample(image, mask, seed=2**32 + 7, temperature=0.5)
    np.testing.assert_array_equal(sample, np.full((4, 4, 3), 0.25, np.float32), strict=True)


def test_refine_sends_guide_detail_and_reference(connect: Connect, model: Any) -> None:
    client = connect(model.address)
    image, mask, guide = np.zeros((4, 4, 3)), np.ones((4, 4)), np.full((4, 4, 3), 0.5, np.float32)
    light = np.full((2, 16, 16, 3), 0.125, np.float32)
    for arguments, wanted in (((), 0.25), ((2.0,), 0.0), ((1.0, light), 0.375)):
        refined = client.refine(image, mask, guide, *arguments)
        np.testing.assert_array_equal(refined, np.full((4, 4, 3), wanted, np.float32), strict=True)
    with pytest.raises(
        ImageError, match=r"guide must be \(4, 4, 3\) like the image. Received: .*5"
    ):
        client.refine(image, mask, np.zeros((5, 4, 3)))
    with pytest.raises(ImageError, match="reference must lie in"):
        client.refine(image, mask, guide, reference=-light)


def test_paint_sends_all_that_is_said(connect: Connect, model: Any) -> None:
    client = connect(model.address)
    image, mask = np.zeros((20, 18, 3)), np.ones((20, 18))
    light = np.full((2, 16, 17, 3), 0.125, np.float32)
    for options, wanted in (
        ({}, 0.25),
        ({"detail": 2.0}, 0.5),
        ({"reference": light}, 0.375),
        ({"seed": 2**32 + 7, "temperature": 0.5}, 0.5),
    ):
        repaired, uncertainty = client.paint(image, mask, **options)
        np.testing.assert_array_equal(
            repaired, np.full_like(image, wanted, np.float32), strict=True
        )
        np.testing.assert_array_equal(uncertainty, np.full((20, 18, 1), 0.25), strict=False)
    strokes = np.zeros((20, 18), bool)
    strokes[3] = True
    sketch = np.full((20, 18, 3), 255, np.uint8)
    painted = client.paint(image, mask, sketch=sketch, sketch_mask=strokes).repaired
    np.testing.assert_array_equal(painted, np.where(strokes[..., None], 1.0, 0.25) + 0 * image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sketch": np.zeros((19, 18, 3))}, "a sketch and a sketch_mask, .*, come together"),
        (
            {"sketch": np.zeros((19, 18, 3)), "sketch_mask": np.zeros((20, 18))},
            r"sketch must be \(20, 18, 3\) like the image. Received: sketch.shape=\(19, 18, 3\)",
        ),
        ({"reference": np.zeros((15, 18, 3))}, "reference must have sides of at least 16 pixels"),
        ({"reference": np.full((16, 18, 3), 2.0)}, "reference must lie in"),
    ],
)
def test_paint_is_checked_before_it_is_sent(
    connect: Connect, model: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ImageError, match=message):
        connect(model.address).paint(np.zeros((20, 18, 3)), np.ones((20, 18)), **options)
    assert "Predict" not in model.calls


def test_find_damage(connect: Connect, model: Any) -> None:
    damage = connect(model.address).find_damage(np.full((1, 2, 5, 3), 0.75))
    np.testing.assert_array_equal(damage.mask_probability, np.full((1, 2, 5, 1), 0.75))
    np.testing.assert_array_equal(damage.mask, np.ones((1, 2, 5, 1)))


def test_status_and_metadata(connect: Connect, model: Any) -> None:
    client = connect(model.address)
    newest, old = client.status()
    assert (newest.version, newest.state, newest.code) == (3, "AVAILABLE", "OK")
    assert (old.version, old.state, old.code, old.message) == (2, "END", "NOT_FOUND", "gone")
    metadata = client.metadata()
    assert (metadata.name, metadata.version) == ("cnnlg", 3)
    assert sorted(metadata.signatures) == sorted(model.signatures)
    seed = metadata.signature("sample").inputs["seed"]
    assert (seed.dtype, seed.shape) == ("DT_INT32", (2,))
    image = metadata.signature("serving_default").inputs["image"]
    assert image.shape == (None, None, None, 3)


def test_dtypes_come_from_the_metadata(connect: Connect, model: Any) -> None:
    _, outputs = model.signatures["find_damage"]
    half = {"image": ("DT_HALF", [-1, -1, -1, 3])}
    model.signatures = {**model.signatures, "find_damage": (half, outputs)}
    damage = connect(model.address).find_damage(np.full((4, 4, 3), 1 / 3))
    assert damage.mask_probability[0, 0, 0] == np.float32(np.float16(1 / 3))


def test_metadata_is_read_once_and_again_after_a_failure(connect: Connect, model: Any) -> None:
    client = connect(model.address)
    image = np.zeros((4, 4, 3))
    client.find_damage(image)
    client.find_damage(image)
    reads = [call for call in model.calls if "etadata" in call]
    assert len(reads) == 1
    fail(model, "INVALID_ARGUMENT")
    with pytest.raises(ServingError):
        client.find_damage(image)
    client.find_damage(image)
    assert len([call for call in model.calls if "etadata" in call]) == 2


def fail(model: Any, code: str, times: int = 1) -> None:
    """The server's next answers are errors."""
    status = {"INVALID_ARGUMENT": 400, "UNAVAILABLE": 503, "RESOURCE_EXHAUSTED": 429}
    for _ in range(times):
        if hasattr(model, "raw"):
            model.raw.append((status[code], b'{"error": "on purpose"}'))
        else:
            model.failures.append((grpc.StatusCode[code], "on purpose"))


def test_unavailable_is_tried_again(connect: Connect, model: Any) -> None:
    fail(model, "UNAVAILABLE", times=3)
    assert connect(model.address).metadata().version == 3
    assert len(model.calls) == 4


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"])
def test_other_errors_are_not_tried_again(connect: Connect, model: Any, code: str) -> None:
    fail(model, code)
    with pytest.raises(ServingError, match=f"answered {code}: on purpose") as caught:
        connect(model.address).status()
    assert caught.value.code == code
    assert len(model.calls) == 1


def test_unknown_model_is_not_found(connect: Connect, model: Any) -> None:
    with pytest.raises(ServingError, match="NOT_FOUND: Servable not found for request") as caught:
        connect(model.address, model="nobody").metadata()
    assert caught.value.code == "NOT_FOUND"


def test_deadline(connect: Connect, model: Any) -> None:
    model.delay = 1.0
    start = time.monotonic()
    with pytest.raises(ServingError, match="DEADLINE_EXCEEDED|gave no answer in") as caught:
        connect(model.address, timeout=0.2).status()
    assert caught.value.code == "DEADLINE_EXCEEDED"
    assert time.monotonic() - start < 0.9


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_nobody_there_is_unavailable(connect: Connect, scheme: str, unused_port: int) -> None:
    client = connect(f"{scheme}localhost:{unused_port}", retry=RetryPolicy(attempts=2))
    with pytest.raises(ServingError, match="UNAVAILABLE|cannot be reached") as caught:
        client.status()
    assert caught.value.code == "UNAVAILABLE"


def test_waits_for_a_server_that_comes_up_late(
    connect: Connect, start_grpc: Callable[..., Any], unused_port: int
) -> None:
    client = connect(f"localhost:{unused_port}", retry=RetryPolicy(attempts=50, max_delay=0.2))
    timer = threading.Timer(0.4, start_grpc, kwargs={"address": f"localhost:{unused_port}"})
    timer.start()
    assert client.metadata().version == 3
    timer.join()


def test_bad_arrays_send_nothing(connect: Connect, model: Any) -> None:
    client = connect(model.address)
    with pytest.raises(ImageError):
        client.repair(np.zeros((4, 4)), np.zeros((4, 4)))
    with pytest.raises(MaskError):
        client.repair(np.zeros((4, 4, 3)), np.zeros((5, 4)))
    assert model.calls == []


def test_bad_arguments(connect: Connect) -> None:
    for server in ("localhost", "localhost:http", ":8500", "ftp://localhost:1", "http://", "http:"):
        with pytest.raises(ServingError, match=f"host:port for gRPC .* Received: '{server}'"):
            connect(server)
    with pytest.raises(ServingError, match="positive number of seconds. Received: 0"):
        connect("localhost:8500", timeout=0)
    connect("unix:/tmp/cnnlg.sock")
    connect("[::1]:8500")


def test_large_messages(connect: Connect, grpc_model: Any) -> None:
    """12 MB each way: three times gRPC's own limit."""
    image, mask = np.zeros((1, 1000, 1000, 3), np.float32), np.zeros((1000, 1000))
    assert connect(grpc_model.address).repair(image, mask).repaired.shape == image.shape
    with pytest.raises(ServingError) as caught:
        connect(grpc_model.address, max_message_bytes=2**20).repair(image, mask)
    assert caught.value.code == "RESOURCE_EXHAUSTED"


def test_grpc_missing(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str) -> Any:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'cnnlg-tf\[client\]'"):
        connect("localhost:8500")


def test_a_client_is_shared_between_threads(model: Any) -> None:
    with Client(model.address, timeout=10) as client, ThreadPoolExecutor(8) as pool:
        images = [np.full((4, 4, 3), i / 32, np.float32) for i in range(32)]
        for image, damage in zip(images, pool.map(client.find_damage, images), strict=True):
            np.testing.assert_array_equal(damage.mask_probability, image[..., :1])


def test_many_requests_in_one_event_loop(model: Any) -> None:
    async def run() -> list[Any]:
        async with AsyncClient(model.address, timeout=10) as client:
            images = [np.full((4, 4, 3), i / 16, np.float32) for i in range(16)]
            return await asyncio.gather(*map(client.find_damage, images))

    for i, damage in enumerate(asyncio.run(run())):
        assert damage.mask_probability[0, 0, 0] == np.float32(i / 16)


def credentials(folder: Path, mutual: bool) -> grpc.ServerCredentials:
    pair = ((folder / "server.key").read_bytes(), (folder / "server.pem").read_bytes())
    root = (folder / "ca.pem").read_bytes() if mutual else None
    return grpc.ssl_server_credentials([pair], root, require_client_auth=mutual)


def test_tls(connect: Connect, start_grpc: Callable[..., Any], certificates: Path) -> None:
    model = start_grpc(credentials(certificates, mutual=False))
    client = connect(model.address, tls=TLS(root_certificates=certificates / "ca.pem"))
    assert client.metadata().version == 3
    stranger = connect(model.address, tls=TLS(), retry=RetryPolicy(attempts=1))
    with pytest.raises(ServingError) as caught:
        stranger.metadata()
    assert caught.value.code == "UNAVAILABLE"


def test_mutual_tls(connect: Connect, start_grpc: Callable[..., Any], certificates: Path) -> None:
    model = start_grpc(credentials(certificates, mutual=True))
    root, pem, key = (certificates / name for name in ("ca.pem", "client.pem", "client.key"))
    assert connect(model.address, tls=TLS(root, pem, key)).metadata().version == 3
    anonymous = connect(model.address, tls=TLS(root), retry=RetryPolicy(attempts=1))
    with pytest.raises(ServingError) as caught:
        anonymous.metadata()
    assert caught.value.code == "UNAVAILABLE"
