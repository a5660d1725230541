"""How much samples differ: repairs of one hole drawn with different seeds.

    python benchmarks/samples.py --photos PHOTOS [--model FOLDER ...] [--samples 4] [--limit 10] [--size 256]

For each model and kind of hole the mean LPIPS between two samples at temperature 1, over the whole picture, beside that
between a sample and the photo; and the mean absolute difference of two samples in the hole, of 255.
"""

from itertools import combinations
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Column, Table

from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.config import MaskKind
from cnnlg_tf.evaluation.cases import CaseSet
from cnnlg_tf.startup import start_tensorflow

KINDS: tuple[MaskKind, ...] = ("medium", "wide", "box")


@click.command(cls=Command)
@click.option("--photos", required=True, type=click.Path(exists=True))
@click.option(
    "--model", "models", multiple=True, help="Checkpoint; repeat. Default: the shipped model."
)
@click.option("--samples", default=4, show_default=True)
@click.option("--limit", default=10, show_default=True, help="Photos.")
@click.option("--size", default=256, show_default=True)
@click.option("--temperature", default=1.0, show_default=True)
def main(
    photos: str, models: tuple[str, ...], samples: int, limit: int, size: int, temperature: float
) -> None:
    """Print a table with a line for each model and kind of hole."""
    start_tensorflow()
    from cnnlg_tf.evaluation.lpips import Lpips
    from cnnlg_tf.inference.inpainter import Inpainter

    lpips, model = Lpips(), Column("model", overflow="fold")
    table = Table(model, "hole", "between samples", "to the photo", "difference in the hole")
    for name in models or (None,):
        inpainter = Inpainter(name)
        for kind in KINDS:
            between, to_photo, steps = [], [], []
            for case in CaseSet(Path(photos), (kind,), size, limit):
                repair = inpainter.repair(
                    case.damaged, case.mask, samples=samples, temperature=temperature
                )
                drawn = [sample / np.float32(255) for sample in repair.samples]
                first, second = (np.stack(x) for x in zip(*combinations(drawn, 2), strict=True))
                between.append(lpips(first, second).mean())
                to_photo.append(
                    lpips(
                        np.stack(drawn), np.stack([case.image / np.float32(255)] * samples)
                    ).mean()
                )
                steps.append(255.0 * np.abs(first - second)[:, case.mask].mean())
            table.add_row(
                name or "shipped",
                kind,
                *(f"{np.mean(x):.4f}" for x in (between, to_photo)),
                f"{np.mean(steps):.1f}",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
