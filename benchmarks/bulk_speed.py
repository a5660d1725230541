"""What Ray Data costs: the same folder by `inpaint`'s loop and by `bulk`, with 1, 2, ... workers.

    python benchmarks/bulk_speed.py --photos PHOTOS --mask MASKS [--model out/onnx] [--workers 1 --workers 2]

All get the same cores in all: one network with every core beside N workers with their share. A photo's overhead
is the wall time between a run's first and last photo against that of the loop; the start is told apart.
"""

import tempfile
import time
from functools import lru_cache
from pathlib import Path

import click

from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.errors import CnnlgError


@click.command(cls=Command)
@click.option("--photos", required=True, type=click.Path())
@click.option("--mask", required=True, type=click.Path())
@click.option("--model", type=click.Path(), help="What `inpaint --model` takes.")
@click.option("--workers", type=click.IntRange(1), multiple=True, default=(1, 2), show_default=True)
def main(photos: str, mask: str, model: str | None, workers: tuple[int, ...]) -> None:
    """Print photos/s of the loop and of runs."""
    with tempfile.TemporaryDirectory() as folder:
        loop = _loop(photos, mask, model, Path(folder))
        click.echo(f"{'inpaint':12}{loop:8.3f} photos/s")
        for count in workers:
            speed, start = _bulk(photos, mask, model, Path(folder) / str(count), count)
            overhead = 100 * (loop / speed - 1)
            click.echo(
                f"{f'bulk, {count}':12}{speed:8.3f} photos/s  "
                f"overhead of a photo {overhead:+.1f} %  {start:.1f} s before the first"
            )


def _loop(photos: str, mask: str, model: str | None, folder: Path) -> float:
    """Photos a second after the first, which opens the network."""
    from cnnlg_tf.inference.inpainter import Inpainter
    from cnnlg_tf.inference.jobs import plan_jobs, run_jobs

    ends = []
    opened = lru_cache(maxsize=1)(lambda: Inpainter(model))
    for done in run_jobs(plan_jobs([photos], mask, folder / "loop"), opened):
        if done.error is not None:
            raise done.error
        ends.append(time.perf_counter())
    return _speed(ends)


def _bulk(
    photos: str, mask: str, model: str | None, out: Path, workers: int
) -> tuple[float, float]:
    """Photos a second after each worker's first, and the seconds before the first is done."""
    import pyarrow.parquet as pq

    from cnnlg_tf.bulk.run import run_bulk
    from cnnlg_tf.bulk.worker import Repairing

    began = time.time()
    summary = run_bulk(photos, str(out), Repairing(model), mask=mask, workers=workers)
    if summary.failed:
        raise CnnlgError(f"no photo may fail. Received: {summary.errors[0]}")
    finished = pq.read_table(out / "ledger.parquet", columns=["finished"])["finished"].to_pylist()
    ends = sorted(each.timestamp() for each in finished)
    return _speed(ends, workers), ends[0] - began


def _speed(ends: list[float], first: int = 1) -> float:
    if len(ends) < first + 2:
        raise CnnlgError(
            f"a folder of at least {first + 2} photos is needed. Received: {len(ends)}"
        )
    return (len(ends) - first) / (ends[-1] - ends[first - 1])


if __name__ == "__main__":
    main()
