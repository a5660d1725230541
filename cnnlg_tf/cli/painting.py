"""The command that paints: beyond a photo's frame, after a sketch, from other pictures, from nothing."""

from pathlib import Path
from typing import Any

import click

from cnnlg_tf.cli import common
from cnnlg_tf.cli.text import printable


class _SeveralAfterOne(click.Command):
    """A command whose `--reference a b c` takes all that follows, up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        taking = False
        for arg in args:
            if arg.startswith("-") and len(arg) > 1:
                taking = arg == "--reference"
                if not taking:
                    spread.append(arg)
            elif taking:
                spread += ["--reference", arg]
            else:
                spread.append(arg)
        if args and args[-1] == "--reference":
            raise click.UsageError("--reference needs a picture or a folder of them")
        return super().parse_args(ctx, spread)


def _size(context: click.Context, option: click.Parameter, value: str | None) -> Any:
    if value is None:
        return None
    parts = value.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise click.BadParameter(f"must read like 512x512, width by height. Received: {value!r}")
    return int(parts[0]), int(parts[1])


@click.command(cls=_SeveralAfterOne)
@click.argument("photo", required=False, type=click.Path())
@click.option(
    "--extend",
    metavar="SIDES",
    help="Paint on beyond the borders: left=20%,top=300 (left, top, right, bottom; % or px).",
)
@click.option("--aspect", metavar="W:H", help="The same, up to an aspect: 16:9.")
@click.option("--mask", type=click.Path(), help="Paint where it is white.")
@click.option("--new", metavar="WxH", callback=_size, help="A picture from nothing: 512x512.")
@click.option(
    "--sketch",
    type=click.Path(),
    help="Strokes on a transparent layer, as large as what is painted, that it follows.",
)
@click.option(
    "--reference",
    multiple=True,
    type=click.Path(),
    metavar="PICTURE...",
    help="Pictures, or folders of them: structure and texture may come from there.",
)
@click.option("--samples", type=click.IntRange(0), default=0, help="N more, and a contact sheet.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of what is drawn."
)
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Of what is drawn: 0 as expected .. 1 as far apart as learnt.",
)
@common.detail
@common.model
@click.option("-o", "--out", required=True, type=click.Path(), help="File to write.")
@click.option("--quality", type=click.IntRange(1, 100), help="Of a lossy output.")
@common.quiet
def paint(
    photo: str | None,
    extend: str | None,
    aspect: str | None,
    mask: str | None,
    new: tuple[int, int] | None,
    sketch: str | None,
    reference: tuple[str, ...],
    model: str | None,
    out: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Paint: beyond PHOTO's frame, in its hole, or a picture from nothing.

    PHOTO's own pixels stay as they are. Give one of --extend, --aspect, --mask and --new.
    """
    ways = {"--extend": extend, "--aspect": aspect, "--mask": mask, "--new": new}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        raise click.UsageError(
            f"give one of {', '.join(ways)}. Received: {' and '.join(given) or 'none'}"
        )
    if (new is None) != (photo is not None):
        raise click.UsageError(f"{given[0]} needs {'no PHOTO' if new else 'a PHOTO'}")
    if new is not None and sketch is not None:
        raise click.UsageError("--sketch is for a hole: give --extend, --aspect or --mask")
    if quiet:
        common.leave_notes_out()
    from cnnlg_tf.painting import paint_file, paint_new_file

    if new is not None:
        written = paint_new_file(out, new[1], new[0], model=model, reference=reference, **options)
    else:
        written = paint_file(
            str(photo),
            out,
            extension=extend or aspect,
            mask=mask,
            sketch=sketch,
            reference=reference,
            model=model,
            **options,
        )
    if not quiet:
        click.echo(printable(", ".join(str(Path(path)) for path in written)))
