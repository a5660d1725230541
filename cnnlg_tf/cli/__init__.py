"""The `cnnlg-tf` command. Each command translates its options into one library call.

A module holds a group of commands. What is heavy (TensorFlow, NumPy, Pillow) is imported inside
commands, so that `--help` answers at once.
"""

import logging
import os

import click

from cnnlg_tf import __version__
from cnnlg_tf.cli import bulk, inpainting, measuring, page, painting, production, study, training
from cnnlg_tf.cli.reporting import Group
from cnnlg_tf.cli.text import printable


class _Notes(logging.Handler):
    """Prints the library's warnings as `Note: message`, each message once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self._said:
            self._said.add(message)
            click.echo(printable(f"Note: {message}"), err=True)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cnnlg-tf")
@click.pass_context
def main(context: click.Context) -> None:
    """Repair and paint photos; train, measure, export and serve the model that does it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    logger = logging.getLogger("cnnlg_tf")
    others = [handler for handler in logger.handlers if not isinstance(handler, _Notes)]
    context.obj = _Notes()
    logger.handlers = [*others, context.obj]


for _command in (
    bulk.bulk,
    inpainting.inpaint,
    inpainting.repair,
    inpainting.request,
    measuring.evaluate,
    measuring.experiment,
    page.ui,
    painting.paint,
    production.deploy,
    production.export,
    production.serve,
    study.study,
    training.info,
    training.pack,
    training.publish,
    training.train,
):
    main.add_command(_command)
