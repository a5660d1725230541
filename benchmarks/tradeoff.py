"""PSNR against LPIPS over `detail`: how much copied texture and completed gradients a repair takes.

    python benchmarks/tradeoff.py --photos PHOTOS [--limit 40] [--peer-cache FOLDER] -o docs/tradeoff.png

Prints a table and draws the curve of each kind of hole beside the classical methods. Needs the extra `bench`.
"""

from pathlib import Path

import click
import numpy as np

import cnnlg_tf
from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.evaluation.results import OURS
from cnnlg_tf.evaluation.summary import by_kind
from cnnlg_tf.extras import require
from cnnlg_tf.startup import start_tensorflow

DETAILS = (0.0, 0.5, 1.0, 1.5, 2.0)
Point = tuple[float, float]


@click.command(cls=Command)
@click.option("--photos", required=True, type=click.Path(exists=True))
@click.option("--model", type=click.Path(), help="Checkpoint folder; default: the shipped model.")
@click.option("--limit", default=40, show_default=True)
@click.option("--peer-cache", type=click.Path(), help="Folder that keeps the peers' repairs.")
@click.option(
    "-o", "--out", required=True, type=click.Path(dir_okay=False, writable=True, path_type=Path)
)
def main(photos: str, model: str | None, limit: int, peer_cache: str | None, out: Path) -> None:
    """Evaluate the model at each `detail` on the same cases."""
    out.parent.mkdir(parents=True, exist_ok=True)
    require("matplotlib", "bench")
    start_tensorflow()
    import tensorflow as tf

    from cnnlg_tf.evaluation.evaluate import evaluate

    network = cnnlg_tf.load(model)

    class AtDetail:
        """The model with its `detail` fixed."""

        def __init__(self, detail: float) -> None:
            self.detail = detail

        def repair(self, image: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            repaired: tuple[tf.Tensor, tf.Tensor] = network.repair(image, mask, self.detail)
            return repaired

    curves: dict[str, list[Point]] = {}
    for detail in DETAILS:
        rows = evaluate(AtDetail(detail), photos, limit=limit, peers=(), pictures=0).rows
        for kind, methods in by_kind(rows).items():
            scores = methods[OURS]
            curves.setdefault(kind, []).append((scores["psnr"], scores["lpips"]))
            click.echo(
                f"detail {detail:.1f}  {kind:7} {scores['psnr']:6.2f} dB  "
                f"SSIM {scores['ssim']:.4f}  LPIPS {scores['lpips']:.4f}"
            )
    peers = evaluate(None, photos, limit=limit, peer_cache=peer_cache, pictures=0)
    others: dict[str, dict[str, Point]] = {
        kind: {peers.titles[name]: (s["psnr"], s["lpips"]) for name, s in methods.items()}
        for kind, methods in by_kind(peers.rows).items()
    }
    draw(curves, others, out)
    click.echo(f"wrote {out}")


def draw(curves: dict[str, list[Point]], others: dict[str, dict[str, Point]], out: Path) -> None:
    """One panel a kind of hole; up and to the left is better."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(curves), figsize=(4 * len(curves), 3.6))
    for axis, (kind, points) in zip(np.atleast_1d(axes), curves.items(), strict=True):
        psnr, lpips = zip(*points, strict=True)
        axis.plot(lpips, psnr, "o-", label="CNNLG, detail 0 to 2")
        axis.annotate("1", (lpips[2], psnr[2]), textcoords="offset points", xytext=(4, 4))
        for name, (their_psnr, their_lpips) in others[kind].items():
            axis.plot(their_lpips, their_psnr, "x", label=name)
        axis.set(title=kind, xlabel="LPIPS", ylabel="PSNR, dB")
        axis.grid(alpha=0.3)
    np.atleast_1d(axes)[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
