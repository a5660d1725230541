"""Pictures of an evaluation: a row for each photo, a column for each method."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cnnlg_tf.evaluation.cases import Case
from cnnlg_tf.evaluation.results import Shown

HOLE_COLOUR = (235, 60, 120)
_GAP = 4
_LINE = 18

Pixels = npt.NDArray[np.uint8]


def with_hole(case: Case) -> Pixels:
    """The photo [height, width, 3] with its hole in one loud colour."""
    return np.where(case.mask[..., None], np.array(HOLE_COLOUR, np.uint8), case.image)


def columns(shown: Shown, titles: Mapping[str, str]) -> dict[str, Pixels]:
    """Title -> picture: the photo, the photo with its hole, then each method."""
    found = {"photo": shown.case.image, "hole": with_hole(shown.case)}
    found.update({titles[method]: shown.repairs[method] for method in titles})
    return found


def draw_grid(rows: Sequence[Mapping[str, Pixels]]) -> Image.Image:
    """One picture of all rows (title -> picture) at their own size, with the titles on top, wrapped to their columns.

    The pictures are squares of one size, and all rows have the first one's titles.
    """
    side = next(iter(rows[0].values())).shape[0]
    font = ImageFont.load_default(14)
    titles = [_wrapped(title, side, font) for title in rows[0]]
    head = _GAP + _LINE * max(len(lines) for lines in titles)
    width = len(rows[0]) * (side + _GAP) + _GAP
    sheet = Image.new("RGB", (width, head + len(rows) * (side + _GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    for j, lines in enumerate(titles):
        for number, line in enumerate(lines):
            at = (_GAP + j * (side + _GAP), 3 + _LINE * number)
            draw.text(at, line, fill="black", font=font)
    for i, row in enumerate(rows):
        for j, pixels in enumerate(row.values()):
            place = (_GAP + j * (side + _GAP), head + i * (side + _GAP))
            sheet.paste(Image.fromarray(pixels), place)
    return sheet


def _wrapped(title: str, width: int, font: Any) -> list[str]:
    """The title in lines of up to `width` pixels, broken between words."""
    lines = [""]
    for word in title.split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
