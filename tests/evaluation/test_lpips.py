"""LPIPS against a plain numpy AlexNet, and against the official figures where they are at hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from cnnlg_tf.errors import CheckpointError, ImageError
from cnnlg_tf.evaluation.lpips import Lpips

SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture(scope="module")
def lpips() -> Lpips:
    return Lpips()


def _pair(side: int = 35) -> tuple[np.ndarray, np.ndarray]:
    """A smooth picture and a noisy copy: [1, side, side, 3] in [0, 1]."""
    y, x = np.mgrid[0:side, 0:side] / side
    image = np.stack([x, y, 0.5 + 0.5 * np.sin(9 * x * y)], axis=-1)
    noise = np.random.default_rng(1).normal(0, 0.1, image.shape)
    return image[None], np.clip(image + noise, 0, 1)[None]


def test_equals_a_plain_numpy_alexnet(lpips: Lpips) -> None:
    """Written from the network's description, in float64, with none of the library's code."""
    from importlib import resources

    with np.load(str(resources.files("cnnlg_tf.weights") / "lpips_alexnet.npz")) as arrays:
        weights = {name: arrays[name].astype(np.float64) for name in arrays.files}

    def convolve(x: np.ndarray, i: int) -> np.ndarray:
        kernel, stride, pad = weights[f"conv{i}_kernel"], *((4, 2), (1, 2), (1, 1))[min(i, 3) - 1]
        x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(0, 1))
        windows = windows[::stride, ::stride]  # [h, w, c, kh, kw]
        total = np.einsum("hwcij,ijco->hwo", windows, kernel, optimize=True)
        return np.maximum(total + weights[f"conv{i}_bias"], 0)

    def pool(x: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(0, 1))[::2, ::2]
        return windows.max(axis=(-2, -1))

    def features(x: np.ndarray) -> list[np.ndarray]:
        x = (2 * x - 1 - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]
        found = []
        for i in range(1, 6):
            x = convolve(pool(x) if i in (2, 3) else x, i)
            found.append(x / np.linalg.norm(x, axis=-1, keepdims=True).clip(1e-10))
        return found

    first, second = _pair()
    expected = sum(
        ((a - b) ** 2 @ weights[f"head{i}"]).mean()
        for i, (a, b) in enumerate(zip(features(first[0]), features(second[0]), strict=True), 1)
    )
    assert lpips(first, second)[0] == pytest.approx(expected, abs=1e-5)
    assert 0.05 < expected < 2


def test_batches_do_not_mix(lpips: Lpips) -> None:
    first, second = _pair()
    both = lpips(np.concatenate([first, first]), np.concatenate([second, first]))
    assert both.shape == (2,)
    assert both[0] == pytest.approx(lpips(first, second)[0], abs=1e-6)
    assert both[1] == 0.0


@pytest.mark.skipif(
    not (SHARED / "weights" / "lpips_check.json").is_file(),
    reason="the official figures and their photos are not beside this checkout",
)
@pytest.mark.parametrize(
    ("weights", "tolerance"),
    [(SHARED / "weights" / "lpips_alexnet.npz", 1e-4), (None, 2e-4)],
    ids=["float32", "shipped float16"],
)
def test_official_figures(weights: Path | None, tolerance: float) -> None:
    measure = Lpips(weights)
    for pair in json.loads((SHARED / "weights" / "lpips_check.json").read_text())["pairs"]:
        with Image.open(SHARED / pair["photo"]) as opened:
            photo = opened.convert("RGB")
        if pair["change"] == "255 - image":
            changed = 255 - np.asarray(photo)
        else:
            radius = int(pair["change"].rstrip(")").rpartition("(")[2])
            changed = np.asarray(photo.filter(ImageFilter.BoxBlur(radius)))
        found = measure(np.asarray(photo)[None] / 255.0, changed[None] / 255.0)[0]
        assert found == pytest.approx(pair["lpips"], abs=tolerance), pair


def test_errors(lpips: Lpips, tmp_path: Path) -> None:
    image = np.zeros((1, 32, 32, 3))
    with pytest.raises(ImageError, match=r"of the same size.*reference.shape=\(1, 32, 33, 3\)"):
        lpips(image, np.zeros((1, 32, 33, 3)))
    with pytest.raises(ImageError, match="LPIPS needs images of at least 31x31"):
        lpips(image[:, :30], image[:, :30])
    with pytest.raises(CheckpointError, match="LPIPS weights .* cannot be read"):
        Lpips(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", conv1_kernel=np.zeros(3))
    with pytest.raises(CheckpointError, match="conv1_bias"):
        Lpips(tmp_path / "other.npz")
