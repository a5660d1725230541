"""Make the tables of docs/experiments.md from the sweeps in docs/experiments.

    python benchmarks/experiments_page.py [docs/experiments.md docs/experiments]

A sweep gets there by `cp runs/NAME/sweep.json docs/experiments/NAME.json`.
"""

from pathlib import Path

import click

from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.experiments.page import update_page

DOCS = Path(__file__).parents[1] / "docs"
EXISTING = click.Path(exists=True, path_type=Path)


@click.command(cls=Command)
@click.argument("page", type=EXISTING, default=DOCS / "experiments.md")
@click.argument("sweeps", type=EXISTING, default=DOCS / "experiments")
def main(page: Path, sweeps: Path) -> None:
    """Fill PAGE's tables from the files of the folder SWEEPS."""
    changed = update_page(page, sweeps)
    click.echo(f"{page}: {'written' if changed else 'nothing has changed'}")


if __name__ == "__main__":
    main()
