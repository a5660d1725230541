"""Commands that repair photos: here, or on a server."""

import time
from typing import Any

import click

from cnnlg_tf.errors import CnnlgError


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@click.option("--mask", type=click.Path(), help="White = missing: an image, or a folder of them.")
@click.option("--blind", is_flag=True, help="No mask: find the damage and repair it.")
@click.option("-o", "--out", required=True, type=click.Path(), help="File, or folder for several.")
@click.option(
    "--model",
    type=click.Path(),
    help="Checkpoint, export or server (host:port); default: the shipped model.",
)
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

    jobs = plan_jobs(photos, mask, out)
    if len(jobs) == 1:  # bad input is told at once, not after TensorFlow's start
        check_job(jobs[0])
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


@click.command()
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
    from cnnlg_tf.inference.inpainter import Inpainter
    from cnnlg_tf.serving import Client
    from cnnlg_tf.serving.client.network import ServerNetwork

    server = server or ("localhost:8501" if rest else "localhost:8500")
    if rest and "://" not in server:
        server = f"http://{server}"
    with Client(server, model=model_name, timeout=timeout) as client:
        Inpainter(ServerNetwork(client)).repair_file(photo, mask, out)
    click.echo(f"wrote {out}")
