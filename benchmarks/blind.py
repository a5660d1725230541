"""Blind repair on stamps of real damage: how much of it is found, and what that does for the photo.

    python benchmarks/blind.py --photos PHOTOS --stamps STAMPS -o out/blind.png

A stamp is a grey picture, white = damage, as scanned from film: hairs, dust, stains. It is turned, mirrored and laid
over the photo's centre crop, white on every other photo and black on the others, as opaque as the stamp is there.
Stamps are grouped by their names up to the last `_`. `recall` and `precision` count pixels, with half opacity and more
as damage; PSNR in dB is over the whole picture: damaged, repaired blind, and repaired with the damage (any opacity)
told. Stamps that a training used are left out with --from.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import cv2
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.data.photos import list_photos
from cnnlg_tf.evaluation import metrics
from cnnlg_tf.evaluation.cases import CaseSet
from cnnlg_tf.evaluation.pictures import draw_grid
from cnnlg_tf.startup import start_tensorflow

MARGIN = 1  # pixels around the told damage that are repaired too: stamps end softly
FAINTEST = 0.05  # opacity from which the told damage counts


class Damaged(NamedTuple):
    """kind: the stamp's; image, photo: [n, n, 3] uint8, damaged and whole; opacity: [n, n] in [0, 1]."""

    kind: str
    image: np.ndarray
    photo: np.ndarray
    opacity: np.ndarray


def lay_stamps(photos: Path, stamps: Path, first: int, limit: int, size: int) -> Iterator[Damaged]:
    """Each kind of stamp once on each photo."""
    kinds: dict[str, list[Path]] = defaultdict(list)
    for path in list_photos(stamps):
        number = path.stem.rpartition("_")[2]
        if number.isdigit() and int(number) < first:
            continue
        kinds[path.stem.rpartition("_")[0] or "stamps"].append(path)
    for at, case in enumerate(CaseSet(photos, ("thin",), size, limit)):
        rng = np.random.default_rng(at)
        for kind, paths in sorted(kinds.items()):
            stamp = np.asarray(Image.open(paths[int(rng.integers(len(paths)))]).convert("L"))
            stamp = np.rot90(stamp, int(rng.integers(4)))[:, :: int(rng.choice([1, -1]))]
            opacity = cv2.resize(
                np.ascontiguousarray(stamp), (size, size), interpolation=cv2.INTER_AREA
            )
            opacity = opacity.astype(np.float32) / 255.0
            colour = 240.0 if at % 2 == 0 else 12.0
            image = case.image + opacity[..., None] * (colour - case.image.astype(np.float32))
            yield Damaged(kind, np.rint(image).astype(np.uint8), case.image, opacity)


def measure(inpainter: Any, damaged: Damaged) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Scores of one photo, and its pictures by title."""
    truth = damaged.opacity >= 0.5
    found = inpainter.find_damage(damaged.image)
    blind = inpainter.repair(damaged.image, found).photo if found.any() else damaged.image
    told_hole = cv2.dilate(
        (damaged.opacity >= FAINTEST).astype(np.uint8), np.ones((2 * MARGIN + 1,) * 2, np.uint8)
    )
    told = inpainter.repair(damaged.image, told_hole > 0).photo
    both = float((found & truth).sum())
    scores = {
        "damaged px %": 100.0 * float(truth.mean()),
        "recall": both / max(1, int(truth.sum())),
        "precision": both / max(1, int(found.sum())),
        **{
            name: metrics.psnr(picture / 255.0, damaged.photo / 255.0)
            for name, picture in (
                ("damaged dB", damaged.image),
                ("blind dB", blind),
                ("told dB", told),
            )
        },
    }
    shown = np.repeat((255 * found).astype(np.uint8)[..., None], 3, axis=-1)
    pictures = {"damaged": damaged.image, "found": shown, "repaired blind": blind, "told": told}
    return scores, pictures


@click.command(cls=Command)
@click.option("--photos", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--stamps", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", type=click.Path(), help="Checkpoint folder; default: the shipped model.")
@click.option("--limit", default=20, show_default=True, help="Photos.")
@click.option("--from", "first", default=0, help="Least number at the end of a stamp's name.")
@click.option("--size", default=256, show_default=True, help="Side of the photos' crops in px.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path))
def main(
    photos: Path, stamps: Path, model: str | None, first: int, limit: int, size: int, out: Path
) -> None:
    """Print the table, and write a picture with one photo of each kind of stamp."""
    start_tensorflow()
    from cnnlg_tf.inference.inpainter import Inpainter

    inpainter = Inpainter(model)
    scores: dict[str, list[dict[str, float]]] = defaultdict(list)
    rows: dict[str, dict[str, np.ndarray]] = {}
    for damaged in lay_stamps(photos, stamps, first, limit, size):
        found, pictures = measure(inpainter, damaged)
        scores[damaged.kind].append(found)
        rows.setdefault(damaged.kind, pictures)
    table = Table("stamp", *next(iter(scores.values()))[0], title=f"{limit} photos a stamp")
    for kind, each in scores.items():
        means = [float(np.mean([one[name] for one in each])) for name in each[0]]
        table.add_row(kind, *(f"{mean:.2f}" for mean in means))
    Console().print(table)
    out.parent.mkdir(parents=True, exist_ok=True)
    draw_grid(list(rows.values())).save(out)
    click.echo(f"wrote {out}")


if __name__ == "__main__":
    main()
