"""What a bulk run takes, simulated: stragglers, workers that die, the end when blocks run out, and what it costs.

    python benchmarks/bulk_plan.py --ledger OUT/ledger.parquet --photos 1000000 --workers 64 [--worker-hours 24]

Seconds a photo are drawn from a ledger that `cnnlg-tf bulk` wrote on the machine in question; without one, from a
log-normal distribution of `--seconds` and `--spread`. One worker is one network, as `--workers` of the command.
"""

import heapq
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from cnnlg_tf.bulk.progress import duration
from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.errors import DataError

_EXACT = (
    2**20
)  # seconds drawn one by one; more photos than this are drawn from as many, again and again


@dataclass(frozen=True)
class Fleet:
    """Who works.

    Attributes:
        workers: networks open at once.
        start: seconds until a worker's network is open, at first and after a death.
        lifetime: mean seconds until a worker dies (a spot machine that is taken back, say); inf: never.
        slow_share: of the workers, who take `slow_factor` times as long.
    """

    workers: int
    start: float
    lifetime: float
    slow_share: float
    slow_factor: float


@dataclass(frozen=True)
class Outcome:
    """What a simulated run took.

    Attributes:
        seconds: from the start to the last photo.
        ideal: if all workers were equal, immortal and busy to the end.
        tail: seconds from the first worker without work to the end.
        redone: photos that were done again after deaths.
        deaths: of workers.
    """

    seconds: float
    ideal: float
    tail: float
    redone: float
    deaths: int


def simulate(seconds: np.ndarray, photos: int, rows: int, fleet: Fleet, seed: int) -> Outcome:
    """Hand blocks of `rows` photos to whoever is free; a death loses what its block had done.

    Args:
        seconds: [n] what photos took; they are drawn from these.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.choice(seconds, min(photos, _EXACT))
    blocks = -(-photos // rows)
    lengths = np.full(blocks, rows)
    lengths[-1] = photos - rows * (blocks - 1)
    sums = np.concatenate([[0.0], np.cumsum(drawn)])
    # a stretch of the drawn photos from a random place on
    first = rng.integers(0, max(1, len(drawn) - rows + 1), blocks)
    work = sums[np.minimum(first + lengths, len(drawn))] - sums[first]
    if blocks * rows <= len(drawn) + rows:  # few enough that each photo is its own draw
        work = np.add.reduceat(drawn, np.arange(0, photos, rows))
    factors = np.where(rng.random(fleet.workers) < fleet.slow_share, fleet.slow_factor, 1.0)
    free = [(fleet.start, worker) for worker in range(fleet.workers)]
    heapq.heapify(free)
    ends = fleet.start + rng.exponential(1.0, fleet.workers) * fleet.lifetime
    redone, deaths = 0.0, 0
    finished = np.full(fleet.workers, fleet.start)
    for block in range(blocks):
        while True:
            now, worker = heapq.heappop(free)
            needed = work[block] * factors[worker]
            if now + needed <= ends[worker]:
                break
            redone += rows * max(0.0, ends[worker] - now) / needed
            deaths += 1
            back = max(now, ends[worker]) + fleet.start
            ends[worker] = back + rng.exponential(1.0) * fleet.lifetime
            heapq.heappush(free, (back, worker))
        finished[worker] = now + needed
        heapq.heappush(free, (now + needed, worker))
    ideal = float(work.sum()) / fleet.workers
    return Outcome(
        float(finished.max()), ideal, float(finished.max() - finished.min()), redone, deaths
    )


def read_seconds(ledger: Path) -> np.ndarray:
    """float64 [n]: what the repaired photos of a ledger took; raises DataError where there is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(ledger, columns=["status", "seconds"])
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"ledger {ledger} cannot be read: {' '.join(str(error).split())}"
        ) from error
    rows = table.to_pandas()
    seconds = rows["seconds"][rows["status"] == "ok"].to_numpy(np.float64)
    if not len(seconds):
        raise DataError(f"ledger {ledger} must hold repaired photos. Received: none")
    return seconds


