import numpy as np
import pytest

from cnnlg_tf.models.pixels import beyond_frame


@pytest.mark.parametrize(
    ("missing", "beyond"),
    [
        ("......", "......"),
        ("##....", "##...."),  # nothing known on the left, above or below
        ("..##..", "......"),
        ("##..##", "##..##"),
        ("######", "######"),
    ],
)
def test_what_lies_between_no_known_pixels_is_beyond(missing: str, beyond: str) -> None:
    row, wanted = (np.array([c == "#" for c in each], np.float32) for each in (missing, beyond))
    for axes in ((1, 2), (2, 1)):  # across and down
        mask = np.moveaxis(np.tile(row, [2, 4, 1])[..., None], (1, 2), axes)
        expected = np.moveaxis(np.tile(wanted, [2, 4, 1])[..., None], (1, 2), axes)
        np.testing.assert_array_equal(beyond_frame(mask), expected)


def test_a_stroke_off_the_frame_is_between_its_sides_and_a_missing_corner_is_beyond() -> None:
    mask = np.zeros((1, 8, 8, 1), np.float32)
    mask[:, :5, 5] = 1.0
    assert not np.any(beyond_frame(mask))
    mask[:, :3, 5:] = 1.0
    expected = np.zeros_like(mask)
    expected[:, :3, 5:] = 1.0
    np.testing.assert_array_equal(beyond_frame(mask), expected)
