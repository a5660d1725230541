"""Options that several commands have."""

import click

model = click.option(
    "--model",
    type=click.Path(),
    help="Checkpoint, export or server (host:port); default: the shipped model.",
)
detail = click.option(
    "--detail",
    type=click.FloatRange(0, 2),
    default=1.0,
    show_default=True,
    help="0 smooth .. 1 as learnt .. 2 crisp.",
)
feather = click.option(
    "--feather",
    type=click.IntRange(0),
    default=0,
    metavar="PX",
    help="Fade from the repair to the photo over the pixels around the hole, which change then.",
)
invert_mask = click.option("--invert-mask", is_flag=True, help="White = known.")
quiet = click.option("--quiet", is_flag=True, help="Tell nothing but errors.")
sensitivity = click.option(
    "--sensitivity",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="0 repairs what is certainly damaged .. 1 all that may be.",
)


lift = click.option(
    "--lift/--no-lift",
    default=None,
    help="Lift stains that the photo shows through, and paint only their borders.  [default: where damage was found]",
)


def leave_notes_out() -> None:
    """What --quiet asks for: errors are still told."""
    click.get_current_context().find_root().obj.setLevel("CRITICAL")
