"""A photo repaired by a server: file to file, by the command and in Python."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cnnlg_tf.cli import main
from cnnlg_tf.errors import ConfigError, ImageError, MaskError
from cnnlg_tf.export.signatures import SIGNATURES, Functions
from cnnlg_tf.inference.damage import marked
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.serving import Client
from cnnlg_tf.serving.client.metadata import Metadata, Signature
from cnnlg_tf.serving.client.network import ServerNetwork


class Local:
    """A client whose server is a model in this process."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.signatures = dict.fromkeys(("serving_default", "refine"), Signature({}, {}))
        self.calls: list[tuple[Any, ...]] = []

    def metadata(self) -> Metadata:
        return Metadata("cnnlg", 1, self.signatures)

    def predict(self, inputs: dict[str, np.ndarray], signature: str) -> dict[str, np.ndarray]:
        self.calls.append((signature, *inputs["mask"].shape[1:3]))
        results = SIGNATURES[signature].compute(Functions(self.model), **inputs)
        return {name: value.numpy() for name, value in results.items()}


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, ["request", *map(str, arguments)])


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_command_over_grpc(
    grpc_model: Any, photo_path: Path, mask_path: Path, photo: np.ndarray, mask: np.ndarray
) -> None:
    out = photo_path.with_name("out.png")
    result = run(photo_path, "--mask", mask_path, "-o", out, "--server", grpc_model.address)
    assert (result.exit_code, result.output) == (0, f"wrote {out}\n")
    np.testing.assert_array_equal(pixels(out), np.where(mask[..., None] > 0, 128, photo))


def test_command_over_rest(rest_model: Any, photo_path: Path, mask_path: Path) -> None:
    out = photo_path.with_name("out.png")
    server = rest_model.address.removeprefix("http://")
    arguments = [photo_path, "--mask", mask_path, "-o", out]
    assert run(*arguments, "--rest", "--server", server).exit_code == 0
    out.unlink()
    assert run(*arguments, "--server", rest_model.address, "--timeout", 9).exit_code == 0
    assert out.exists()


def test_command_errors_leave_no_file(
    grpc_model: Any, photo_path: Path, mask_path: Path, unused_port: int
) -> None:
    out = photo_path.with_name("out.png")
    arguments = [photo_path, "--mask", mask_path, "-o", out, "--server"]
    result = run(*arguments, grpc_model.address, "--model-name", "nobody")
    assert result.exit_code == 1
    assert "Error: " in result.output and "NOT_FOUND: Servable not found" in result.output
    result = run(*arguments, f"localhost:{unused_port}", "--timeout", 0.3)
    assert result.exit_code == 1
    assert "UNAVAILABLE" in result.output or "DEADLINE_EXCEEDED" in result.output
    assert run(photo_path, "-o", out).exit_code == 2
    assert list(photo_path.parent.glob("*out*")) == []


@pytest.fixture
def client(grpc_model: Any) -> Any:
    with Client(grpc_model.address, timeout=10) as client:
        yield client


def test_16_bit_photos_stay_16_bit(
    client: Client, tmp_path: Path, mask_path: Path, mask: np.ndarray
) -> None:
    deep = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 21
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Inpainter(ServerNetwork(client)).repair_file(
        tmp_path / "deep.png", mask_path, tmp_path / "out.png"
    )
    np.testing.assert_array_equal(pixels(tmp_path / "out.png"), np.where(mask > 0, 32768, deep))


def test_alpha_stays(client: Client, tmp_path: Path, photo: np.ndarray, mask_path: Path) -> None:
    alpha = np.full((48, 64, 1), 77, np.uint8)
    Image.fromarray(np.concatenate([photo, alpha], -1)).save(tmp_path / "alpha.png")
    Inpainter(ServerNetwork(client)).repair_file(
        tmp_path / "alpha.png", mask_path, tmp_path / "out.png"
    )
    np.testing.assert_array_equal(pixels(tmp_path / "out.png")[..., 3:], alpha)


@pytest.mark.parametrize(
    ("size", "box", "calls"),
    [
        (
            (300, 320),
            110,
            [("serving_default", 150, 160), ("refine", 300, 320)],
        ),
        ((560, 600), 30, [("serving_default", 128, 128)]),
    ],
    ids=["thick", "large"],
)
def test_steps_are_those_of_a_local_repair(
    tiny_model: Any,
    tiny_network: Any,
    tmp_path: Path,
    size: tuple[int, int],
    box: int,
    calls: list[tuple[Any, ...]],
) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    mask = np.zeros(size, bool)
    mask[100 : 100 + box, 90 : 90 + box] = True
    Image.fromarray(photo).save(tmp_path / "photo.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    client: Any = Local(tiny_model)
    Inpainter(ServerNetwork(client)).repair_file(
        tmp_path / "photo.png", tmp_path / "mask.png", tmp_path / "out.png"
    )
    assert client.calls == calls
    local = Inpainter(tiny_network).repair(photo, mask).photo
    difference = np.abs(pixels(tmp_path / "out.png").astype(int) - local)
    assert np.mean(difference[mask] <= 1) > 0.99 and not difference[~mask].any()


def test_mask_of_another_size(client: Client, tmp_path: Path, photo_path: Path) -> None:
    Image.new("L", (10, 10)).save(tmp_path / "small.png")
    with pytest.raises(
        MaskError, match=r"like the photo \(48, 64\). Received: mask.shape=\(10, 10\)"
    ):
        Inpainter(ServerNetwork(client)).repair_file(
            photo_path, tmp_path / "small.png", tmp_path / "out.png"
        )


def test_output_name_is_checked_before_anything_is_sent(
    client: Client, grpc_model: Any, photo_path: Path, mask_path: Path
) -> None:
    with pytest.raises(ImageError, match="must end in one of"):
        Inpainter(ServerNetwork(client)).repair_file(photo_path, mask_path, "out.doc")
    assert grpc_model.calls == ["GetModelMetadata"]


def test_samples_and_damage_are_the_server_s(
    client: Client, photo: np.ndarray, mask: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlg_tf.inference.damage.ENLARGED", 0)  # the photo as it is alone
    inpainter = Inpainter(ServerNetwork(client))
    (sample,) = inpainter.repair(photo, mask, samples=1, seed=3).samples
    filled = sample[mask > 0] / 255 * 16
    assert np.allclose(filled, np.rint(filled[0, 0]), atol=0.1)  # the server fills by the seed
    found = inpainter.find_damage(photo, sensitivity=0.9)
    np.testing.assert_allclose(found.probability, (photo / 255).mean(-1), atol=1e-6)
    assert np.array_equal(found.mask, marked(found.probability, 0.9)) and found.mask.any()


def test_what_the_server_does_not_serve_is_told(
    tiny_model: Any, photo: np.ndarray, mask: np.ndarray
) -> None:
    client: Any = Local(tiny_model)
    inpainter = Inpainter(ServerNetwork(client))
    for options, what in (({"detail": 0.5}, "detail than 1"), ({"samples": 1}, "samples")):
        with pytest.raises(ConfigError, match=f"{what} must be among what the network can do"):
            inpainter.repair(photo, mask, **options)
    with pytest.raises(
        ConfigError, match="finding damage .* which can do a repair of lower resolution to go by"
    ):
        inpainter.repair(photo)
    assert client.calls == []
