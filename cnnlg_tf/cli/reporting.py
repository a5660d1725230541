"""How commands end on errors: one line in place of a traceback. The benchmarks' commands are of it too."""

import click

from cnnlg_tf.cli.text import printable
from cnnlg_tf.errors import CnnlgError


class Command(click.Command):
    """Prints `Error: message` and exits 1 on CnnlgError; click itself exits 2 on bad usage."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CnnlgError as error:
            click.echo(printable(f"Error: {error}"), err=True)
            ctx.exit(1)


class Group(Command, click.Group):
    """The same for a group of commands."""
