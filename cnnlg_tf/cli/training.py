"""Commands that make a model and tell what it is."""

import click

from cnnlg_tf.cli.text import split


@click.command()
@click.argument("model", required=False, type=click.Path())
def info(model: str | None) -> None:
    """Describe MODEL: a checkpoint, a run or an export folder; default: the shipped model."""
    from cnnlg_tf.describe import describe

    click.echo(describe(model))


@click.command()
@click.argument("photos", type=click.Path())
@click.option("-o", "--out", required=True, type=click.Path(), help="Folder for the shards.")
@click.option("--shards", default=1, show_default=True, help="How many files to write.")
def pack(photos: str, out: str, shards: int) -> None:
    """Pack a folder of PHOTOS into TFRecord files, to train with `data.kind: tfrecord`."""
    from cnnlg_tf.data.tfrecord import pack_photos

    report = pack_photos(photos, out, shards)
    left_out = f"; {len(report.skipped)} unreadable, left out" if report.skipped else ""
    click.echo(f"{out}: {report.photos} photos in {len(report.shards)} shards{left_out}")


@click.command()
@click.argument("model", type=click.Path())
@click.option("-o", "--out", required=True, type=click.Path(), help="Folder to write.")
@click.option(
    "--average-with",
    type=click.Path(),
    help="A checkpoint of an earlier stage: publish the average of the weights.",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Of the other checkpoint in the average.",
)
@click.option(
    "--finder", type=click.Path(), help="A checkpoint or run whose damage finder is taken in."
)
@click.option(
    "--finder-shift",
    default=0.0,
    show_default=True,
    help="Taken off its logits: 1/2 becomes the threshold chosen on photos kept from training.",
)
@click.option("--merge", type=click.Path(), help="A checkpoint or run whose merge is taken in.")
def publish(
    model: str,
    out: str,
    average_with: str | None,
    share: float,
    finder: str | None,
    finder_shift: float,
    merge: str | None,
) -> None:
    """Write MODEL, a checkpoint or a run, to give away: float16 weights, no training state."""
    from cnnlg_tf.publish import publish as write
    from cnnlg_tf.startup import start_tensorflow
    from cnnlg_tf.transplant import FINDER, MERGE, transplant

    start_tensorflow()
    write(model, out, average_with, share)
    if finder is not None:
        transplant(out, finder, out, FINDER, finder_shift)
    if merge is not None:
        transplant(out, merge, out, MERGE)
    click.echo(f"wrote {out}")


@click.command()
@click.option(
    "--config",
    required=True,
    type=click.Path(),
    help="A YAML file, or one of the package's by its name: photos, gpu, demo, ...",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Over the file's.")
@click.option("-o", "--out", required=True, type=click.Path(), help="The run's folder.")
@click.option("--devices", help="Such as GPU:0,GPU:1.  [default: all GPUs, or the CPU]")
def train(config: str, overrides: tuple[str, ...], out: str, devices: str | None) -> None:
    """Train a model in folder OUT, or go on where a run in it stopped.

    OUT gets checkpoints, metrics.jsonl, TensorBoard logs and before/after pictures. `--set` takes
    dotted keys and YAML values: train.seed=1, train.phases.0.steps=100.
    """
    from cnnlg_tf.config_files import load_config
    from cnnlg_tf.training.run import summarise
    from cnnlg_tf.training.run import train as run

    checkpoint = run(
        load_config(config, list(overrides)), out, devices=split(devices) if devices else None
    )
    click.echo(summarise(checkpoint))
