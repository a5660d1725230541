"""Size, time and memory of `pixels` exports: the table of docs/edge.md.

    python benchmarks/edge.py out/pixels-onnx out/pixels-litert ...

Each file runs in a process of its own on one core. Seconds are of that core's work, not of the clock, so that a machine
that others use gives the same figures.
"""

import multiprocessing
import resource
import time
from pathlib import Path

import click
import numpy as np
from PIL import Image

from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.export import formats, manifest

LAKE = Path(__file__).parents[1] / "cnnlg_tf" / "examples" / "lake.jpg"
SIDES = (256, 512)
RUNS = 3


@click.command(cls=Command)
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
def main(folders: tuple[Path, ...]) -> None:
    """Measure exports that hold `pixels`."""
    print("| file | MB | seconds at 256 px | at 512 px | MB of memory at 512 px |")
    print("|---|--:|--:|--:|--:|")
    spawn = multiprocessing.get_context("spawn")
    for folder in folders:
        described = manifest.verify(folder)
        stems = ("pixels", "model.tflite")
        files = [file for file in folder.iterdir() if file.name.startswith(stems)]
        size = sum(file.stat().st_size for file in files) / 1e6
        sides = [described["shape"][1]] if "shape" in described else SIDES
        cells = {}
        for side in sides:
            with spawn.Pool(1) as pool:
                cells[side] = pool.apply(measure, (folder, described["format"], side))
        seconds = [f"{cells[side][0]:.2f}" if side in cells else "-" for side in SIDES]
        name = f"{described['format']}, {described['precision']}"
        name += f", {'x'.join(map(str, described['shape']))}" if "shape" in described else ""
        print(f"| {name} | {size:.1f} | {' | '.join(seconds)} | {cells[sides[-1]][1]:.0f} |")


def measure(folder: Path, format: str, side: int) -> tuple[float, float]:
    """(seconds of the quickest run, MB of the process at its largest)."""
    repair = formats.find(format).load(folder, threads=1)["pixels"]
    photo = np.asarray(Image.open(LAKE).convert("RGB").resize((side, side)))
    mask = np.zeros((side, side), np.uint8)
    mask[side // 3 : side // 2, side // 3 : side // 2] = 255
    taken = []
    for _ in range(RUNS):
        began = time.process_time()
        repair(image=photo[None], mask=mask[None, ..., None])
        taken.append(time.process_time() - began)
    return min(taken), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
