"""What painting is worth: outpainting beside PatchMatch, sketches of the true edges, references of the same scene.

    python benchmarks/painting.py --photos PHOTOS [--limit 40] [--size 256] [--only outpainting]

Prints tables in Markdown. Outpainting: a fifth of the photo is cut off one side, which the rest grows back by 25 %;
LPIPS of the whole, FFD of the new part at 1/4, 1/8 and 1/16. Sketch: the photo's own edges, black, in wide holes.
Reference: the uncropped photo, and that in another crop, scale and light; PSNR in a box.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.startup import start_tensorflow

PARTS = ("outpainting", "sketch", "reference")
Pixels = np.ndarray


@click.command(cls=Command)
@click.option("--photos", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", type=click.Path(), help="Whatever repairs; default: the shipped model.")
@click.option("--limit", default=40, show_default=True)
@click.option("--size", default=256, show_default=True, help="Side of the squares cut, px.")
@click.option("--only", type=click.Choice(PARTS), help="One of the parts.")
def main(photos: Path, model: str | None, limit: int, size: int, only: str | None) -> None:
    """Measure each part on the same photos."""
    start_tensorflow()
    from cnnlg_tf.evaluation.cases import CaseSet
    from cnnlg_tf.inference.inpainter import Inpainter

    inpainter = Inpainter(model)
    cases = CaseSet(photos, ["wide"], size, limit)
    for part in PARTS if only is None else (only,):
        MEASURES[part](inpainter, cases)


def outpainting(inpainter: Any, cases: Any) -> None:
    """25 % on one side, turned from photo to photo."""
    from cnnlg_tf.evaluation.ffd import PhotoFeatures, frechet_distance, hole_moments
    from cnnlg_tf.evaluation.lpips import Lpips
    from cnnlg_tf.evaluation.peers import load_peers

    peers, missing = load_peers(["patchmatch"])
    for reason in missing.values():
        click.echo(f"without PatchMatch: {reason}", err=True)
    lpips, features = Lpips(), PhotoFeatures()
    distances: dict[str, list[float]] = {}
    moments: dict[str, Any] = {}

    def add(name: str, painted: Pixels, case: Any, hole: Pixels) -> None:
        image, true = (x[None] / np.float32(255.0) for x in (painted, case.image))
        distances.setdefault(name, []).append(float(lpips(image, true)[0]))
        found = hole_moments(features, image[0], hole)
        before = moments.get(name)
        moments[name] = (
            found if before is None else [a + b for a, b in zip(before, found, strict=True)]
        )

    for number, case in enumerate(cases):
        side = ("left", "top", "right", "bottom")[number % 4]
        strip = case.image.shape[0] // 5
        hole = np.zeros(case.image.shape[:2], bool)
        {
            "left": hole[:, :strip],
            "top": hole[:strip],
            "right": hole[:, -strip:],
            "bottom": hole[-strip:],
        }[side][...] = True
        rows, columns = np.flatnonzero(~hole.all(axis=1)), np.flatnonzero(~hole.all(axis=0))
        rest = case.image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        add("true", case.image, case, hole)
        add("cnnlg-tf", inpainter.extend(rest, f"{side}={strip}").photo, case, hole)
        for peer in peers:
            add(
                peer.title,
                peer.repair(np.where(hole[..., None], np.uint8(0), case.image), hole),
                case,
                hole,
            )
    click.echo(f"{len(cases)} photos, 25 % on one side; lower is better\n")
    click.echo("| | LPIPS | FFD 1/4, 1/8, 1/16 |\n|---|--:|--:|")
    for name in distances:
        if name != "true":
            scales = (
                frechet_distance(a, b) for a, b in zip(moments[name], moments["true"], strict=True)
            )
            ffd = ", ".join(f"{each:.3f}" for each in scales)
            click.echo(f"| {name} | {np.mean(distances[name]):.4f} | {ffd} |")


def sketch(inpainter: Any, cases: Any) -> None:
    """Wide holes with the true edges drawn, and without."""
    from cnnlg_tf.evaluation.lpips import Lpips

    lpips = Lpips()
    distances, ratios = [], []
    for case in cases:
        grey = cv2.GaussianBlur(cv2.cvtColor(case.image, cv2.COLOR_RGB2GRAY), (0, 0), 1.5)
        lines = (cv2.Canny(grey, 40, 80) > 0) & case.mask
        if not lines.any():
            continue
        layer = np.zeros((*lines.shape, 4), np.uint8)
        layer[..., 3] = 255 * lines
        pair = [
            inpainter.repair(case.image, case.mask, sketch=each).photo for each in (None, layer)
        ]
        true = case.image[None] / np.float32(255.0)
        distances.append([float(lpips(x[None] / np.float32(255.0), true)[0]) for x in pair])
        ratios.append([along_to_beside(x, lines, case.mask) for x in (*pair, case.image)])
    without, drawn = np.mean(distances, axis=0)
    click.echo(f"{len(distances)} wide holes with the true edges drawn\n")
    click.echo("| | LPIPS | gradient along the strokes to beside them |\n|---|--:|--:|")
    ratio = np.nanmean(ratios, axis=0)
    click.echo(f"| without a sketch | {without:.4f} | {ratio[0]:.2f} |")
    click.echo(f"| with | {drawn:.4f} ({100 * (drawn / without - 1):+.1f} %) | {ratio[1]:.2f} |")
    click.echo(f"| the photo | 0 | {ratio[2]:.2f} |")


def along_to_beside(image: Pixels, lines: Pixels, hole: Pixels) -> float:
    """The mean gradient within 1 px of the lines, divided by that 3 and 4 px away; NaN where there is no such place."""
    values = image.astype(np.float32)
    steps = [
        np.abs(np.diff(values, axis=axis, append=values.take([-1], axis))).sum(-1)
        for axis in (0, 1)
    ]

    def wider(pixels: int) -> Pixels:
        kernel = np.ones((2 * pixels + 1,) * 2, np.uint8)
        return np.asarray(cv2.dilate(lines.astype(np.uint8), kernel) > 0)

    along, beside = wider(1) & hole, wider(4) & ~wider(2) & hole
    gradient = steps[0] + steps[1]
    return float(gradient[along].mean() / gradient[beside].mean()) if beside.any() else float("nan")


def reference(inpainter: Any, cases: Any) -> None:
    """A box whose content stands in another picture."""
    found: dict[str, list[float]] = {}
    for case in cases:
        side = case.image.shape[0]
        low, high = side // 8, side - side // 16
        photo = np.ascontiguousarray(case.image[low:high, low:high])
        hole = np.zeros(photo.shape[:2], bool)
        hole[side // 4 : side // 2, side // 4 : side // 2] = True
        for name, picture in references(case.image):
            repaired = inpainter.repair(photo, hole, reference=picture).photo
            error = np.square(repaired[hole].astype(float) - photo[hole]).mean()
            found.setdefault(name, []).append(float(10 * np.log10(255.0**2 / max(error, 0.1))))
    click.echo("PSNR in a box, dB\n\n| reference | mean | least |\n|---|--:|--:|")
    for name, values in found.items():
        click.echo(f"| {name} | {np.mean(values):.1f} | {np.min(values):.1f} |")


def references(image: Pixels) -> Iterator[tuple[str, Pixels | None]]:
    """None; the same pixels shifted; the scene in another crop, scale and light."""
    yield "none", None
    yield "the same pixels, shifted", image
    side = image.shape[0]
    cut = image[side // 20 :, : side - side // 30]
    other = cv2.resize(cut, None, fx=0.85, fy=0.85, interpolation=cv2.INTER_AREA)
    lit = 255.0 * (other / 255.0) ** 1.1 * np.array([0.95, 0.9, 0.8]) + 8.0
    yield "the scene in another crop, scale and light", np.clip(lit, 0, 255).astype(np.uint8)


MEASURES: dict[str, Callable[[Any, Any], None]] = {
    "outpainting": outpainting,
    "sketch": sketch,
    "reference": reference,
}


if __name__ == "__main__":
    main()
