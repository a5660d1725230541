from typing import Any

import numpy as np
import pytest

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export import cases, parity


def case() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    image, mask = cases.drawn_case(1, 96, 128)
    return image, mask, np.zeros_like(mask)


def test_figures_are_those_of_a_known_error() -> None:
    image, mask, uncertainty = case()
    expected = (image, uncertainty)
    received = (image + 0.01 * mask, uncertainty + 0.5 * mask)
    found = parity.compare(expected, received, image, mask)
    assert found.max_abs == pytest.approx(0.01, rel=1e-4)
    assert found.mean_abs == pytest.approx(0.01 * mask.mean(), rel=1e-4)
    assert found.hole_psnr == pytest.approx(40.0, abs=0.01)
    assert found.uncertainty_max_abs == pytest.approx(0.5)
    assert found.known_exact


def test_equal_results_meet_every_bar() -> None:
    image, mask, uncertainty = case()
    found = parity.compare((image, uncertainty), (image, uncertainty), image, mask)
    assert found.hole_psnr == 200.0
    assert all(found.loss(precision) is None for precision in ("fp32", "fp16", "int8"))


@pytest.mark.parametrize(
    ("precision", "error", "text"),
    [
        (
            "fp32",
            0.002,
            "fp32 must have 99% of the hole's values within 0.001 of full scale. "
            "Received: 0.0%, the furthest 0.002 away",
        ),
        ("fp16", 0.02, "fp16 must reach 38 dB in the hole. Received: 34.0 dB"),
        ("int8", 0.1, "int8 must reach 32 dB in the hole. Received: 20.0 dB"),
        (
            "fp32",
            np.nan,
            "fp32 must have 99% of the hole's values within 0.001 of full scale. "
            "Received: 0.0%, the furthest nan away",
        ),
        ("int8", np.nan, "int8 must reach 32 dB in the hole. Received: nan dB"),
    ],
)
def test_missed_bars_are_told(precision: str, error: float, text: str) -> None:
    image, mask, uncertainty = case()
    received = np.where(mask > 0.5, image + np.float32(error), image)
    found = parity.compare((image, uncertainty), (received, uncertainty), image, mask)
    assert found.loss(precision) == text


def test_a_texture_taken_from_elsewhere_in_places_meets_the_bar_of_float32() -> None:
    image, mask, uncertainty = case()
    hole = np.argwhere(mask[0, ..., 0] > 0.5)
    for share, gap, met in ((0.005, 0.1, True), (0.02, 0.01, False), (0.009, 0.9, False)):
        received = image.copy()
        for row, column in hole[: round(share * len(hole))]:
            received[0, row, column] += gap
        found = parity.compare((image, uncertainty), (received, uncertainty), image, mask)
        assert (found.loss("fp32") is None) == met, found


def test_changed_known_pixels_are_told() -> None:
    image, mask, uncertainty = case()
    found = parity.compare((image, uncertainty), (image + 1e-7, uncertainty), image, mask)
    assert str(found.loss("int8")).startswith("known pixels must come back bit for bit")


def test_worst_keeps_what_is_not_a_number() -> None:
    good = parity.Difference(0.0, 0.0, 1.0, 200.0, 0.0, True)
    bad = parity.Difference(float("nan"), 0.0, 1.0, float("nan"), 0.0, True)
    assert np.isnan(parity.worst([good, bad]).max_abs) and np.isnan(
        parity.worst([bad, good]).hole_psnr
    )


def test_check_refuses_loss_unless_allowed(model: Any) -> None:
    def grey(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.where(mask > 0.5, np.float32(0.9), image), np.zeros_like(mask)

    shapes = ((1, 32, 32),)
    with pytest.raises(
        ExportError, match="does not give the model's pixels: int8 must reach 32 dB"
    ):
        parity.check(model, grey, "int8", shapes=shapes)
    assert not parity.check(model, grey, "int8", shapes=shapes, allow_loss=True)["meets_bar"]


def test_holes_leave_something_known() -> None:
    for seed in range(20):
        mask = cases.hole_for(32, 48, seed)
        assert 0 < mask.mean() < 0.5 and set(np.unique(mask)) == {0.0, 1.0}
