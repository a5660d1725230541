"""PSNR against LPIPS over `detail`: how much copied texture and completed gradients a repair takes.

    python benchmarks/tradeoff.py --photos PHOTOS [--limit 40] [--peer-cache FOLDER] -o docs/tradeoff.png

Prints a table and draws the curve of each kind of hole beside the classical methods. Needs the extra `bench`.
"""

from dataclasses import replace
from pathlib import Path

import click
import numpy as np

import cnnlg_tf
from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.evaluation.results import OURS
from cnnlg_tf.evaluation.summary import by_kind
from cnnlg_tf.extras import require
from cnnlg_tf.inference.network import Conditions, Filled, Network
from cnnlg_tf.startup import start_tensorflow

DETAILS = (0.0, 0.5, 1.0, 1.5, 2.0)
Point = tuple[float, float]


class AtDetail:
    """A network whose `detail` is fixed."""

    def __init__(self, network: Network, detail: float) -> None:
        self._network, self._detail = network, detail
        self.can, self.widest = network.can, network.widest
        self.widest_guided = network.widest_guided
        self.find_damage = network.find_damage

    def fill(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        conditions: Conditions,
        guide: np.ndarray | None = None,
    ) -> Filled:
        """As the network's, at the fixed detail."""
        return self._network.fill(image, hole, replace(conditions, detail=self._detail), guide)


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
    from cnnlg_tf.evaluation.evaluate import evaluate

    network = cnnlg_tf.open_network(model)
    curves: dict[str, list[Point]] = {}
    for detail in DETAILS:
        at_detail = AtDetail(network, detail)
        rows = evaluate(at_detail, photos, limit=limit, peers=(), pictures=0).rows
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
        axis.locator_params(axis="x", nbins=5)
        axis.grid(alpha=0.3)
    np.atleast_1d(axes)[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
