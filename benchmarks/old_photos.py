"""The old photos of the README: drawn damage on the package's examples, what was found of it, and the repair.

    python benchmarks/old_photos.py -o docs/old-photos.jpg

One row a photo: damaged, found (red), repaired. The damage is drawn by `cnnlg_tf.data.damage` with a fixed seed.
"""

from pathlib import Path

import click
import cv2
import numpy as np

from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.data.damage import PrintMaker
from cnnlg_tf.evaluation.pictures import draw_grid
from cnnlg_tf.inference.damage import overlay
from cnnlg_tf.photos import Photo, output_format, read_photo, write_photo
from cnnlg_tf.startup import start_tensorflow

EXAMPLES = Path(__file__).parents[1] / "cnnlg_tf" / "examples"
SIDE = 384  # pixels of the centre square that is shown
PRINTS = {  # example: seed, kinds of damage
    "lake": (7, ("crack", "fold", "dust", "torn")),
    "otters": (2, ("scratch", "hair", "stain", "crack")),
    "wren": (2, ("fold", "blot", "dust", "tear")),
}


@click.command(cls=Command)
@click.option("--model", type=click.Path(), help="Checkpoint folder; default: the shipped model.")
@click.option("--example", multiple=True, type=click.Choice(list(PRINTS)), help="Default: all.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path))
def main(model: str | None, example: tuple[str, ...], out: Path) -> None:
    """Write the picture, and tell what was found."""
    output_format(out)
    start_tensorflow()
    from cnnlg_tf.inference.inpainter import Inpainter

    inpainter, rows = Inpainter(model), []
    for name in example or PRINTS:
        seed, kinds = PRINTS[name]
        photo = read_photo(EXAMPLES / f"{name}.jpg").on_white()
        top, left = ((side - min(photo.shape[:2])) // 2 for side in photo.shape[:2])
        side = min(photo.shape[:2])
        square = photo[top : top + side, left : left + side]
        square = cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        shown = PrintMaker().photo(square, np.random.default_rng(seed), kinds)
        repair = inpainter.repair(shown.damaged)
        rows.append(
            {
                "damaged": shown.damaged,
                "found": overlay(shown.damaged, repair.mask),
                "repaired": repair.photo,
            }
        )
        click.echo(f"{name}: {repair.damage}; {100 * (shown.mask == 1).mean():.1f} % were drawn")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_photo(out, Photo(np.asarray(draw_grid(rows))))
    click.echo(f"wrote {out}")


if __name__ == "__main__":
    main()
