"""The `cnnlg-tf` command. Each command translates its options into one library call.

TensorFlow is imported inside commands, so that `--help` answers at once.
"""

import logging
import os
import sys
import time
from typing import Any

import click

from cnnlg_tf import __version__
from cnnlg_tf.errors import CnnlgError


class _Group(click.Group):
    """Prints `Error: message` and exits 1 on CnnlgError; click itself exits 2 on bad usage."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CnnlgError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(1)


class _Notes(logging.Handler):
    """Prints the library's warnings as `Note: message`, each message once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self._said:
            self._said.add(message)
            click.echo(f"Note: {message}", err=True)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cnnlg-tf")
def main() -> None:
    """Repair and paint photos; train, measure, export and serve the model that does it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    logger = logging.getLogger("cnnlg_tf")
    others = [handler for handler in logger.handlers if not isinstance(handler, _Notes)]
    logger.handlers = [*others, _Notes()]


# Commands stand in alphabetical order below.


@main.command()
@click.argument("export", type=click.Path())
@click.option(
    "--target",
    required=True,
    type=click.Choice(["compose", "kubernetes", "kserve", "triton"]),
    help="compose adds Prometheus and Grafana.",
)
@click.option("-o", "--out", required=True, type=click.Path(), help="New folder.")
@click.option("--model-name", default="cnnlg", show_default=True, help="Its name on the server.")
def deploy(export: str, target: Any, out: str, model_name: str) -> None:
    """Write a folder that serves EXPORT in production, the model included."""
    from cnnlg_tf.serving.deploy.deployment import write_deployment

    following = write_deployment(target, export, out, model_name=model_name)
    click.echo(f"wrote {out}; next: {following}")


@main.command()
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
@click.option("--limit", type=click.IntRange(min=1), help="How many photos at most.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--peers",
    default="telea,ns,biharmonic,patchmatch",
    show_default=True,
    help="Methods to compare with; '' for none.",
)
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
            None if peers_only else cnnlg_tf.load(model),
            mask_kinds=_split(masks),
            peers=_split(peers),
            label=model or (None if peers_only else "shipped model"),
            out=out,
            on_case=lambda done, total: progress.update(task, completed=done, total=total),
            **options,
        )
    Console().print(as_table(evaluation))
    for line in conclusions(evaluation):
        click.echo(line)
    click.echo(f"report: {os.path.join(out, 'report.html')}")


@main.command()
@click.argument("name")
@click.option("-o", "--out", required=True, type=click.Path(), help="Folder for runs and results.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="For all variants.")
def experiment(name: str, out: str, overrides: tuple[str, ...]) -> None:
    """Train and measure the variants of an experiment.

    NAME is a YAML file, or one of configs/experiments without its ending. The same command goes on
    after a stop: variants that are measured already are not trained again.
    """
    from cnnlg_tf.evaluation.experiments import run_experiment

    path = name if name.endswith((".yaml", ".yml")) else f"configs/experiments/{name}.yaml"
    run_experiment(path, out, overrides, tell=click.echo)
    click.echo(f"results: {os.path.join(out, 'results.md')}")


@main.command()
@click.argument("model", required=False, type=click.Path())
@click.option(
    "--format",
    "format_",
    required=True,
    type=click.Choice(["saved_model", "onnx", "tensorrt", "litert", "openvino", "all"]),
    help="all: whatever this machine can make, and a parity report.",
)
@click.option("-o", "--out", required=True, type=click.Path(), help="Folder for the export.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8"]),
    help="Default: fp32; fp16 for TensorRT.",
)
@click.option("--photos", type=click.Path(), help="16 photos or more: 8 to compare, 8 for int8.")
@click.option("--allow-loss", is_flag=True, help="Write what misses its parity bar, too.")
@click.option("--version", type=int, help="SavedModel: its number; default: the next free one.")
@click.option(
    "--threads", type=click.IntRange(1), default=2, show_default=True, help="In the report."
)
@click.option(
    "--builder",
    type=click.Choice(["rtx", "classic"]),
    default="rtx",
    show_default=True,
    help="TensorRT: rtx needs no GPU; classic runs on the target machine.",
)
@click.option("--min-shape", default="1x16x16", show_default=True, help="TensorRT: BATCHxHxW.")
@click.option("--opt-shape", default="1x512x512", show_default=True, help="The size to tune for.")
@click.option("--max-shape", default="4x1024x1024", show_default=True, help="The largest taken.")
@click.option(
    "--capability",
    "capabilities",
    multiple=True,
    default=("ampere", "ada", "blackwell"),
    show_default=True,
    type=click.Choice(["turing", "ampere", "ada", "blackwell"]),
    help="TensorRT rtx: generations of cards; repeat.",
)
@click.option(
    "--timing-cache", type=click.Path(), help="TensorRT classic: file to keep timings in."
)
@click.option("--hardware-compatible", is_flag=True, help="TensorRT classic: Ampere and newer.")
@click.option("--version-compatible", is_flag=True, help="TensorRT classic: later TensorRT, too.")
def export(
    model: str | None, format_: str, out: str, precision: str | None, threads: int, **options: Any
) -> None:
    """Export MODEL (default: the shipped one) to a production format and prove its parity."""
    if format_ == "all" and precision is not None:
        raise click.UsageError("--format all makes every precision: leave --precision out")
    from pathlib import Path

    import cnnlg_tf
    from cnnlg_tf.export.bundle import Exporter, parse_options
    from cnnlg_tf.export.runners import use_threads
    from cnnlg_tf.startup import start_tensorflow

    parsed = parse_options(threads=threads, **options)
    start_tensorflow()
    use_threads(threads)
    exporter = Exporter(cnnlg_tf.load(model), parsed)
    if format_ == "all":
        exporter.export_all(Path(out), tell=click.echo)
        click.echo(f"report: {os.path.join(out, 'parity.md')}")
    else:
        click.echo(f"wrote {exporter.export(format_, Path(out), precision)}")


@main.command()
@click.argument("photos", type=click.Path())
@click.option("-o", "--out", required=True, type=click.Path(), help="Folder for the shards.")
@click.option("--shards", default=1, show_default=True, help="How many files to write.")
def pack(photos: str, out: str, shards: int) -> None:
    """Pack a folder of PHOTOS into TFRecord files, to train with `data.kind: tfrecord`."""
    from cnnlg_tf.data.tfrecord import pack_photos

    report = pack_photos(photos, out, shards)
    left_out = f"; {len(report.skipped)} unreadable, left out" if report.skipped else ""
    click.echo(f"{out}: {report.photos} photos in {len(report.shards)} shards{left_out}")


@main.command()
@click.argument("model", required=False, type=click.Path())
def info(model: str | None) -> None:
    """Describe MODEL: a checkpoint, a run or an export folder; default: the shipped model."""
    from cnnlg_tf.describe import describe

    click.echo(describe(model))


@main.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@click.option("--mask", type=click.Path(), help="White = missing: an image, or a folder of them.")
@click.option("--blind", is_flag=True, help="No mask: find the damage and repair it.")
@click.option("-o", "--out", required=True, type=click.Path(), help="File, or folder for several.")
@click.option("--model", type=click.Path(), help="Checkpoint folder; default: the shipped model.")
@click.option("--samples", type=click.IntRange(0), default=0, help="Write N different repairs too.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of --samples.")
@click.option("--uncertainty", is_flag=True, help="Write a map of the standard deviation too.")
@click.option(
    "--detail",
    type=click.FloatRange(0, 2),
    default=1.0,
    show_default=True,
    help="0 smooth .. 1 as learnt .. 2 crisp.",
)
@click.option("--reference", type=click.Path(), help="Another photo whose texture may be copied.")
def inpaint(
    photos: tuple[str, ...],
    mask: str | None,
    blind: bool,
    out: str,
    model: str | None,
    **options: Any,
) -> None:
    """Repair PHOTOS, files or folders, where their masks are white.

    A folder of masks is matched to the photos by names without suffix. Known pixels stay as they
    are: exactly in PNG, TIFF and WebP files, as well as JPEG can in JPEG files.
    """
    if blind == (mask is not None):
        raise click.UsageError("give either --mask MASK or --blind")
    from cnnlg_tf.inference.batch import check_job, plan_jobs
    from cnnlg_tf.startup import start_tensorflow

    jobs = plan_jobs(photos, mask, out)
    if len(jobs) == 1:  # bad input is told at once, not after TensorFlow's start
        check_job(jobs[0])
    start_tensorflow()
    from cnnlg_tf.inference.inpainter import Inpainter

    inpainter = Inpainter(model)
    failed = 0
    for job in jobs:
        start = time.perf_counter()
        try:
            written = inpainter.repair_file(job.photo, job.mask, job.output, **options)
        except CnnlgError as error:
            if len(jobs) == 1:
                raise
            click.echo(f"Error: {error}", err=True)
            failed += 1
            continue
        names = ", ".join(str(path) for path in written)
        click.echo(f"{names} ({time.perf_counter() - start:.1f} s)")
    if failed:
        raise CnnlgError(f"{failed} of {len(jobs)} photos were not repaired")


@main.command()
@click.argument("model", type=click.Path())
@click.option("-o", "--out", required=True, type=click.Path(), help="Folder to write.")
@click.option(
    "--copy-strength",
    type=click.FloatRange(min=0),
    help="How much texture is copied deep in holes; chosen on validation photos.  [default: as in training]",
)
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
def publish(
    model: str, out: str, copy_strength: float | None, average_with: str | None, share: float
) -> None:
    """Write MODEL, a checkpoint or a run, to give away: float16 weights, no training state."""
    from cnnlg_tf.checkpoint import publish as write
    from cnnlg_tf.startup import start_tensorflow

    start_tensorflow()
    click.echo(f"wrote {write(model, out, copy_strength, average_with, share)}")


@main.command()
@click.argument("photo", type=click.Path())
@click.option("--mask", required=True, type=click.Path(), help="White = missing.")
@click.option("-o", "--out", required=True, type=click.Path(), help="File to write.")
@click.option(
    "--server", help="host:port or http(s)://host:port.  [default: localhost:8500, REST 8501]"
)
@click.option("--rest", is_flag=True, help="Speak REST to host:port, not gRPC.")
@click.option("--model-name", default="cnnlg", show_default=True, help="Its name on the server.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds, retries included.")
def request(
    photo: str, mask: str, out: str, server: str | None, rest: bool, model_name: str, timeout: float
) -> None:
    """Have a server repair PHOTO. Needs no TensorFlow on this side."""
    from cnnlg_tf.serving import Client
    from cnnlg_tf.serving.client.request import request_repair

    server = server or ("localhost:8501" if rest else "localhost:8500")
    if rest and "://" not in server:
        server = f"http://{server}"
    with Client(server, model=model_name, timeout=timeout) as client:
        request_repair(client, photo, mask, out)
    click.echo(f"wrote {out}")


@main.command()
@click.argument("export_dir", type=click.Path())
@click.option("--port", default=8500, show_default=True, help="Port of the gRPC API.")
@click.option("--rest-port", default=8501, show_default=True, help="Port of the REST API; 0: none.")
@click.option("--name", default="cnnlg", show_default=True, help="Name clients call the model by.")
@click.option("--batching", is_flag=True, help="Merge concurrent requests of the same size.")
def serve(export_dir: str, port: int, rest_port: int, name: str, batching: bool) -> None:
    """Serve EXPORT_DIR, a folder of numbered versions, as TensorFlow Serving would.

    New versions are taken up as they appear. `cnnlg-tf-model-server` has all the options.
    """
    from cnnlg_tf.serving.server.front import serve_export

    serve_export(export_dir, name=name, port=port, rest_port=rest_port, batching=batching)


@main.command()
@click.option("--config", required=True, type=click.Path(), help="YAML; see configs/base.yaml.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Over the file's.")
@click.option("-o", "--out", required=True, type=click.Path(), help="The run's folder.")
@click.option("--devices", help="Such as GPU:0,GPU:1.  [default: all GPUs, or the CPU]")
def train(config: str, overrides: tuple[str, ...], out: str, devices: str | None) -> None:
    """Train a model in folder OUT, or go on where a run in it stopped.

    OUT gets checkpoints, metrics.jsonl, TensorBoard logs and before/after pictures. `--set` takes
    dotted keys and YAML values: train.seed=1, train.phases.0.steps=100.
    """
    from cnnlg_tf.config import load_config
    from cnnlg_tf.training.run import summarise
    from cnnlg_tf.training.run import train as run

    checkpoint = run(
        load_config(config, list(overrides)), out, devices=_split(devices) if devices else None
    )
    click.echo(summarise(checkpoint))


def _split(names: str) -> list[Any]:
    return [name.strip() for name in names.split(",") if name.strip()]


if __name__ == "__main__":
    sys.exit(main())
