"""Time and peak memory of repairs of large photos, and how they grow with hole and photo.

    python benchmarks/large_photo.py [--model FOLDER | --untrained] [--out FILE.json]

Each case runs in a process of its own, so that its peak memory (resident set, with TensorFlow and
the network) is its own. Files count: the photo is read from JPEG and written as PNG. `first` is the
first repair after start, with the graph's tracing; `again` is the next one, and `cpu` the processor
time of that one over all threads, which a busy machine does not change much. Untrained weights cost
what trained ones do.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from cnnlg_tf.cli.reporting import Command

SIZES = {12: (3000, 4000), 24: (4000, 6000), 3: (1500, 2000), 6: (2000, 3000)}
LIMITS = {"12 MP, 2 % hole, one blob": (10.0, 3.0), "12 MP, 2 % hole, strokes": (10.0, 3.0)}
CASES: dict[str, tuple[int, str, float]] = {  # megapixels, kind of hole, hole in pixels
    "12 MP, 2 % hole, one blob": (12, "blob", 0.02 * 12e6),
    "12 MP, 2 % hole, strokes": (12, "strokes", 0.02 * 12e6),
    **{f"12 MP, {n} boxes of 100 x 100": (12, "boxes", n * 1e4) for n in (4, 8, 16, 32)},
    **{f"{mp} MP, 8 boxes of 100 x 100": (mp, "boxes", 8e4) for mp in (3, 6, 24)},
    "24 MP, 2 % hole, one blob": (24, "blob", 0.02 * 24e6),
    "24 MP, half missing": (24, "blob", 12e6),
}


def make_photo(height: int, width: int) -> Any:
    """Noise of every size, from 512 px clouds to grain: uint8 [height, width, 3]."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(0)
    photo = np.full((height, width, 3), 128, np.float32)
    for step in (512, 128, 32, 8, 2):
        cells = rng.normal(0, 18, (height // step + 2, width // step + 2, 3)).astype(np.float32)
        photo += cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(photo, 0, 255).astype(np.uint8)


def make_mask(height: int, width: int, kind: str, area: float) -> Any:
    """uint8 [height, width], 255 = missing, about `area` pixels."""
    import cv2
    import numpy as np

    mask = np.zeros((height, width), np.uint8)
    if kind == "blob":
        side = int(area**0.5)
        top, left = (height - min(side, height)) // 2, (width - min(side, width)) // 2
        mask[top : top + side, left : left + side] = 255
    elif kind == "strokes":
        rng = np.random.default_rng(0)
        while np.count_nonzero(mask) < area:
            ends = rng.integers(0, [width, height], (2, 2))
            middle = ends.mean(axis=0)
            ends = (middle + 0.3 * (ends - middle)).astype(int)
            cv2.line(mask, ends[0].tolist(), ends[1].tolist(), 255, int(rng.integers(6, 40)))
    else:
        columns = max(1, round((area / 1e4 * width / height) ** 0.5))
        for i in range(round(area / 1e4)):
            y, x = divmod(i, columns)
            top = 60 + y * (height - 160) // -(-round(area / 1e4) // columns)
            left = 60 + x * (width - 160) // columns
            mask[top : top + 100, left : left + 100] = 255
    return mask


def run_case(name: str, model: str | None, untrained: bool, threads: int) -> dict[str, float]:
    import numpy as np
    from PIL import Image

    from cnnlg_tf.startup import start_tensorflow

    start_tensorflow(optimised=False)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import cv2

    cv2.setNumThreads(threads)
    from cnnlg_tf.inference.inpainter import Inpainter
    from cnnlg_tf.models.cnnlg import CNNLG

    megapixels, kind, area = CASES[name]
    height, width = SIZES[megapixels]
    inpainter = Inpainter(CNNLG() if untrained else model)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / file for file in ("photo.jpg", "mask.png", "out.png")]
        mask = make_mask(height, width, kind, area)
        Image.fromarray(make_photo(height, width)).save(paths[0], quality=95)
        Image.fromarray(mask).save(paths[1])
        seconds = []
        for _ in range(2):
            start, cpu_start = time.perf_counter(), time.process_time()
            inpainter.repair_file(*paths)
            seconds.append(time.perf_counter() - start)
            cpu = time.process_time() - cpu_start
    return {
        "hole_pixels": int(np.count_nonzero(mask)),
        "first_s": round(seconds[0], 2),
        "again_s": round(seconds[1], 2),
        "cpu_s": round(cpu, 2),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


@click.command(cls=Command)
@click.option("--model", help="Checkpoint folder; default: the shipped model.")
@click.option("--untrained", is_flag=True, help="Default architecture, no weights.")
@click.option("--threads", default=2, show_default=True)
@click.option("--only", default="", help="Run the cases whose name holds this.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the figures as JSON.")
@click.option("--case", type=click.Choice(list(CASES)), hidden=True)
def main(
    model: str | None, untrained: bool, threads: int, only: str, out: Path | None, case: str | None
) -> None:
    """Measure each case in a process of its own; exits 1 where one misses its limit."""
    if case:
        click.echo(json.dumps(run_case(case, model, untrained, threads)))
        return
    figures: dict[str, dict[str, float]] = {}
    failed = False
    click.echo(
        f"{'case':<32}{'hole px':>10}{'first s':>9}{'again s':>9}{'cpu s':>8}{'peak GiB':>10}"
    )
    for name in CASES:
        if only not in name:
            continue
        command = [sys.executable, __file__, *sys.argv[1:], "--case", name]
        process = subprocess.run(command, capture_output=True, text=True)
        if process.returncode:
            reason = process.stderr.strip().rpartition("\n")[2].removeprefix("Error: ")
            raise click.ClickException(f"{name}: {reason}")
        row = figures[name] = json.loads(process.stdout.splitlines()[-1])
        note = ""
        if name in LIMITS:
            seconds, gib = LIMITS[name]
            held = row["first_s"] <= seconds and row["peak_gib"] <= gib
            note = f"  {'holds' if held else 'MISSES'} {seconds:.0f} s, {gib:.0f} GiB"
            failed |= not held
        click.echo(
            f"{name:<32}{row['hole_pixels']:>10}{row['first_s']:>9.2f}{row['again_s']:>9.2f}"
            f"{row['cpu_s']:>8.2f}{row['peak_gib']:>10.2f}{note}"
        )
    if out:
        from cnnlg_tf.files import atomic_path

        with atomic_path(out) as temporary:
            temporary.write_text(json.dumps({"threads": threads, "cases": figures}, indent=1))
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
