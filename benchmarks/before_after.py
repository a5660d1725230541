"""The picture at the top of the README: each example photo with its hole, and the shipped model's repair.

python benchmarks/before_after.py -o docs/before-after.jpg
"""

from pathlib import Path

import click
import numpy as np
from PIL import Image

import cnnlg_tf
from cnnlg_tf.startup import start_tensorflow

EXAMPLES = Path(cnnlg_tf.__file__).parent / "examples"
SIDE = 320  # pixels of a panel


@click.command()
@click.option("--model", type=click.Path(), help="Checkpoint folder; default: the shipped model.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path))
def main(model: str | None, out: Path) -> None:
    """Two rows: holes in magenta above, repairs below."""
    start_tensorflow()
    from cnnlg_tf.inference.inpainter import Inpainter

    inpainter = Inpainter(model)
    names = sorted(path.stem for path in EXAMPLES.glob("*.jpg"))
    sheet = Image.new("RGB", (SIDE * len(names), 2 * SIDE))
    for column, name in enumerate(names):
        photo = np.asarray(Image.open(EXAMPLES / f"{name}.jpg").convert("RGB"))
        mask = np.asarray(Image.open(EXAMPLES / f"{name}.mask.png").convert("L")) >= 128
        holed = np.where(mask[..., None], np.uint8([255, 0, 255]), photo)
        for row, picture in enumerate((holed, inpainter.repair(photo, mask).photo)):
            panel = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(panel, (column * SIDE, row * SIDE))
    sheet.save(out, quality=90)
    click.echo(f"wrote {out}")


if __name__ == "__main__":
    main()
