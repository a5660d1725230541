"""Commands that repair photos: here, or on a server."""

from typing import Any

import click

from cnnlg_tf.certainty import GROWTH
from cnnlg_tf.cli import common, running


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@click.option(
    "--mask", type=click.Path(), help="White = missing: an image, a folder of them, or -."
)
@click.option(
    "--mask-suffix",
    default="",
    metavar="TEXT",
    help="Masks are called so after their photos: _mask for a_mask.png, beside a.jpg or in --mask.",
)
@click.option("--blind", is_flag=True, help="No mask: find the damage, as `repair` does.")
@common.model
@common.invert_mask
@click.option(
    "--grow",
    type=click.IntRange(0),
    metavar="PX",
    help=f"Repair the pixels around the hole too.  [default: 0; {GROWTH} with --blind]",
)
@common.lift
@common.feather
@click.option("--samples", type=click.IntRange(0), default=0, help="Write N different repairs too.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of --samples.")
@click.option("--uncertainty", is_flag=True, help="Write a map of the standard deviation too.")
@common.detail
@click.option(
    "--reference",
    multiple=True,
    type=click.Path(),
    help="Another photo whose texture may be copied; repeat.",
)
@running.file_options
def inpaint(
    photos: tuple[str, ...],
    mask: str | None,
    mask_suffix: str,
    blind: bool,
    **options: Any,
) -> None:
    """Repair PHOTOS, files or folders (or - for standard input), where their masks are white.

    A folder of masks is matched to the photos by names without suffix. Known pixels stay as they
    are: exactly in PNG, TIFF and WebP files, as well as JPEG can in JPEG files.
    """
    if blind == (mask is not None or bool(mask_suffix)):
        raise click.UsageError("give either --mask MASK (or --mask-suffix) or --blind")
    _run(photos, mask, mask_suffix=mask_suffix, **options)


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@common.sensitivity
@click.option(
    "--grow",
    type=click.IntRange(0),
    default=GROWTH,
    show_default=True,
    metavar="PX",
    help="Repair the pixels around the damage too.",
)
@common.lift
@common.feather
@click.option("--save-mask", is_flag=True, help="Write OUT_mask.png: white = was repaired.")
@click.option("--preview", is_flag=True, help="Write OUT_preview.png: red = was repaired.")
@common.detail
@common.model
@running.file_options
def repair(photos: tuple[str, ...], **options: Any) -> None:
    """Find the damage on old PHOTOS, files or folders, and repair it: no mask is needed.

    Cracks, folds, scratches, dust, hairs, spots, stains and torn corners are looked for; fading and
    yellowing stay as they are. Stains that the photo shows through are lifted, the rest is painted
    over. A photo without damage comes back as it is. To repair other parts than those found, change
    OUT_mask.png and give it to `inpaint --mask`.
    """
    _run(photos, None, **options)


def _run(
    photos: tuple[str, ...],
    mask: str | None,
    *,
    model: str | None,
    out: str | None,
    recursive: bool,
    skip_existing: bool,
    overwrite: bool,
    mask_suffix: str = "",
    **options: Any,
) -> None:
    telling = {name: options[name] for name in ("as_json", "quiet", "form")}
    jobs = running.plan(
        photos,
        mask,
        mask_suffix=mask_suffix,
        out=out,
        recursive=recursive,
        skip_existing=skip_existing,
        overwrite=overwrite,
        **telling,
    )

    def opened() -> Any:
        from cnnlg_tf.inference.inpainter import Inpainter

        return Inpainter(model)

    running.run(jobs, opened, **options)


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
    from cnnlg_tf.inference.jobs import plan_jobs, run_jobs
    from cnnlg_tf.serving import Client
    from cnnlg_tf.serving.client.network import ServerNetwork

    server = server or ("localhost:8501" if rest else "localhost:8500")
    if rest and "://" not in server:
        server = f"http://{server}"
    with Client(server, model=model_name, timeout=timeout) as client:
        for done in run_jobs(
            plan_jobs([photo], mask, out), lambda: Inpainter(ServerNetwork(client))
        ):
            if done.error is not None:
                raise done.error
    click.echo(f"wrote {out}")
