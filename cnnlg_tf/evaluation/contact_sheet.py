"""Contact sheets: several pictures of one thing, those that differ most from the others first."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cnnlg_tf.evaluation.lpips import MINIMUM_SIDE, Lpips

Pixels = npt.NDArray[np.uint8]

_COMPARED_SIDE = 256  # pixels; larger pictures are shrunk to be compared
_SHOWN_SIDE = 320  # pixels; and to this on the sheet
_GAP, _FOOT = 6, 20


def diversity(pictures: Sequence[Pixels]) -> npt.NDArray[np.float64]:
    """The mean LPIPS of each picture to the others: [n] uint8 [h, w, 3] of one size -> [n]; 0 for a single one."""
    count = len(pictures)
    distances = np.zeros((count, count))
    lpips = Lpips() if count > 1 else None
    small = [
        _resized(picture, _COMPARED_SIDE, MINIMUM_SIDE) / np.float32(255.0) for picture in pictures
    ]
    for i in range(count - 1):
        others = np.stack(small[i + 1 :])
        if lpips is not None:
            found = lpips(np.repeat(small[i][None], len(others), axis=0), others)
            distances[i, i + 1 :] = distances[i + 1 :, i] = found
    mean: npt.NDArray[np.float64] = distances.sum(axis=1) / max(1, count - 1)
    return mean


def contact_sheet(pictures: Sequence[Pixels], names: Sequence[str]) -> Pixels:
    """All pictures in rows, the one that differs most from the others first, each with its name and that distance."""
    distances = diversity(pictures)
    shown = [_resized(picture, _SHOWN_SIDE, 1) for picture in pictures]
    height, width = shown[0].shape[:2]
    columns = int(np.ceil(np.sqrt(len(shown) * height / width)))
    columns = min(max(columns, 1), len(shown))
    rows = -(-len(shown) // columns)
    size = (_GAP + columns * (width + _GAP), _GAP + rows * (height + _FOOT + _GAP))
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for place, index in enumerate(np.argsort(-distances, kind="stable")):
        row, column = divmod(place, columns)
        x, y = _GAP + column * (width + _GAP), _GAP + row * (height + _FOOT + _GAP)
        sheet.paste(Image.fromarray(shown[index]), (x, y))
        text = f"{names[index]}   LPIPS to the others {distances[index]:.3f}"
        draw.text((x, y + height + 2), text, fill="black", font=font)
    return np.asarray(sheet)


def _resized(picture: Pixels, longest: int, shortest: int) -> Pixels:
    """Shrunk to a longest side, or enlarged to a shortest one."""
    height, width = picture.shape[:2]
    factor = max(min(1.0, longest / max(height, width)), shortest / min(height, width))
    if factor == 1.0:
        return picture
    size = (max(shortest, round(width * factor)), max(shortest, round(height * factor)))
    how = cv2.INTER_AREA if factor < 1.0 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
