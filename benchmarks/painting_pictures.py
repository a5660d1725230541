"""The pictures of docs/painting.md, painted from the package's examples.

python benchmarks/painting_pictures.py -o docs
"""

from pathlib import Path
from typing import Any

import click
import numpy as np

import cnnlg_tf
from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.photos import Photo, read_mask, read_photo, write_photo
from cnnlg_tf.startup import start_tensorflow

EXAMPLES = Path(cnnlg_tf.__file__).parent / "examples"
PAINTING = EXAMPLES / "painting"
GAP = 6  # pixels between panels


@click.command(cls=Command)
@click.option("--model", type=click.Path(), help="Whatever repairs; default: the shipped model.")
@click.option("--only", help="One of the pictures, such as new.")
@click.option("-o", "--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def main(model: str | None, only: str | None, out: Path) -> None:
    """Write painting-extend.jpg, -sketch.jpg, -reference.jpg, -new.jpg and -detail.jpg to a folder."""
    start_tensorflow()
    from cnnlg_tf.inference.inpainter import Inpainter

    inpainter = Inpainter(model)
    for name, paint in (
        ("extend", extend),
        ("sketch", sketch),
        ("reference", reference),
        ("new", new),
        ("detail", detail),
    ):
        if only not in (None, name):
            continue
        path = out / f"painting-{name}.jpg"
        write_photo(path, Photo(side_by_side(paint(inpainter))), quality=88)
        click.echo(f"wrote {path}")


def extend(inpainter: Any) -> list[np.ndarray]:
    """The photo in the middle of its canvas, and the canvas painted."""
    photo = read_photo(PAINTING / "tea.jpg")
    result = inpainter.extend(photo, "left=25%,right=25%")
    shown = np.where(result.mask[..., None], np.uint8(225), result.photo)
    return [shown, result.photo]


def sketch(inpainter: Any) -> list[np.ndarray]:
    """The hole with its sketch, the repair without it, the repair with it."""
    photo, mask = read_photo(EXAMPLES / "lake.jpg").pixels, read_mask(PAINTING / "lake.mask.png")
    drawn = read_photo(PAINTING / "lake.sketch.png")
    shown = with_hole(photo, mask)
    if drawn.alpha is not None:
        shown[drawn.alpha > 0] = 0
    pictures = [shown]
    pictures += [inpainter.repair(photo, mask, sketch=each).photo for each in (None, drawn)]
    return [picture[60:350, 150:] for picture in pictures]


def reference(inpainter: Any) -> list[np.ndarray]:
    """The hole, the other picture, the repair without it, the repair with it."""
    photo, mask = (
        read_photo(PAINTING / "skyline.jpg").pixels,
        read_mask(PAINTING / "skyline.mask.png"),
    )
    other = read_photo(PAINTING / "skyline-other.jpg")
    pictures = [inpainter.repair(photo, mask, reference=each).photo for each in (None, other)]
    return [with_hole(photo, mask), other.pixels[: photo.shape[0]], *pictures]


def new(inpainter: Any) -> list[np.ndarray]:
    """The reference, and three pictures drawn in its manner."""
    manner = read_photo(PAINTING / "waves.jpg")
    drawn = [inpainter.new(256, 256, reference=manner, seed=seed) for seed in (1, 2, 3)]
    return [manner.pixels, *drawn]


def detail(inpainter: Any) -> list[np.ndarray]:
    """A wide hole at detail 0, 1 and 2."""
    photo = read_photo(EXAMPLES / "otters.jpg").pixels
    mask = np.zeros(photo.shape[:2], bool)
    mask[330:450, 150:400] = True
    pictures = [with_hole(photo, mask)]
    pictures += [inpainter.repair(photo, mask, detail=each).photo for each in (0.0, 1.0, 2.0)]
    return [picture[300:480, 120:430] for picture in pictures]


def with_hole(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The photo, light grey where it is missing."""
    return np.where(mask[..., None], np.uint8(225), photo)


def side_by_side(pictures: list[np.ndarray]) -> np.ndarray:
    """All in a row, tops level, white between them."""
    height = max(picture.shape[0] for picture in pictures)
    columns: list[np.ndarray] = []
    for picture in pictures:
        rest = ((0, height - picture.shape[0]), (0, GAP), (0, 0))
        columns.append(np.pad(picture, rest, constant_values=255))
    return np.concatenate(columns, axis=1)[:, :-GAP]


if __name__ == "__main__":
    main()
