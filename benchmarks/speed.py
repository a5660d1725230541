"""Time and memory of one repair at 512 x 512 px beside PatchMatch, in one run.

    python benchmarks/speed.py [--model MODEL] [--rounds 5]

Prints the median seconds of each, their ratio, and the peak memory of our repair above that of the started runtime.
PatchMatch needs the extra `bench`.
"""

import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import click

import cnnlg_tf
from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.photos import read_mask, read_photo
from cnnlg_tf.startup import start_tensorflow

EXAMPLES = Path(cnnlg_tf.__file__).parent / "examples"


@click.command(cls=Command)
@click.option("--model", type=click.Path(), help="Checkpoint folder; default: the shipped model.")
@click.option("--rounds", default=5, show_default=True, help="Repairs of each, in turn.")
@click.option("--threads", default=2, show_default=True, help="Of TensorFlow.")
def main(model: str | None, rounds: int, threads: int) -> None:
    """Time our repair and PatchMatch in turn on an example photo."""
    start_tensorflow(optimised=False)
    from cnnlg_tf.evaluation.peers import PEERS
    from cnnlg_tf.inference.inpainter import Inpainter
    from cnnlg_tf.startup import use_threads

    use_threads(threads)
    photo = read_photo(EXAMPLES / "lake.jpg").pixels
    mask = read_mask(EXAMPLES / "lake.mask.png")
    peer, inpainter = PEERS["patchmatch"](), Inpainter(model)
    before = _peak_mebibytes()
    first = _seconds(lambda: inpainter.repair(photo, mask))
    peak = _peak_mebibytes() - before
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_seconds(lambda: inpainter.repair(photo, mask)))
        theirs.append(_seconds(lambda: peer.repair(photo, mask)))
    mine, other = statistics.median(ours), statistics.median(theirs)
    click.echo(f"photo 512 x 512, hole {mask.mean():.1%}, {threads} threads, median of {rounds}")
    click.echo(f"CNNLG       {mine:6.3f} s (first {first:.1f} s, with tracing)")
    click.echo(f"PatchMatch  {other:6.3f} s")
    click.echo(f"ratio       {other / mine:6.1f}")
    click.echo(f"peak memory {peak:6.0f} MiB above the runtime with the model loaded")


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _peak_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
