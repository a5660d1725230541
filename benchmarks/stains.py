"""Stains: how much better a photo is with them lifted than painted over, where they are marked.

    python benchmarks/stains.py --photos PHOTOS -o docs/old-photos-stains.jpg

Stains of `cnnlg_tf.data.damage` are drawn on `--limit` photos as `benchmarks/blind.py` draws its prints, with other
seeds, and what is damaged is told. Of the prints on which something is lifted: PSNR in dB over the whole picture
against the same print without stains; damaged, painted over, lifted. `--kind` tries other damage, of which little
should be lifted. The picture shows the first prints: damaged, what is lifted (grey) and painted (white), painted over,
lifted, undamaged.
"""

from pathlib import Path

import click
import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from cnnlg_tf.certainty import GROWTH
from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.data.damage import KINDS, DamagedPrint, PrintMaker
from cnnlg_tf.data.photos import list_photos
from cnnlg_tf.evaluation.pictures import draw_grid
from cnnlg_tf.evaluation.prints import draw_print, print_psnr
from cnnlg_tf.inference.holes import grown
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.stains import lift_stains
from cnnlg_tf.inference.windows import Box, bounding_box
from cnnlg_tf.photos import Photo, output_format, write_photo
from cnnlg_tf.startup import start_tensorflow

FIRST_SEED = 2_000_000
SHOWN = 280  # pixels of a picture's side


def pictures(
    shown: DamagedPrint, hole: np.ndarray, left: np.ndarray, painted: np.ndarray, lifted: np.ndarray
) -> dict[str, np.ndarray]:
    """The part around what was lifted, as the columns of a row."""
    box = bounding_box(hole & ~left)
    middle = ((box.top + box.bottom) // 2, (box.left + box.right) // 2)
    half = max(48, int(0.8 * max(box.bottom - box.top, box.right - box.left)))
    part = Box(*middle, *middle).grown(half).clipped(*hole.shape).slices
    parts = np.where(left, 255, np.where(hole, 128, 0)).astype(np.uint8)
    columns = {
        "damaged": shown.damaged,
        "lifted (grey)": np.repeat(parts[..., np.newaxis], 3, axis=-1),
        "painted over": painted,
        "lifted": lifted,
        "undamaged": shown.whole,
    }
    return {
        name: cv2.resize(each[part], (SHOWN, SHOWN), interpolation=cv2.INTER_LINEAR)
        for name, each in columns.items()
    }


@click.command(cls=Command)
@click.option("--photos", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", type=click.Path(), help="Checkpoint folder; default: the shipped model.")
@click.option("--kind", type=click.Choice(KINDS[:-1]), default="stain", show_default=True)
@click.option("--limit", default=60, show_default=True, help="Prints.")
@click.option("--rows", default=5, show_default=True, help="Of the picture.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path))
def main(photos: Path, model: str | None, kind: str, limit: int, rows: int, out: Path) -> None:
    """Print the table, and write a picture of the first prints on which something is lifted."""
    output_format(out)
    start_tensorflow()
    inpainter, maker, found, scores = Inpainter(model), PrintMaker(), list_photos(photos), []
    shown_rows: list[dict[str, np.ndarray]] = []
    for at in range(limit):
        seed = [FIRST_SEED, KINDS.index(kind), at]
        shown = draw_print(found[at % len(found)], maker, kind, seed)
        hole = grown(shown.mask > 0, GROWTH)
        _, left = lift_stains(shown.damaged, hole)
        if np.array_equal(left, hole):
            continue
        painted, lifted = (
            inpainter.repair(shown.damaged, hole, lift=lift).photo for lift in (False, True)
        )
        scores.append([print_psnr(each, shown) for each in (shown.damaged, painted, lifted)])
        if len(shown_rows) < rows:
            shown_rows.append(pictures(shown, hole, left, painted, lifted))
    console = Console()
    if not scores:
        console.print(f"nothing is lifted on {limit} prints")
        return
    table = Table(
        "prints", "lifted on", "damaged dB", "painted over dB", "lifted dB", "worst gain dB"
    )
    means = (f"{mean:.2f}" for mean in np.mean(scores, axis=0))
    worst = min(lifted - painted for _, painted, lifted in scores)
    table.add_row(str(limit), str(len(scores)), *means, f"{worst:.2f}")
    console.print(table)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_photo(out, Photo(np.asarray(draw_grid(shown_rows))))
    click.echo(f"wrote {out}")


if __name__ == "__main__":
    main()
