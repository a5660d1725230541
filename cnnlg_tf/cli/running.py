"""What commands that repair files share: options for files, and telling what becomes of each photo."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from cnnlg_tf.cli import common
from cnnlg_tf.cli.text import printable
from cnnlg_tf.errors import CnnlgError

if TYPE_CHECKING:
    from cnnlg_tf.inference.inpainter import Inpainter
    from cnnlg_tf.inference.jobs import Done, Job

FORMATS = {
    "png": "PNG",
    "jpeg": "JPEG",
    "webp": "WEBP",
    "tiff": "TIFF",
    "avif": "AVIF",
    "heic": "HEIF",
}

_FILE_OPTIONS = [
    click.option(
        "-o", "--out", type=click.Path(), help="File, folder for several, or - for standard output."
    ),
    click.option("--recursive", is_flag=True, help="Take the photos of folders in folders too."),
    click.option("--skip-existing", is_flag=True, help="Leave photos out whose output is there."),
    click.option(
        "--overwrite", is_flag=True, help="Photos may be replaced by their repairs; -o is optional."
    ),
    click.option(
        "--format",
        "form",
        type=click.Choice(list(FORMATS)),
        help="Of the outputs.  [default: by their names]",
    ),
    click.option(
        "--quality",
        type=click.IntRange(1, 100),
        help="Of lossy outputs.  [default: a JPEG photo's own, else 95; 90 for AVIF and HEIC]",
    ),
    click.option("--json", "as_json", is_flag=True, help="Tell in lines of JSON, one a photo."),
    common.quiet,
]


def file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that `plan` and `run` take."""
    for option in reversed(_FILE_OPTIONS):
        command = option(command)
    return command


def plan(
    photos: tuple[str, ...],
    mask: str | None,
    *,
    out: str | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    form: str | None,
    **options: Any,
) -> "list[Job]":
    """The jobs of a command line; raises UsageError for options that exclude each other."""
    if out is None and not overwrite:
        raise click.UsageError("give -o OUT, or --overwrite to replace the photos")
    if overwrite and options["skip_existing"]:
        raise click.UsageError("give either --overwrite or --skip-existing")
    if out == "-" and as_json:
        raise click.UsageError("--json needs standard output for itself: give -o another place")
    if quiet:
        common.leave_notes_out()
    from cnnlg_tf.inference.jobs import plan_jobs

    wanted: Any = FORMATS[form] if form else None
    return plan_jobs(photos, mask, out, overwrite=overwrite, form=wanted, **options)


def run(
    jobs: "list[Job]",
    open_inpainter: "Callable[[], Inpainter]",
    *,
    as_json: bool,
    quiet: bool,
    form: str | None,
    **options: Any,
) -> None:
    """Do the jobs and tell of each; raises CnnlgError at the end if some failed."""
    from cnnlg_tf.inference.jobs import run_jobs

    wanted: Any = FORMATS[form] if form else None
    failed = 0
    with _bar(len(jobs), quiet) as bar:
        done_jobs = run_jobs(jobs, open_inpainter, form=wanted, progress=bar.part, **options)
        for done in done_jobs:
            bar.next()
            failed += done.error is not None
            if as_json:
                click.echo(_as_json(done))
            elif done.error is not None and len(jobs) == 1:
                raise done.error
            elif done.error is not None:
                click.echo(printable(f"Error: {done.error}"), err=True)
            elif not quiet and done.written:
                names = ", ".join(str(path) for path in done.written)
                found = "" if done.damage is None else f"found {done.damage}, "
                click.echo(printable(f"{names} ({found}{done.seconds:.1f} s)"))
    if failed:
        raise CnnlgError(f"{failed} of {len(jobs)} photos were not repaired")


def _as_json(done: "Done") -> str:
    return json.dumps(
        {
            "photo": str(done.job.photo),
            "mask": None if done.job.mask is None else str(done.job.mask),
            "output": str(done.job.output),
            "written": [str(path) for path in done.written],
            "damaged": None if done.damage is None else done.damage.share,
            "seconds": round(done.seconds, 3),
            "error": None if done.error is None else str(done.error),
        }
    )


class _Silent:
    """A bar that nobody sees."""

    part = None

    def next(self) -> None:
        """A photo is done."""


class _Bar:
    """Shows how many of the photos are done, parts of one included."""

    def __init__(self, show: Callable[[float], None]) -> None:
        self._show, self._done = show, 0

    def part(self, share: float) -> None:
        """So much of the present photo is done, 0 to 1."""
        self._show(self._done + share)

    def next(self) -> None:
        """A photo is done."""
        self._done += 1
        self._show(self._done)


@contextmanager
def _bar(count: int, quiet: bool) -> Iterator[_Bar | _Silent]:
    """A bar with the time left for several photos, where standard error is a terminal."""
    if quiet or count < 2 or not sys.stderr.isatty():
        yield _Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(elapsed_when_finished=True))
    # lines for standard output go past the bar only where both are one screen
    same_screen = sys.stdout.isatty()
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=same_screen
    ) as progress:
        task = progress.add_task("", total=count)
        yield _Bar(lambda completed: progress.update(task, completed=completed))
