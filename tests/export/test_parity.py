import numpy as np
import pytest

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export import cases, parity

IMAGE, MASK = cases.drawn_case(1, 96, 128)
UNCERTAINTY = np.zeros_like(MASK)
CASE = cases.Case(
    "serving_default",
    {"image": IMAGE, "mask": MASK},
    {"repaired": IMAGE, "uncertainty": UNCERTAINTY},
)


def compare(repaired: np.ndarray, uncertainty: np.ndarray = UNCERTAINTY) -> parity.Difference:
    return parity.compare(CASE, {"repaired": repaired, "uncertainty": uncertainty})


def test_figures_are_those_of_a_known_error() -> None:
    found = compare(IMAGE + 0.01 * MASK, UNCERTAINTY + 0.5 * MASK)
    assert found.max_abs == pytest.approx(0.01, rel=1e-4)
    assert found.mean_abs == pytest.approx(0.01 * MASK.mean(), rel=1e-4)
    assert found.hole_psnr == pytest.approx(40.0, abs=0.01)
    assert found.uncertainty_max_abs == pytest.approx(0.5)
    assert found.known_exact


def test_equal_results_meet_every_bar() -> None:
    found = compare(IMAGE)
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
    found = compare(np.where(MASK > 0.5, IMAGE + np.float32(error), IMAGE))
    assert found.loss(precision) == text


def test_a_texture_taken_from_elsewhere_in_places_meets_the_bar_of_float32() -> None:
    hole = np.argwhere(MASK[0, ..., 0] > 0.5)
    for share, gap, met in ((0.005, 0.1, True), (0.02, 0.01, False), (0.009, 0.9, False)):
        received = IMAGE.copy()
        for row, column in hole[: round(share * len(hole))]:
            received[0, row, column] += gap
        found = compare(received)
        assert (found.loss("fp32") is None) == met, found


def test_changed_known_pixels_are_told() -> None:
    found = compare(IMAGE + 1e-7)
    assert str(found.loss("int8")).startswith("known pixels must come back bit for bit")


def test_worst_keeps_what_is_not_a_number() -> None:
    good = parity.Difference(0.0, 0.0, 1.0, 200.0, 0.0, True)
    bad = parity.Difference(float("nan"), 0.0, 1.0, float("nan"), 0.0, True)
    assert np.isnan(parity.worst([good, bad]).max_abs) and np.isnan(
        parity.worst([bad, good]).hole_psnr
    )


def test_maps_without_a_hole_are_compared_whole() -> None:
    expected = {"mask_probability": MASK, "mask": MASK}
    case = cases.Case("find_damage", {"image": IMAGE}, expected)
    assert parity.compare(case, expected).loss("fp32") is None
    found = parity.compare(case, {"mask_probability": MASK * 0.9, "mask": MASK})
    assert found.known_exact and found.hole_near == pytest.approx(1.0 - MASK.mean(), abs=1e-6)
    assert found.hole_psnr == pytest.approx(20.0 - 10.0 * np.log10(MASK.mean()), abs=0.01)


def test_check_refuses_loss_of_any_signature_unless_allowed() -> None:
    def grey(image: np.ndarray, mask: np.ndarray, **_: np.ndarray) -> dict[str, np.ndarray]:
        filled = np.where(mask > 0.5, np.float32(0.9), image)
        return {"repaired": filled, "uncertainty": UNCERTAINTY}

    def right(**_: np.ndarray) -> dict[str, np.ndarray]:
        return CASE.expected

    refined = cases.Case(
        "refine", cases.arguments("refine", IMAGE, MASK), {"repaired": CASE.expected["repaired"]}
    )
    with pytest.raises(
        ExportError, match="refine of the export does not give the .* pixels: int8 must reach 32 dB"
    ):
        parity.check([CASE, refined], {"serving_default": right, "refine": grey}, "int8")
    loaded = {"serving_default": grey, "refine": right}
    figures = parity.check([CASE, refined], loaded, "int8", allow_loss=True)
    assert {name: f["meets_bar"] for name, f in figures.items()} == {
        "serving_default": False,
        "refine": True,
    }


def test_holes_leave_something_known() -> None:
    for seed in range(20):
        mask = cases.hole_for(32, 48, seed)
        assert 0 < mask.mean() < 0.5 and set(np.unique(mask)) == {0.0, 1.0}
