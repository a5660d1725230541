"""Seeded sketches for training: what a hand would draw of the true photo into its hole."""

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

_LINES, _PAINT = (
    0.8,
    0.45,
)  # shares of sketches with lines, and with painted strokes; at least one of them
_TRIES = 12  # for each painted stroke: one that would cross too much is drawn elsewhere


def draw_sketch(photo: Pixels, hole: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Lines along the edges of a photo and strokes of its colours, inside the hole.

    Lines are found by their contrast, thinned to a pixel, moved by a pixel or two as a hand does, partly left out, and
    1 to 3 px thick. Three in four sketches have grey lines, which say where an edge is; the others' have the photo's
    colours. Painted strokes are short, 3 to 12 px thick, of one colour, and lie where the photo has hardly another.

    Args:
        photo: [height, width, 3].
        hole: [height, width], 1 = missing.
        rng: the same state gives the same sketch.

    Returns:
        (colours [height, width, 3], strokes [height, width], 1 = drawn); both are 0 elsewhere.
    """
    colours = np.zeros_like(photo)
    strokes = np.zeros(hole.shape, np.uint8)
    lines, paint = rng.random() < _LINES, rng.random() < _PAINT
    if lines or not paint:
        drawn = _lines(photo, rng)
        if rng.random() < 0.25:
            colours[drawn] = photo[drawn]
        else:
            colours[drawn] = rng.choice([0, 255, int(rng.integers(256))], p=[0.5, 0.25, 0.25])
        strokes[drawn] = 1
    if paint:
        _paint(colours, strokes, photo, hole, rng)
    strokes &= hole
    return colours * strokes[..., np.newaxis], strokes


def _lines(photo: Pixels, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Where lines are drawn: bool [height, width]."""
    height, width = photo.shape[:2]
    grey = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (0, 0), rng.uniform(0.8, 2.5))
    across, down = (cv2.Sobel(grey, cv2.CV_32F, dx, 1 - dx) for dx in (1, 0))
    strong = float(np.quantile(np.abs(across) + np.abs(down), rng.uniform(0.8, 0.95)))
    strong = max(strong, 24.0)  # grain of plain surfaces is no edge
    edges = cv2.Canny(grey, 0.5 * strong, strong)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(edges, connectivity=8)
    drop = rng.random(len(stats)) < rng.uniform(0.0, 0.6)
    drop |= stats[:, cv2.CC_STAT_AREA] < max(6, min(height, width) // 16)
    drop[0] = True
    drawn = (~drop[labels]).astype(np.uint8)
    gaps = rng.random((height // 16 + 1, width // 16 + 1)) < rng.uniform(0.0, 0.25)
    drawn[np.kron(gaps, np.ones((16, 16), bool))[:height, :width]] = 0
    drawn = _moved(drawn, rng.choice([0.0, 1.0, 2.0]), rng)
    thickness = int(rng.integers(1, 4))
    return np.asarray(cv2.dilate(drawn, np.ones((thickness, thickness), np.uint8)) > 0)


def _moved(drawn: Pixels, most: float, rng: np.random.Generator) -> Pixels:
    """Shifted smoothly, here more and there less, by about `most` pixels."""
    height, width = drawn.shape
    coarse = rng.normal(0.0, 0.5 * most, (height // 16 + 2, width // 16 + 2, 2)).astype(np.float32)
    shift = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    moved = cv2.remap(drawn, x + shift[..., 0], y + shift[..., 1], cv2.INTER_NEAREST)
    return np.asarray(moved, np.uint8)


def _paint(
    colours: Pixels, strokes: Pixels, photo: Pixels, hole: Pixels, rng: np.random.Generator
) -> None:
    """Draw one to four strokes of one colour each into `colours` and `strokes`, beginning in the hole."""
    missing = np.flatnonzero(hole)
    if not missing.size:
        return
    height, width = hole.shape
    for _ in range(rng.integers(1, 5)):
        for _ in range(_TRIES):
            y, x = divmod(int(missing[rng.integers(missing.size)]), width)
            angle, length = (
                rng.uniform(0.0, 2.0 * np.pi),
                rng.uniform(4.0, 0.3 * min(height, width)),
            )
            end = (round(x + length * np.cos(angle)), round(y + length * np.sin(angle)))
            stroke = np.zeros_like(strokes)
            cv2.line(stroke, (x, y), end, 1, int(rng.integers(3, 13)))
            inside = (stroke & hole).astype(bool)
            under = photo[inside].astype(np.float32)
            if under.size and under.std(axis=0).max() < 28.0:
                colours[inside] = np.rint(under.mean(axis=0))
                strokes[inside] = 1
                break
