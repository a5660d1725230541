"""The shipped model does not get worse: three small repairs against recorded hole PSNRs.

After shipping other weights on purpose, record anew: `python tests/test_shipped_model.py > tests/shipped_model.json`.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import cnnlg_tf
from cnnlg_tf.checkpoint import SHIPPED, WEIGHTS
from cnnlg_tf.data.masks import draw_mask
from cnnlg_tf.evaluation.metrics import hole_psnr
from cnnlg_tf.inference.inpainter import Inpainter

EXAMPLES = Path(cnnlg_tf.__file__).parent / "examples"
RECORDED = Path(__file__).with_suffix("").with_name("shipped_model.json")
CASES = {"lake": "thin", "otters": "medium", "wren": "box"}
SLACK = 0.2  # dB


def measure(inpainter: Inpainter, name: str) -> float:
    """Hole PSNR of the example at 128 px with a seeded mask, in dB."""
    photo = cv2.cvtColor(cv2.imread(str(EXAMPLES / f"{name}.jpg")), cv2.COLOR_BGR2RGB)
    photo = cv2.resize(photo, (128, 128), interpolation=cv2.INTER_AREA)
    mask = draw_mask(CASES[name], 128, 128, np.random.default_rng(7)).astype(bool)
    damaged = np.where(mask[..., None], np.uint8(0), photo)
    repaired = inpainter.repair(damaged, mask).photo
    return hole_psnr(repaired / 255.0, photo / 255.0, mask)


@pytest.fixture(scope="module")
def inpainter() -> Inpainter:
    return Inpainter()


@pytest.mark.parametrize("name", CASES)
def test_repairs_are_as_good_as_recorded(inpainter: Inpainter, name: str) -> None:
    recorded = json.loads(RECORDED.read_text())[name]
    assert measure(inpainter, name) >= recorded - SLACK


def gradients(inpainter: Inpainter, photo: np.ndarray, mask: np.ndarray) -> list[float]:
    """The mean gradient in the hole at detail 0, 0.5, 1, 1.5 and 2."""
    found = []
    for detail in (0.0, 0.5, 1.0, 1.5, 2.0):
        repaired = inpainter.repair(photo, mask, detail=detail).photo.astype(np.float32)
        across, down = (np.abs(np.diff(repaired, axis=axis)).sum(axis=-1) for axis in (1, 0))
        found.append(float(across[mask[:, 1:]].mean() + down[mask[1:]].mean()))
    return found


def crops(count: int, side: int) -> list[np.ndarray]:
    """Squares of the examples, `count` in all, 20 at most."""
    files = [EXAMPLES / f"{name}.jpg" for name in CASES]
    files += sorted((EXAMPLES / "painting").glob("*.jpg"))
    corners = ((0, 0), (1, 1), (0, 1), (1, 0))
    taken = []
    for y, x in corners:
        for file in files:
            photo = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
            top, left = y * (photo.shape[0] - side), x * (photo.shape[1] - side)
            taken.append(photo[top : top + side, left : left + side])
    return taken[:count]


@pytest.mark.parametrize("count", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_the_gradient_in_the_hole_grows_with_detail(inpainter: Inpainter, count: int) -> None:
    """On each photo, at every step."""
    mask = np.zeros((128, 128), bool)
    mask[32:96, 32:96] = True
    found = np.array([gradients(inpainter, photo, mask) for photo in crops(count, 128)])
    assert len(found) == count
    assert (np.diff(found, axis=1) > 0.0).all(), found


def test_the_shipped_model_is_small() -> None:
    assert cnnlg_tf.load().count_params() <= 8_000_000
    assert (SHIPPED / WEIGHTS).stat().st_size <= 16 * 2**20


if __name__ == "__main__":
    loaded = Inpainter()
    print(json.dumps({name: round(measure(loaded, name), 3) for name in CASES}, indent=1))
