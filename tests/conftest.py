"""Fixtures that several test folders share. Sizes are tiny: a test costs well under a second."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.config import (
    DamageFinderConfig,
    GradientGuideConfig,
    LatentGuideConfig,
    MergeConfig,
    ModelConfig,
)

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--headless=new",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


CONVERTING = tuple(
    f"tests/export/test_{name}.py"
    for name in ("frozen", "networks", "onnx_model", "openvino_model", "litert_model")
)
"""Files whose tests share the conversions of a whole model: one worker runs them all."""
LONGEST = (*CONVERTING, "tests/training/", "tests/export/", "tests/models/", "tests/bulk/")
"""Begun last, they would keep one of two workers waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    places = {longest: place for place, longest in enumerate(LONGEST)}

    def place(item: pytest.Item) -> int:
        found = (n for start, n in places.items() if item.nodeid.startswith(start))
        return next(found, len(LONGEST))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadfile`, with the files of CONVERTING as one."""
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "converting" if file in CONVERTING else file

    return Files(config, log) if config.getvalue("dist") == "loadfile" else None


def make_photo(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """A smooth photo with a little grain: uint8 [height, width, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    phase = rng.uniform(0, 6.28, 3)
    waves = np.stack([np.sin(x / 9 + p) + np.cos(y / 7 - p) for p in phase], axis=-1)
    grain = rng.normal(0, 4, waves.shape)
    return np.clip(128 + 50 * waves + grain, 0, 255).astype(np.uint8)


def write_checkpoint(folder: Path, model: Any) -> Path:
    """A checkpoint as training writes it, at step 1."""
    from cnnlg_tf.checkpoint import save_checkpoint
    from cnnlg_tf.config_files import dump_config, parse_config

    tree = {
        "data": {"kind": "synthetic"},
        "train": {"phases": [{"name": "p", "kind": "prediction", "steps": 1}]},
        "model": model.config.model_dump(mode="json"),
    }
    return save_checkpoint(folder, model, dump_config(parse_config(tree)), {"step": 1})


def make_mask(height: int = 48, width: int = 64) -> np.ndarray:
    """A box in the middle and a stroke near the left edge: uint8 [height, width], 255 = missing."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 3 : height // 2, width // 3 : width // 2] = 255
    mask[height // 8 : height // 2, width // 8 : width // 8 + 2] = 255
    return mask


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """uint8 [48, 64, 3]."""
    return make_photo()


@pytest.fixture(scope="session")
def mask() -> np.ndarray:
    """uint8 [48, 64], 255 = missing, 0 = known."""
    return make_mask()


@pytest.fixture
def photo_path(tmp_path: Path, photo: np.ndarray) -> Path:
    """A PNG file of `photo`."""
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    return path


@pytest.fixture
def mask_path(tmp_path: Path, mask: np.ndarray) -> Path:
    """A PNG file of `mask`."""
    path = tmp_path / "mask.png"
    Image.fromarray(mask).save(path)
    return path


@pytest.fixture
def photo_folder(tmp_path: Path) -> Callable[..., Path]:
    """photo_folder(count=4, height=48, width=64, name="photos") writes 000.png, 001.png, ..."""

    def make(count: int = 4, height: int = 48, width: int = 64, name: str = "photos") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for i in range(count):
            Image.fromarray(make_photo(height, width, seed=i)).save(folder / f"{i:03d}.png")
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_model_config() -> ModelConfig:
    """Every part of CNNLG at its smallest useful width."""
    return ModelConfig(
        widths=(8, 8, 8, 8),
        blocks=(1, 1, 1, 1),
        latent_channels=4,
        mixtures=2,
        posterior_width=8,
        scan_steps=4,
        latent_guide=LatentGuideConfig(stem_width=8, growth=4, dilations=[1, 2]),
        damage_finder=DamageFinderConfig(widths=(4, 4, 4, 4)),
        gradient_guide=GradientGuideConfig(width=8, layers=1, scan_steps=4),
        merge=MergeConfig(widths=(4, 8), passes=(1, 1, 1, 1), rounds=(1, 1, 1, 1)),
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_model_config: ModelConfig) -> Any:
    """An untrained, built CNNLG with seeded weights, shared: do not train it in place."""
    import keras

    from cnnlg_tf.models.cnnlg import CNNLG

    keras.utils.set_random_seed(0)
    model = CNNLG(tiny_model_config)
    model.repair(np.full((1, 32, 32, 3), 0.5, np.float32), np.zeros((1, 32, 32, 1), np.float32))
    return model


@pytest.fixture(scope="session")
def tiny_network(tiny_model: Any) -> Any:
    """`tiny_model` as a Network, shared: each way to be asked is traced once."""
    from cnnlg_tf.inference.cnnlg_network import CnnlgNetwork

    return CnnlgNetwork(tiny_model)


@pytest.fixture(scope="session")
def plain_model_config(tiny_model_config: ModelConfig) -> ModelConfig:
    """The prior and the latent guide: what is made, traced and converted fastest."""
    off = {
        part: getattr(tiny_model_config, part).model_copy(update={"enabled": False})
        for part in ("gradient_guide", "merge", "damage_finder")
    }
    return tiny_model_config.model_copy(update={"scan_steps": 2, "mixtures": 1, **off})


@pytest.fixture(scope="session")
def untrained(plain_model_config: ModelConfig) -> Any:
    """A CNNLG of `plain_model_config` with seeded weights, shared: do not train it in place."""
    import keras

    from cnnlg_tf.models.cnnlg import CNNLG

    keras.utils.set_random_seed(0)
    return CNNLG(plain_model_config)


@pytest.fixture(scope="session")
def checkpoint(untrained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder of `untrained`. The session shares it."""
    return write_checkpoint(tmp_path_factory.mktemp("model") / "checkpoint-1", untrained)


@pytest.fixture(scope="session")
def stirred(tiny_model_config: Any) -> Any:
    """A model whose kernels that start at zero are random: nothing is the identity any more. Do not train it."""
    import keras

    from cnnlg_tf.models.cnnlg import CNNLG

    keras.utils.set_random_seed(1)
    model = CNNLG(tiny_model_config)
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        if not np.any(variable):
            variable.assign(rng.normal(0, 0.1, variable.shape))
    return model


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser (playwright.sync_api.Browser) for all tests: Playwright starts once in a thread."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra `dev`)")
    if not Path(CHROMIUM).exists():
        pytest.fail(f"a Chromium must be at {CHROMIUM} (or where CHROMIUM says): make test-browser")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()
