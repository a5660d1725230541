"""The sheet of pictures: what stands where."""

import numpy as np
import pytest
from PIL import ImageFont

from cnnlg_tf.evaluation import pictures


def test_titles_stay_within_their_columns() -> None:
    """A long one is wrapped, and the pictures begin below the longest."""
    names = ["photo", "adamw, silu, L1 + perceptual, exact", "unbreakable" * 3]
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    row = {
        name: np.full((80, 80, 3), colour, np.uint8)
        for name, colour in zip(names, colours, strict=True)
    }
    sheet = np.array(pictures.draw_grid([row, row]))
    height, width = sheet.shape[:2]
    assert width == 3 * 84 + 4
    head = height - 2 * 84
    assert head > 22, "more than one line"
    for number, colour in enumerate(colours):
        left = 4 + 84 * number
        assert (sheet[head : head + 80, left : left + 80] == colour).all()
    dark = (sheet[:head, : 4 + 84 * 2] < 128).all(-1)
    assert dark[:, 88:].any() and not dark[:, 84:88].any(), "no word reaches the next column"


@pytest.mark.parametrize("title", ["photo", "a b", "", "one two three four five six"])
def test_wrapping_keeps_all_words(title: str) -> None:
    font = ImageFont.load_default(14)
    lines = pictures._wrapped(title, 60, font)
    assert " ".join(lines) == title
    assert all(font.getlength(line) <= 60 for line in lines)
