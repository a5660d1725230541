"""The picture at the top of the README: each example photo with its hole, and the shipped model's repair.

python benchmarks/before_after.py -o docs/before-after.jpg
"""

from pathlib import Path

import click
import numpy as np
from PIL import Image

import cnnlg_tf
from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.photos import Photo, output_format, read_mask, read_photo, write_photo
from cnnlg_tf.startup import start_tensorflow

EXAMPLES = Path(cnnlg_tf.__file__).parent / "examples"
SIDE = 320  # pixels of a panel


@click.command(cls=Command)
@click.option("--model", type=click.Path(), help="Checkpoint folder; default: the shipped model.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path))
def main(model: str | None, out: Path) -> None:
    """Two rows: holes in magenta above, repairs below."""
    output_format(out)
    start_tensorflow()
    from cnnlg_tf.inference.inpainter import Inpainter

    inpainter = Inpainter(model)
    names = sorted(path.stem for path in EXAMPLES.glob("*.jpg"))
    sheet = Image.new("RGB", (SIDE * len(names), 2 * SIDE))
    for column, name in enumerate(names):
        photo = read_photo(EXAMPLES / f"{name}.jpg").pixels
        mask = read_mask(EXAMPLES / f"{name}.mask.png")
        holed = np.where(mask[..., None], np.uint8([255, 0, 255]), photo)
        for row, picture in enumerate((holed, inpainter.repair(photo, mask).photo)):
            panel = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(panel, (column * SIDE, row * SIDE))
    write_photo(out, Photo(np.asarray(sheet)), quality=90)
    click.echo(f"wrote {out}")


if __name__ == "__main__":
    main()
