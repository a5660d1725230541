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


def test_the_shipped_model_is_small() -> None:
    assert cnnlg_tf.load().count_params() <= 8_000_000
    assert (SHIPPED / WEIGHTS).stat().st_size <= 16 * 2**20


if __name__ == "__main__":
    loaded = Inpainter()
    print(json.dumps({name: round(measure(loaded, name), 3) for name in CASES}, indent=1))
