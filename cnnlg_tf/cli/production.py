"""Commands that bring a model into production: export it, serve it, write a deployment."""

import os
from typing import Any

import click


@click.command()
@click.argument("export", type=click.Path())
@click.option(
    "--target",
    required=True,
    type=click.Choice(["compose", "kubernetes", "kserve", "triton"]),
    help="compose adds Prometheus and Grafana.",
)
@click.option("-o", "--out", required=True, type=click.Path(), help="New folder.")
@click.option("--model-name", default="cnnlg", show_default=True, help="Its name on the server.")
def deploy(export: str, target: Any, out: str, model_name: str) -> None:
    """Write a folder that serves EXPORT in production, the model included."""
    from cnnlg_tf.serving.deploy.deployment import write_deployment

    following = write_deployment(target, export, out, model_name=model_name)
    click.echo(f"wrote {out}; next: {following}")


@click.command()
@click.argument("model", required=False, type=click.Path())
@click.option(
    "--format",
    "format_",
    required=True,
    type=click.Choice(["saved_model", "onnx", "tensorrt", "litert", "openvino", "all"]),
    help="all: whatever this machine can make, and a parity report.",
)
@click.option("-o", "--out", required=True, type=click.Path(), help="Folder for the export.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8"]),
    help="Default: fp32; fp16 for TensorRT.",
)
@click.option("--photos", type=click.Path(), help="16 photos or more: 8 to compare, 8 for int8.")
@click.option(
    "--pixels",
    is_flag=True,
    help="For an app: one graph, an 8-bit photo and mask in, the repair out; alone.",
)
@click.option(
    "--shape", help="With --pixels: the one size that it takes, 1xHxW, for delegates and OpenVINO."
)
@click.option("--allow-loss", is_flag=True, help="Write what misses its parity bar, too.")
@click.option("--version", type=int, help="SavedModel: its number; default: the next free one.")
@click.option(
    "--threads", type=click.IntRange(1), default=2, show_default=True, help="In the report."
)
@click.option(
    "--builder",
    type=click.Choice(["rtx", "classic"]),
    default="rtx",
    show_default=True,
    help="TensorRT: rtx needs no GPU; classic runs on the target machine.",
)
@click.option("--min-shape", default="1x16x16", show_default=True, help="TensorRT: BATCHxHxW.")
@click.option("--opt-shape", default="1x512x512", show_default=True, help="The size to tune for.")
@click.option("--max-shape", default="4x1024x1024", show_default=True, help="The largest taken.")
@click.option(
    "--capability",
    "capabilities",
    multiple=True,
    default=("ampere", "ada", "blackwell"),
    show_default=True,
    type=click.Choice(["turing", "ampere", "ada", "blackwell"]),
    help="TensorRT rtx: generations of cards; repeat.",
)
@click.option(
    "--timing-cache", type=click.Path(), help="TensorRT classic: file to keep timings in."
)
@click.option("--hardware-compatible", is_flag=True, help="TensorRT classic: Ampere and newer.")
@click.option("--version-compatible", is_flag=True, help="TensorRT classic: later TensorRT, too.")
@click.pass_context
def export(
    context: click.Context,
    /,
    model: str | None,
    format_: str,
    out: str,
    precision: str | None,
    threads: int,
    **options: Any,
) -> None:
    """Export MODEL (default: the shipped one) to a production format and prove its parity."""
    if format_ == "all" and precision is not None:
        raise click.UsageError("--format all makes every precision: leave --precision out")
    if format_ == "all" and options["pixels"]:
        raise click.UsageError("--pixels is for one format. Received: --format all")
    if options["shape"] is not None and not options["pixels"]:
        raise click.UsageError("--shape is for --pixels")
    _refuse_options_of_others(context, format_, options["builder"])
    from pathlib import Path

    import cnnlg_tf
    from cnnlg_tf.errors import ExportError
    from cnnlg_tf.export import formats
    from cnnlg_tf.export.bundle import Exporter, parse_options
    from cnnlg_tf.startup import start_tensorflow, use_threads

    parsed = parse_options(threads=threads, **options)
    if format_ != "all":
        formats.find(format_).choose(precision)
    if parsed.pixels:
        try:
            formats.find(format_).check_photos(parsed.shape)
        except ExportError as error:
            raise click.UsageError(f"--pixels, --shape: {error}") from error
    start_tensorflow()
    use_threads(threads)
    exporter = Exporter(cnnlg_tf.load(model), parsed)
    if format_ == "all":
        exporter.export_all(Path(out), tell=click.echo)
        click.echo(f"report: {os.path.join(out, 'parity.md')}")
    else:
        click.echo(f"wrote {exporter.export(format_, Path(out), precision)}")


def _refuse_options_of_others(context: click.Context, format_: str, builder: str) -> None:
    """Raise UsageError for an option that what is exported would ignore, whether it has its default value or not."""
    classic, rtx = ("--builder", "classic", builder), ("--builder", "rtx", builder)
    tensorrt, numbered = ("--format", "tensorrt", format_), ("--format", "saved_model", format_)
    asks = {
        "version": [numbered],
        **{name: [tensorrt] for name in ("builder", "min_shape", "opt_shape", "max_shape")},
        "capabilities": [tensorrt, rtx],
        **{
            name: [tensorrt, classic]
            for name in ("timing_cache", "hardware_compatible", "version_compatible")
        },
    }
    flags = {option.name: option.opts[0] for option in context.command.params}
    for name, needs in asks.items():
        if context.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE:
            continue
        for flag, wanted, given in needs:
            if given not in (wanted, "all"):
                raise click.UsageError(
                    f"{flags[name]} is for {flag} {wanted}. Received: {flag} {given}"
                )


@click.command()
@click.argument("export_dir", type=click.Path())
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen on; 0.0.0.0: all.")
@click.option("--port", default=8500, show_default=True, help="Port of the gRPC API.")
@click.option("--rest-port", default=8501, show_default=True, help="Port of the REST API; 0: none.")
@click.option("--model-name", default="cnnlg", show_default=True, help="Its name on the server.")
@click.option("--batching", is_flag=True, help="Merge concurrent requests of the same size.")
@click.option("--tls-certificate", type=click.Path(), help="PEM file: encrypt both ports.")
@click.option("--tls-key", type=click.Path(), help="PEM file of the certificate's key.")
@click.option("--tls-client-ca", type=click.Path(), help="Let in only clients this CA signed.")
def serve(
    export_dir: str,
    host: str,
    port: int,
    rest_port: int,
    model_name: str,
    batching: bool,
    tls_certificate: str | None,
    tls_key: str | None,
    tls_client_ca: str | None,
) -> None:
    """Serve EXPORT_DIR, a folder of numbered versions, as TensorFlow Serving would.

    New versions are taken up as they appear. `cnnlg-tf-model-server` has all the options.
    """
    from cnnlg_tf.serving.server.front import serve_export

    serve_export(
        export_dir,
        model_name=model_name,
        host=host,
        port=port,
        rest_port=rest_port,
        batching=batching,
        tls_files=(tls_certificate, tls_key, tls_client_ca),
    )
