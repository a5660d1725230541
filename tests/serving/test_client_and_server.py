"""The client, the embedded server and the compose deployment's own configuration, together."""

import asyncio
import io
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from cnnlg_tf.cli import main
from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving import AsyncClient, Client
from cnnlg_tf.serving.deploy.deployment import TEMPLATES, write_deployment
from tests.campaigns.harness import add_manifest
from tests.serving.servers import Server, failure, free_port, predict_request, running_server


def save_model(folder: Path) -> None:
    """A SavedModel with the product's signatures that fills holes with 0.5."""
    import tensorflow as tf

    image = tf.TensorSpec([None, None, None, 3], tf.float32, "image")
    plane = tf.TensorSpec([None, None, None, 1], tf.float32, "mask")
    strings = [tf.TensorSpec([None], tf.string, f"{name}_bytes") for name in ("image", "mask")]

    @tf.function(input_signature=[image, plane], autograph=False)
    def serving_default(image: Any, mask: Any) -> Any:
        return {"repaired": image * (1 - mask) + 0.5 * mask, "uncertainty": mask / 4}

    @tf.function(input_signature=strings, autograph=False)
    def inpaint_bytes(image_bytes: Any, mask_bytes: Any) -> Any:
        def one(pair: Any) -> Any:
            photo, mask = tf.io.decode_png(pair[0], 3), tf.io.decode_png(pair[1], 1)
            return tf.io.encode_png(tf.where(mask > 127, tf.cast(128, tf.uint8), photo))

        spec = tf.TensorSpec([], tf.string)
        pair = (image_bytes, mask_bytes)
        return {"repaired_bytes": tf.map_fn(one, pair, fn_output_signature=spec)}

    seed, temperature = tf.TensorSpec([2], tf.int32, "seed"), tf.TensorSpec([], name="temperature")

    @tf.function(input_signature=[image, plane, seed, temperature], autograph=False)
    def sample(image: Any, mask: Any, seed: Any, temperature: Any) -> Any:
        noise = tf.random.stateless_uniform(tf.shape(image), seed)
        return {"repaired": image * (1 - mask) + temperature * noise * mask}

    functions = {f.name: f for f in (serving_default, inpaint_bytes, sample)}
    tf.saved_model.save(tf.Module(), str(folder), signatures=functions)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The embedded server with the flags and files that `deploy --target compose` writes."""
    folder = tmp_path_factory.mktemp("deployed")
    save_model(folder / "export" / "1")
    add_manifest(folder / "export" / "1", "serving_default", "inpaint_bytes", "sample")
    out = folder / "compose"
    write_deployment("compose", folder / "export", out)
    models = out / "config/models.config"
    models.write_text(models.read_text().replace('"/models', f'"{out}/models'))
    flags = yaml.safe_load((out / "compose.yaml").read_text())["services"]["serving"]
    here = [flag.replace("=/config", f"={out}/config") for flag in flags["command"]]
    with running_server(folder / "log", *here) as server:
        yield server


@pytest.fixture(params=["grpc", "rest"])
def address(request: pytest.FixtureRequest, deployed: Server) -> str:
    rest = f"http://localhost:{deployed.rest_port}"
    return rest if request.param == "rest" else f"localhost:{deployed.port}"


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def test_health_check_of_compose(deployed: Server) -> None:
    compose = yaml.safe_load((TEMPLATES / "compose/compose.yaml").read_text())
    _, *shell, script = compose["services"]["serving"]["healthcheck"]["test"]
    here = script.replace("/8501", f"/{deployed.rest_port}")
    assert subprocess.run([*shell, here], timeout=30).returncode == 0
    for broken in (here.replace("cnnlg", "nobody"), script.replace("8501", str(free_port()))):
        done = subprocess.run([*shell, broken], timeout=30, capture_output=True)
        assert done.returncode != 0


def test_every_signature(address: str, photo: np.ndarray, mask: np.ndarray) -> None:
    image, hole = photo / np.float32(255), mask > 0
    with Client(address) as client:
        repaired, uncertainty = client.repair(photo, mask)
        np.testing.assert_array_equal(repaired[~hole], image[~hole], strict=True)
        np.testing.assert_array_equal(repaired[hole], np.float32(0.5))
        np.testing.assert_array_equal(uncertainty[..., 0], np.float32(hole) / 4, strict=True)

        reply = Image.open(io.BytesIO(client.repair_bytes(png(photo), png(mask))))
        np.testing.assert_array_equal(np.asarray(reply), np.where(hole[..., None], 128, photo))

        first, again, other = (client.sample(image, hole, seed) for seed in (2**40, 2**40, 7))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)
        np.testing.assert_array_equal(first[~hole], image[~hole])

        assert [(item.version, item.state, item.code) for item in client.status()] == [
            (1, "AVAILABLE", "OK")
        ]
        metadata = client.metadata()
        assert (metadata.name, metadata.version) == ("cnnlg", 1)
        assert sorted(metadata.signatures) == ["inpaint_bytes", "sample", "serving_default"]
        with pytest.raises(ServingError, match="has the signatures .* Received: 'find_damage'"):
            client.find_damage(image)


@pytest.mark.parametrize("value", [255.0, float("nan")])
def test_values_out_of_range_are_refused_on_every_route(deployed: Server, value: float) -> None:
    """gRPC, REST columns and rows; in the hole any value is missing."""
    image = np.full((1, 4, 5, 3), 0.5, np.float32)
    mask = np.zeros((1, 4, 5, 1), np.float32)
    image[:, 1] = value
    what = "15 NaN" if np.isnan(value) else "from 255 to 255"
    told = f"Received: 15 of 60 values outside, {what}"
    told = f"input image must lie in [0, 1] where it is known. {told}"
    more: dict[str, Any] = {"seed": np.int32([1, 2]), "temperature": np.float32(1)}
    for signature, others in (("serving_default", {}), ("sample", more)):
        inputs = {"image": image, "mask": mask, **others}
        request = predict_request("cnnlg", signature, **inputs)
        assert failure(deployed.predictions.Predict, request) == ("INVALID_ARGUMENT", told)
        columns = {name: array.tolist() for name, array in inputs.items()}
        document = {"signature_name": signature, "inputs": columns}
        assert deployed.rest("/v1/models/cnnlg:predict", document) == (400, {"error": told})
    rows = {"instances": [{"image": image[0].tolist(), "mask": mask[0].tolist()}]}
    assert deployed.rest("/v1/models/cnnlg:predict", rows) == (400, {"error": told})
    mask[:, 1] = 1.0
    request = predict_request("cnnlg", image=image, mask=mask)
    assert deployed.predictions.Predict(request, 60).outputs["repaired"].dtype


def test_both_interfaces_give_the_same_pixels(deployed: Server, photo: np.ndarray) -> None:
    mask = np.ones(photo.shape[:2], bool)
    with (
        Client(f"localhost:{deployed.port}") as grpc,
        Client(f"http://localhost:{deployed.rest_port}") as rest,
    ):
        np.testing.assert_array_equal(grpc.sample(photo, mask, 3), rest.sample(photo, mask, 3))


def test_versions_and_labels(address: str) -> None:
    with Client(address, version=1) as client:
        assert client.metadata().version == 1
    for missing in ({"version": 9}, {"label": "canary"}, {"model": "nobody"}):
        with Client(address, **missing) as client, pytest.raises(ServingError) as caught:
            client.metadata()
        assert caught.value.code in ("NOT_FOUND", "FAILED_PRECONDITION", "INVALID_ARGUMENT")


def test_concurrent_requests(address: str) -> None:
    async def run() -> list[Any]:
        images = [np.full((8, 8, 3), i / 16, np.float32) for i in range(16)]
        async with AsyncClient(address) as client:
            return await asyncio.gather(*(client.repair(i, np.zeros((8, 8))) for i in images))

    for i, reply in enumerate(asyncio.run(run())):
        np.testing.assert_array_equal(reply.repaired, np.float32(i / 16))


def test_request_command(address: str, photo_path: Path, mask_path: Path) -> None:
    out = photo_path.with_name("out.png")
    arguments = [str(photo_path), "--mask", str(mask_path), "-o", str(out), "--server", address]
    result = CliRunner().invoke(main, ["request", *arguments])
    assert (result.exit_code, result.output) == (0, f"wrote {out}\n")
    assert out.exists()
