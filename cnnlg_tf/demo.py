"""The whole road in a few minutes: train a tiny model, repair a photo, export, serve, request, compare.

`make demo` runs it. Every step is the command that a user would type; this module only strings them together, checks
what comes back and sums it up.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageDraw

from cnnlg_tf.errors import CnnlgError, ServingError

EXAMPLES = Path(__file__).parent / "examples"
SERVER_SECONDS = 120.0


@click.command()
@click.option("--out", default="out", show_default=True, type=click.Path(path_type=Path))
@click.option("--config", default="demo", show_default=True)
def main(out: Path, config: str) -> None:
    """Train, repair, export, serve and request, end to end; leaves everything in OUT."""
    try:
        run(out, config)
    except CnnlgError as error:
        raise click.ClickException(str(error)) from error


def run(out: Path, config: str) -> None:
    """All steps; raises CnnlgError at the first that fails."""
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    photo, mask = EXAMPLES / "wren.jpg", EXAMPLES / "wren.mask.png"
    model, export = out / "run", out / "export"
    local, served, shipped = (
        out / "repaired-demo.png",
        out / "repaired-served.png",
        out / "repaired.png",
    )
    seconds = {
        "train a tiny model on synthetic images": _cli("train", "--config", config, "-o", model),
        "repair a photo with it": _cli(
            "inpaint", photo, "--mask", mask, "--model", model, "-o", local
        ),
        "repair it with the shipped model": _cli("inpaint", photo, "--mask", mask, "-o", shipped),
        "export it as a SavedModel": _cli("export", model, "--format", "saved_model", "-o", export),
    }
    port = _free_port()
    with _server(export, port, out / "server.log"):
        address = f"localhost:{port}"
        seconds["have the server repair the photo"] = _cli(
            "request", photo, "--mask", mask, "--server", address, "-o", served
        )
    largest = compare(local, served)
    _draw_strip(
        photo, mask, {"shipped model": shipped, "demo model": local}, out / "before-after.png"
    )
    _summary(seconds, out, largest)


def compare(local: Path, served: Path) -> int:
    """Largest difference of two repairs in 8-bit levels; raises ServingError above 1 (rounding)."""
    pixels = [
        np.asarray(Image.open(path).convert("RGB")).astype(np.int16) for path in (local, served)
    ]
    if pixels[0].shape != pixels[1].shape:
        raise ServingError(
            f"{served} must have the shape of {local}, {pixels[0].shape}. Received: {pixels[1].shape}"
        )
    largest = int(np.abs(pixels[0] - pixels[1]).max())
    if largest > 1:
        raise ServingError(
            f"{served} must equal {local} within 1 level of 255. Received: a difference of {largest}"
        )
    return largest


def _cli(*arguments: object) -> float:
    """Run one `cnnlg-tf` command, show it and its time; returns seconds."""
    words = [str(argument) for argument in arguments]
    click.secho(f"$ cnnlg-tf {' '.join(words)}", bold=True)
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "cnnlg_tf.cli", *words], check=False)
    if done.returncode:
        raise CnnlgError(f"`cnnlg-tf {words[0]}` ended with status {done.returncode}")
    return time.perf_counter() - began


@contextmanager
def _server(export: Path, port: int, log: Path) -> Iterator[None]:
    """`cnnlg-tf serve` in the background, ready when the block starts, stopped after it."""
    command = [
        sys.executable,
        "-m",
        "cnnlg_tf.cli",
        "serve",
        str(export),
        "--port",
        str(port),
        "--rest-port",
        "0",
    ]
    click.secho(f"$ cnnlg-tf {' '.join(command[3:])} &", bold=True)
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            _wait_until_served(process, port, log)
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_until_served(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    from cnnlg_tf.serving import Client

    deadline = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with Client(f"localhost:{port}", timeout=2.0) as client:
                client.metadata()
            return
        except ServingError:
            time.sleep(0.5)
    tail = "\n".join(log.read_text(encoding="utf-8").splitlines()[-5:])
    raise ServingError(
        f"the server must be ready within {SERVER_SECONDS:.0f} s. Its log ends:\n{tail}"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def _draw_strip(photo: Path, mask: Path, repairs: dict[str, Path], path: Path) -> None:
    """The photo, the photo with its hole, and each repair, side by side with captions."""
    original = Image.open(photo).convert("RGB")
    hole = Image.open(mask).convert("L").point(lambda level: 255 if level >= 128 else 0)
    holed = original.copy()
    holed.paste((255, 0, 255), mask=hole)
    shown = {"photo": original, "hole": holed} | {
        name: Image.open(p).convert("RGB") for name, p in repairs.items()
    }
    width, height = original.size
    strip = Image.new("RGB", (width * len(shown), height + 24), "white")
    draw = ImageDraw.Draw(strip)
    for index, (name, picture) in enumerate(shown.items()):
        strip.paste(picture, (index * width, 24))
        draw.text((index * width + 6, 4), name, fill="black", font_size=15)
    strip.save(path)


def _summary(seconds: dict[str, float], out: Path, largest: int) -> None:
    click.echo()
    for step, taken in seconds.items():
        click.echo(f"  {step:<42}{taken:7.1f} s")
    click.echo(
        f"  {'served repair against local repair':<42}{'equal' if largest == 0 else f'within {largest}/255':>9}"
    )
    click.echo()
    for name, what in {
        "before-after.png": "photo, hole, shipped model, demo model",
        "repaired.png": "the shipped model's repair",
        "run": "checkpoint, metrics.jsonl, TensorBoard logs and pictures of the demo model",
        "export": "SavedModel for TF-Serving",
    }.items():
        click.echo(f"  {os.path.join(out, name):<26}{what}")
    command = os.path.relpath(Path(sys.executable).with_name("cnnlg-tf"))
    click.echo()
    click.echo("next, a page to repair photos with a brush:")
    click.echo(f"  {command} ui {os.path.relpath(EXAMPLES / 'wren.jpg')}")


if __name__ == "__main__":
    main()
