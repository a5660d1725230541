"""Pictures of an evaluation: a row for each photo, a column for each method."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cnnlg_tf.evaluation.cases import Case
from cnnlg_tf.evaluation.results import Shown

HOLE_COLOUR = (235, 60, 120)
_GAP = 4
_HEAD = 22

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
    """One picture of all rows (title -> picture) at their own size, with the titles on top.

    The pictures are squares of one size, and all rows have the first one's titles.
    """
    side = next(iter(rows[0].values())).shape[0]
    width = len(rows[0]) * (side + _GAP) + _GAP
    sheet = Image.new("RGB", (width, _HEAD + len(rows) * (side + _GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for j, title in enumerate(rows[0]):
        draw.text((_GAP + j * (side + _GAP), 3), title, fill="black", font=font)
    for i, row in enumerate(rows):
        for j, pixels in enumerate(row.values()):
            place = (_GAP + j * (side + _GAP), _HEAD + i * (side + _GAP))
            sheet.paste(Image.fromarray(pixels), place)
    return sheet
