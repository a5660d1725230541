"""What the synthesis and its learnt merge are worth: four ways to fill, on the same cases.

    python benchmarks/merge.py --photos PHOTOS [--size 512] [--limit 40] [--peer-cache FOLDER]

The network alone, the synthesis alone, both blended by depth as the untrained merge does, the learnt merge; PatchMatch
beside them. Prints a table in Markdown: means over all kinds of holes; FFD and sharpness over wide holes and boxes.
"""

from collections.abc import Callable, Iterable

import click
import numpy as np
import tensorflow as tf

from cnnlg_tf import load
from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.evaluation.cases import Fit
from cnnlg_tf.evaluation.evaluate import evaluate
from cnnlg_tf.evaluation.results import OURS
from cnnlg_tf.evaluation.summary import FFD, SHARPNESS, by_kind
from cnnlg_tf.models.cnnlg import CNNLG
from cnnlg_tf.models.merge import Merge
from cnnlg_tf.models.synthesis_scale import Synthesis
from cnnlg_tf.startup import start_tensorflow

THICK = ("wide", "box")
Means = dict[str, float]  # metric -> its mean


class TakeAll(Merge):
    """The synthesis, where there is any."""

    def build(self, *_: object) -> None:
        """Nothing: its layers are not used."""
        self.built = True

    def call(
        self,
        guide: tf.Tensor,
        synthesis: Synthesis,
        mask: tf.Tensor,
        detail: tf.Tensor | float = 1.0,
    ) -> tf.Tensor:
        return guide + mask * synthesis.share * (2.0 * synthesis.image - 1.0 - guide)


def network_alone(model: CNNLG) -> None:
    """Nothing is laid, and nothing refined."""
    model.merge = None


def synthesis_alone(model: CNNLG) -> None:
    """All that was laid is taken as it is."""
    model.merge = TakeAll(model.config.merge)


def depth_blend(model: CNNLG) -> None:
    """The merge as it is before it has learnt."""
    model.merge = Merge(model.config.merge, model.config.activation)


def learnt_merge(_: CNNLG) -> None:
    """The model as it is."""


WAYS: dict[str, Callable[[CNNLG], None]] = {
    "network alone": network_alone,
    "synthesis alone": synthesis_alone,
    "blended by depth": depth_blend,
    "learnt merge": learnt_merge,
}


@click.command(cls=Command)
@click.option("--photos", required=True, type=click.Path(exists=True))
@click.option("--model", type=click.Path(), help="Checkpoint folder; default: the shipped model.")
@click.option("--only", help="Photos whose names are like this.")
@click.option("--size", default=256, show_default=True)
@click.option("--limit", default=40, show_default=True)
@click.option("--peer-cache", type=click.Path(), help="Folder that keeps the peers' repairs.")
def main(
    photos: str, model: str | None, only: str | None, size: int, limit: int, peer_cache: str | None
) -> None:
    """Evaluate each way to fill on the same cases."""
    start_tensorflow()
    models = {name: load(model) for name in WAYS}
    fit: Fit = "crop" if size <= 256 else "resize"
    click.echo("| | PSNR dB | LPIPS | FFD 1/4, 1/8, 1/16 | sharpness to 8 px, to 24 px, deeper |")
    click.echo("|---|--:|--:|--:|--:|")

    def measure(model: CNNLG | None, peers: tuple[str, ...], method: str) -> dict[str, Means]:
        result = evaluate(
            model,
            photos,
            only=[only] if only else (),
            size=size,
            fit=fit,
            limit=limit,
            peers=peers,
            peer_cache=peer_cache,
            pictures=0,
        )
        return {kind: methods[method] for kind, methods in by_kind(result.rows, result.ffd).items()}

    click.echo(row("PatchMatch", measure(None, ("patchmatch",), "patchmatch")))
    for name, change in WAYS.items():
        change(models[name])
        click.echo(row(name, measure(models[name], (), OURS)))


def row(name: str, means: dict[str, Means]) -> str:
    """A line of the table, from the means of each kind of hole."""

    def mean(metric: str, kinds: Iterable[str]) -> float:
        return float(np.mean([means[kind].get(metric, np.nan) for kind in kinds]))

    ffd = ", ".join(f"{mean(metric, THICK):.3f}" for metric in FFD)
    sharpness = ", ".join(f"{mean(metric, THICK):.2f}" for metric in SHARPNESS)
    psnr, lpips = mean("psnr", means), mean("lpips", means)
    return f"| {name} | {psnr:.2f} | {lpips:.4f} | {ffd} | {sharpness} |"


if __name__ == "__main__":
    main()
