"""The command that opens the page."""

import click


@click.command()
@click.argument("target", required=False, type=click.Path(), metavar="[PHOTO or FOLDER]")
@click.option(
    "--model", type=click.Path(), help="What `inpaint --model` takes; default: the shipped model."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8650,
    show_default=True,
    help="The next free one is taken if it is in use; 0: any.",
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def ui(target: str | None, model: str | None, port: int, no_browser: bool) -> None:
    """Repair photos with a brush, on a page in the browser.

    The page is served from this machine to this machine only. A FOLDER is shown as a strip of
    thumbnails; results are written beside its photos, or into its subfolder `repaired`.
    """
    from cnnlg_tf.open import open_network
    from cnnlg_tf.ui.command import serve_page

    serve_page(
        lambda: open_network(model), target, port=port, browser=not no_browser, tell=click.echo
    )
