"""The command that repairs photos in bulk."""

import dataclasses
import json
from typing import Any

import click

from cnnlg_tf.certainty import GROWTH
from cnnlg_tf.cli import common
from cnnlg_tf.cli.running import FORMATS
from cnnlg_tf.cli.text import printable
from cnnlg_tf.errors import CnnlgError


@click.command()
@click.argument("manifest", metavar="MANIFEST or FOLDER")
@click.option("-o", "--out", required=True, help="Folder or URL for outputs and ledger.parquet.")
@click.option("--mask", metavar="PATH", help="Of a FOLDER: one image for all, or a folder of them.")
@click.option(
    "--mask-suffix", default="", metavar="TEXT", help="Of a FOLDER, as `inpaint` takes it."
)
@click.option("--blind", is_flag=True, help="Of a FOLDER: no masks, find the damage.")
@click.option("--recursive", is_flag=True, help="Of a FOLDER: with the folders in it.")
@common.model
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Networks open at once.  [default: all that fit]",
)
@click.option(
    "--cpus-per-worker",
    type=click.IntRange(1),
    metavar="N",
    help="Cores of each.  [default: 2, or its share of a machine with --workers]",
)
@click.option(
    "--gpus-per-worker",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="0.5: two share a GPU.",
)
@click.option("--address", metavar="ADDRESS", help="A Ray cluster's; default: this machine alone.")
@click.option("--retry-errors", is_flag=True, help="Do photos again that failed.")
@common.invert_mask
@common.detail
@click.option(
    "--grow",
    type=click.IntRange(0),
    metavar="PX",
    help=f"Repair the pixels around the hole too.  [default: 0; {GROWTH} without a mask]",
)
@common.lift
@common.feather
@common.sensitivity
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    help="Of the outputs.  [default: by the photos' names]",
)
@click.option("--quality", type=click.IntRange(1, 100), help="Of lossy outputs.")
@click.option("--json", "as_json", is_flag=True, help="Tell the summary as JSON.")
@common.quiet
def bulk(
    manifest: str,
    out: str,
    mask: str | None,
    mask_suffix: str,
    blind: bool,
    recursive: bool,
    workers: int | None,
    cpus_per_worker: int | None,
    gpus_per_worker: float,
    address: str | None,
    retry_errors: bool,
    form: str | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Repair the photos that a parquet, CSV or JSONL MANIFEST names, or a FOLDER's, on Ray Data.

    A manifest's columns are id, photo and, as wanted, mask and reference: paths seen from its folder, or
    URLs. A row without a mask is repaired blind. OUT/ledger.parquet tells what became of each. The same
    command goes on after any end of a run.
    """
    from cnnlg_tf.extras import require

    for package in ("pyarrow", "fsspec"):
        require(package, "bulk")
    from cnnlg_tf.bulk.manifest import SUFFIXES
    from cnnlg_tf.bulk.progress import Lines
    from cnnlg_tf.bulk.run import run_bulk
    from cnnlg_tf.bulk.worker import Repairing

    masked = mask is not None or bool(mask_suffix)
    if manifest.lower().endswith(SUFFIXES):
        if masked or blind or recursive:
            raise click.UsageError(
                "--mask, --mask-suffix, --blind and --recursive are for a FOLDER: a manifest names its masks"
            )
    elif blind == masked:
        raise click.UsageError("give a FOLDER either --mask MASK (or --mask-suffix) or --blind")
    if quiet:
        common.leave_notes_out()
    wanted: Any = FORMATS[form] if form else None
    lines = None if quiet else Lines()
    try:
        summary = run_bulk(
            manifest,
            out,
            Repairing(form=wanted, **options),
            mask=mask,
            mask_suffix=mask_suffix,
            recursive=recursive,
            workers=workers,
            cpus_per_worker=cpus_per_worker,
            gpus_per_worker=gpus_per_worker,
            address=address,
            retry_errors=retry_errors,
            progress=lines,
        )
    except KeyboardInterrupt:
        raise click.ClickException("stopped; the same command goes on from what is done") from None
    finally:
        if lines is not None:
            lines.end()
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(summary)))
    elif not quiet:
        click.echo(printable(f"{out}: {summary}"))
    if summary.failed:
        for error in summary.errors:
            click.echo(printable(f"Error: {error}"), err=True)
        raise CnnlgError(
            f"{summary.failed} of {summary.photos} photos were not repaired: ledger.parquet says why; "
            "--retry-errors does them again"
        )
