"""Commands that ask people: make a study, serve it, collect answers, analyse them."""

import os
from typing import Any

import click

from cnnlg_tf.cli.reporting import Group
from cnnlg_tf.cli.text import split


@click.group(cls=Group)
def study() -> None:
    """Let people judge repairs, blind, in pairs: make, serve, collect, analyse."""


@study.command()
@click.option("--photos", required=True, type=click.Path(), help="Photo folder.")
@click.option(
    "--methods",
    default="original,telea,patchmatch,cnnlg",
    show_default=True,
    help="What is compared; also ns, biharmonic; '' for retouched files alone.",
)
@click.option(
    "--model", type=click.Path(), help="What cnnlg repairs with; default: the shipped model."
)
@click.option(
    "--retouched",
    multiple=True,
    metavar="NAME=FOLDER",
    help="An artist's files, named as those of the study's folder `cases`.",
)
@click.option("--masks", default="wide,box", show_default=True, help="Kinds of masks, in turn.")
@click.option("--size", default=256, show_default=True, help="Side of the square, in pixels.")
@click.option("--fit", type=click.Choice(["crop", "resize"]), default="crop", show_default=True)
@click.option("--limit", type=click.IntRange(min=1), default=40, show_default=True, help="Photos.")
@click.option("--questions", default=60, show_default=True, help="Pairs that a judge is asked.")
@click.option(
    "--catches",
    type=click.IntRange(min=0),
    default=6,
    show_default=True,
    help="Pairs with a known answer among them.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("-o", "--out", required=True, type=click.Path(), help="The study's folder.")
def make(
    photos: str,
    methods: str,
    model: str | None,
    retouched: tuple[str, ...],
    masks: str,
    out: str,
    **options: Any,
) -> None:
    """Repair photos by every method and write the page that asks about them.

    Writes study.html (send it to judges, or serve it), key.json (keep it: it tells which picture is
    whose) and the folder cases (photos with holes, for an artist to retouch).
    """
    folders = {}
    for text in retouched:
        name, sign, folder = text.partition("=")
        if not (name and sign and folder):
            raise click.UsageError(f"--retouched must read NAME=FOLDER. Received: {text!r}")
        folders[name] = folder
    from rich.console import Console
    from rich.progress import Progress

    from cnnlg_tf.experiments.study.make import StudyOptions, make_study

    def inpainter() -> Any:
        from cnnlg_tf.inference.inpainter import Inpainter

        return Inpainter(model)

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("photos")
        key = make_study(
            photos,
            out,
            methods=split(methods),
            inpainter=inpainter,
            retouched=folders,
            options=StudyOptions(masks=split(masks), **options),  # type: ignore[arg-type]
            on_case=lambda done, total: progress.update(task, completed=done, total=total),
        )
    lengths = [len(sheet) for sheet in key.sheets]
    click.echo(f"{len(lengths)} sheets of {min(lengths)} to {max(lengths)} pairs")
    click.echo(f"page: {os.path.join(out, 'study.html')}")


@study.command()
@click.argument("folder", type=click.Path())
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 for the network.")
@click.option("--port", type=click.IntRange(0, 65535), default=8700, show_default=True)
def serve(folder: str, host: str, port: int) -> None:
    """Serve the page of a study's FOLDER and keep the answers that are posted there."""
    from cnnlg_tf.experiments.study.serve import StudyServer

    with StudyServer(folder, host, port) as server:
        click.echo(f"study: {server.address}   (Ctrl+C stops it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("stopped")


@study.command()
@click.argument("folder", type=click.Path())
@click.argument("files", nargs=-1, required=True, type=click.Path())
def collect(folder: str, files: tuple[str, ...]) -> None:
    """Take judges' FILES (or folders of them) into a study's FOLDER."""
    from cnnlg_tf.errors import DataError
    from cnnlg_tf.experiments.study.answers import collect as run

    taken, refused = run(folder, files)
    click.echo(f"taken: {len(taken)}")
    for why in refused.values():
        click.echo(f"refused: {why}", err=True)
    if refused:
        raise DataError(f"{len(refused)} of {len(taken) + len(refused)} files were not taken")


@study.command()
@click.argument("folder", type=click.Path())
@click.option("-o", "--out", type=click.Path(), help="Folder for the result; default: FOLDER.")
def analyse(folder: str, out: str | None) -> None:
    """Score the methods of a study by the answers in its FOLDER.

    Writes analysis.md, analysis.json and, with the extra `bench`, scores.png.
    """
    from pathlib import Path

    from cnnlg_tf.experiments.study.analyse import analyse as run
    from cnnlg_tf.experiments.study.answers import load_answers, load_key
    from cnnlg_tf.experiments.study.results import as_markdown, write_analysis

    key = load_key(folder)
    found = run(key, load_answers(folder, key))
    write_analysis(found, Path(out or folder))
    click.echo(as_markdown(found), nl=False)
    click.echo(f"result: {os.path.join(out or folder, 'analysis.md')}")
