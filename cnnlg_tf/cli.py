"""The `cnnlg-tf` command. Each command translates its options into one library call.

TensorFlow is imported inside commands, so that `--help` answers at once.
"""

import os
import sys

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


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cnnlg-tf")
def main() -> None:
    """Repair and paint photos; train, measure, export and serve the model that does it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


# Commands stand in alphabetical order below.


if __name__ == "__main__":
    sys.exit(main())