@click.command(cls=Command)
@click.option(
    "--ledger", type=click.Path(path_type=Path), help="Of a run on the machine in question."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Without a ledger: median of a photo on a worker.",
)
@click.option(
    "--spread",
    type=click.FloatRange(0),
    default=0.5,
    show_default=True,
    help="Without a ledger: standard deviation of the logarithm.",
)
@click.option("--photos", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--workers", type=click.IntRange(1), default=64, show_default=True)
@click.option("--rows-per-block", type=click.IntRange(1), default=64, show_default=True)
@click.option(
    "--start",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    help="Seconds until a worker's network is open.",
)
@click.option(
    "--worker-hours",
    type=click.FloatRange(0, min_open=True),
    help="Mean hours until a worker dies.  [default: never]",
)
@click.option("--slow-share", type=click.FloatRange(0, 1), default=0.05, show_default=True)
@click.option("--slow-factor", type=click.FloatRange(1), default=2.0, show_default=True)
@click.option("--hourly", type=click.FloatRange(0), default=0.0, help="Price of a worker's hour.")
@click.option(
    "--megabytes",
    type=click.FloatRange(0),
    default=2.0,
    show_default=True,
    help="Of a photo with its mask and its repair.",
)
@click.option(
    "--request-prices",
    type=(float, float),
    default=(0.0004, 0.005),
    show_default=True,
    help="Of 1,000 GETs, of 1,000 PUTs.",
)
@click.option("--seed", default=0, show_default=True)
def main(
    ledger: Path | None,
    seconds: float,
    spread: float,
    photos: int,
    workers: int,
    rows_per_block: int,
    start: float,
    worker_hours: float | None,
    slow_share: float,
    slow_factor: float,
    hourly: float,
    megabytes: float,
    request_prices: tuple[float, float],
    seed: int,
) -> None:
    """Simulate a run and print what it takes."""
    if ledger is not None:
        measured = read_seconds(ledger)
    else:
        normal = np.random.default_rng(seed).standard_normal(100_000)
        measured = seconds * np.exp(spread * normal)
    lifetime = np.inf if worker_hours is None else worker_hours * 3600.0
    fleet = Fleet(workers, start, lifetime, slow_share, slow_factor)
    outcome = simulate(measured, photos, rows_per_block, fleet, seed)
    blocks = -(-photos // rows_per_block)
    gets, puts = (
        2 * photos,
        photos + 4 * blocks,
    )  # of a block: its part, and its checkpoint three times
    money = outcome.seconds / 3600.0 * workers * hourly
    requests = gets / 1000 * request_prices[0] + puts / 1000 * request_prices[1]
    rate = photos / outcome.seconds
    table = {
        "a photo": f"{np.mean(measured):.3g} s (median {np.median(measured):.3g}, longest {np.max(measured):.3g})",
        "all equal, none dies": duration(outcome.ideal),
        "simulated": f"{duration(outcome.seconds)}, {rate:.4g} photos/s",
        "of the ideal speed": f"{100 * outcome.ideal / outcome.seconds:.1f} %",
        "first idle to last photo": duration(outcome.tail),
        "deaths of workers": f"{outcome.deaths}",
        "photos done again": f"{outcome.redone:.0f} ({100 * outcome.redone / photos:.2g} %)",
        "workers' hours": f"{outcome.seconds / 3600 * workers:.4g}, {money:.4g} money",
        "requests": f"{gets:.3g} GET, {puts:.3g} PUT, {requests:.4g} money",
        "traffic": f"{photos * megabytes / 1e6:.3g} TB, {rate * megabytes:.3g} MB/s",
    }
    for name, text in table.items():
        click.echo(f"{name:26}{text}")


if __name__ == "__main__":
    main()
