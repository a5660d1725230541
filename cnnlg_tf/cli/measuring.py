"""Commands that measure models: beside classical methods, and variant against variant."""

import os
from datetime import timedelta
from typing import Any

import click

from cnnlg_tf.cli.text import split


@click.command()
@click.argument("model", required=False, type=click.Path())
@click.option("--photos", "photos_root", required=True, type=click.Path(), help="Photo folder.")
@click.option("--masks", default="thin,medium,wide,box", show_default=True, help="Kinds of masks.")
@click.option("--size", default=256, show_default=True, help="Side of the square, in pixels.")
@click.option(
    "--fit",
    type=click.Choice(["crop", "resize"]),
    default="crop",
    show_default=True,
    help="Take the centre as it is, or scale the photo's short side to the size first.",
)
@click.option("--only", multiple=True, metavar="GLOB", help="Photos whose names are like this.")
@click.option("--limit", type=click.IntRange(min=1), help="How many photos at most.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--peers",
    default="telea,ns,biharmonic,patchmatch",
    show_default=True,
    help="Methods to compare with; '' for none.",
)
@click.option("--detail", default=1.0, show_default=True, help="Of the model's; 0: smooth.")
@click.option("--peers-only", is_flag=True, help="Measure the peers, and no model.")
@click.option("--peer-cache", type=click.Path(), help="Folder that keeps the peers' repairs.")
@click.option("--pictures", default=4, show_default=True, help="Photos shown for each kind.")
@click.option("-o", "--out", required=True, type=click.Path(), help="Folder for the report.")
def evaluate(
    model: str | None, masks: str, peers: str, peers_only: bool, out: str, **options: Any
) -> None:
    """Measure MODEL (default: the shipped one) beside classical methods.

    Writes evaluation.json, evaluation.md, report.html and a picture grid for each kind of mask.
    """
    if peers_only and model is not None:
        raise click.UsageError("--peers-only measures no model, yet MODEL was given")
    from rich.console import Console
    from rich.progress import Progress

    import cnnlg_tf
    from cnnlg_tf.startup import start_tensorflow

    start_tensorflow()
    from cnnlg_tf.evaluation.evaluate import evaluate as run
    from cnnlg_tf.evaluation.report import as_table, conclusions

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("cases")
        evaluation = run(
            None if peers_only else cnnlg_tf.open_network(model),
            mask_kinds=split(masks),
            peers=split(peers),
            label=model or (None if peers_only else "shipped model"),
            out=out,
            on_case=lambda done, total: progress.update(task, completed=done, total=total),
            **options,
        )
    Console().print(as_table(evaluation))
    for line in conclusions(evaluation):
        click.echo(line)
    click.echo(f"report: {os.path.join(out, 'report.html')}")


@click.command()
@click.argument("name")
@click.option("-o", "--out", required=True, type=click.Path(), help="Folder for runs and results.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="For all variants.")
@click.option(
    "--processes", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at once."
)
def experiment(name: str, out: str, overrides: tuple[str, ...], processes: int) -> None:
    """Train and measure the variants of an experiment, each with each seed, and compare them.

    NAME is a YAML file, or one of the package's: guides, penalty, ... (configs/experiments). The same command goes on
    after a stop: what is measured already is not trained again.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from cnnlg_tf.config_files import find_config
    from cnnlg_tf.experiments.run import run_experiment

    path = find_config(name, "experiments")
    shape = (
        TextColumn("runs"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*shape, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("runs", left="")

        def on_run(done: int, total: int, left: float | None) -> None:
            words = "" if left is None else f"about {timedelta(seconds=round(left))} left"
            progress.update(task, completed=done, total=total, left=words)

        def tell(line: str) -> None:
            progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

        run_experiment(path, out, overrides, processes=processes, tell=tell, on_run=on_run)
    click.echo(f"results: {os.path.join(out, 'results.md')}")
