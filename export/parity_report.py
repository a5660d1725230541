"""The parity report: every export that a CPU can run, against the Keras model, on photos.

Writes parity.json, parity.md and worst.png: the case that lies furthest from the model's repair.
"""

import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export import cases, manifest, parity, runners
from cnnlg_tf.export.cases import Case
from cnnlg_tf.export.signatures import SIGNATURES, available
from cnnlg_tf.files import atomic_path

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

LATENCY_SIDE = 512


@dataclass(frozen=True)
class Row:
    """One export: its parity, the worst of its signatures (None where it takes a GPU to run), its cost, and what misses
    its bar."""

    name: str
    format: str
    precision: str
    megabytes: float
    parity: parity.Difference | None
    cost: dict[str, float] | None
    loss: str | None


def write_report(
    model: "CNNLG",
    exports: list[Path],
    out: str | Path,
    *,
    photos: str | Path | None = None,
    threads: int = 2,
    tell: Callable[[str], object] = lambda line: None,
) -> list[Row]:
    """Measure `exports` (folders with a manifest) and write the report to the folder `out`.

    Args:
        photos: a folder with at least 8 photos; crops of the package's examples when None.
        threads: of every runtime, for the latencies.

    Raises:
        ArtefactError: an export is altered.
        DataError: the photos cannot be read.
        ExportError: there are fewer than 8 photos, or the report cannot be written.
    """
    tried = cases.make_cases(model, cases.read_photos(photos), available(model, everywhere=True))
    rows = []
    furthest: tuple[float, Image.Image] | None = None
    for folder in exports:
        row, picture = _measure(folder, tried, threads)
        rows.append(row)
        tell(_line(row))
        if row.parity and picture and (furthest is None or row.parity.hole_psnr < furthest[0]):
            furthest = (row.parity.hole_psnr, picture)
    keras = _measure_keras(model)
    out = Path(out)
    about = {
        "photos": str(photos) if photos else "crops of the package's example photos",
        "cases": [[case.signature, *case.inputs["image"].shape] for case in tried],
        "latency": f"one photo of {LATENCY_SIDE} x {LATENCY_SIDE}, median of 3, {threads} threads",
        "machine": f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "keras_ms": keras,
        "bars": {"hole_near": parity.MIN_NEAR, "hole_psnr": parity.MIN_PSNR},
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        with atomic_path(out / "parity.json") as path:
            text = json.dumps(about | {"exports": [asdict(row) for row in rows]}, indent=1)
            path.write_text(text + "\n", encoding="utf-8")
        with atomic_path(out / "parity.md") as path:
            path.write_text(as_markdown(about, rows), encoding="utf-8")
        if furthest is not None:
            with atomic_path(out / "worst.png") as path:
                furthest[1].save(path)
    except OSError as error:
        raise ExportError(f"the report in {out} cannot be written: {error}") from error
    return rows


def as_markdown(about: dict[str, Any], rows: list[Row]) -> str:
    """The report as a table, with what was measured and how."""
    fastest = min((row.cost["latency_ms"] for row in rows if row.cost), default=None)
    keras = about["keras_ms"]
    lines = [
        "# Parity of the exports with the Keras model",
        "",
        f"Photos: {about['photos']}; {len(about['cases'])} cases. Latency: {about['latency']}; {about['machine']}.",
        f"Keras model on the same input: `model.repair` {keras['eager']:.0f} ms, "
        f"in a `tf.function` {keras['function']:.0f} ms.",
        "",
        "| export | MB | max diff | mean diff | PSNR in hole | load s | latency ms | x Keras | peak MB | bar |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row.name, f"{row.megabytes:.1f}"]
        if row.parity and row.cost:
            cost = row.cost
            cells += [
                f"{row.parity.max_abs:.1e}",
                f"{row.parity.mean_abs:.1e}",
                f"{row.parity.hole_psnr:.1f} dB",
                f"{cost['load_seconds']:.1f}",
                f"{cost['latency_ms']:.0f}",
                f"{keras['eager'] / cost['latency_ms']:.2f}",
                f"{cost['peak_megabytes']:.0f}",
                row.loss or "met",
            ]
        else:
            cells += ["-"] * 7 + ["runs on a GPU; its ONNX model met the bar"]
        lines.append(f"| {' | '.join(cells)} |")
    if fastest:
        lines += [
            "",
            f"The fastest is {keras['eager'] / fastest:.2f} times as fast as calling `model.repair`, "
            f"{keras['function'] / fastest:.2f} times as fast as the same in a `tf.function`.",
        ]
    return "\n".join(lines) + "\n"


def _measure(folder: Path, tried: list[Case], threads: int) -> tuple[Row, Image.Image | None]:
    """The row, and a picture of the case that lies furthest from the model's repair."""
    made = manifest.verify(folder)
    size = sum(file["bytes"] for file in made["files"].values()) / 1e6
    name = f"{made['format']} {made['precision']}"
    if made["format"] == "tensorrt":
        row = Row(
            f"{name} {made['builder']}", "tensorrt", made["precision"], size, None, None, None
        )
        return row, None
    loaded = runners.load(folder, threads)
    tried = [case for case in tried if case.signature in loaded]
    results = [loaded[case.signature](**case.inputs) for case in tried]
    found = [parity.compare(case, result) for case, result in zip(tried, results, strict=True)]
    total = parity.worst(found)
    worst = int(np.argmin([d.hole_psnr for d in found]))
    cost = runners.measure(folder, LATENCY_SIDE, threads)
    row = Row(
        name, made["format"], made["precision"], size, total, cost, total.loss(made["precision"])
    )
    return row, _picture(tried[worst], results[worst])


def _measure_keras(model: "CNNLG") -> dict[str, float]:
    """Milliseconds of the Keras model in this process: called as it is, and in a tf.function."""
    import tensorflow as tf

    function = tf.function(lambda image, mask: model.repair(image, mask), autograph=False)
    callers: dict[str, Callable[..., Any]] = {"eager": model.repair, "function": function}
    return {
        name: round(
            runners.latency(
                lambda image, mask, call=call: {"repaired": call(image, mask)[0].numpy()},  # type: ignore[misc]
                LATENCY_SIDE,
            ),
            1,
        )
        for name, call in callers.items()
    }


def _picture(case: Case, received: dict[str, np.ndarray]) -> Image.Image:
    """The photo with its hole, the model's repair, the export's, and ten times their difference, side by side."""
    name = SIGNATURES[case.signature].result
    wanted, given = case.expected[name], received[name]
    shown = case.inputs["image"] * (1.0 - case.inputs["mask"])
    tiles = [shown, wanted, given, 10.0 * np.abs(given - wanted)]
    strip = np.concatenate([np.concatenate(list(tile), axis=0) for tile in tiles], axis=1)
    return Image.fromarray(np.round(255.0 * np.clip(strip, 0.0, 1.0)).astype(np.uint8))


def _line(row: Row) -> str:
    if row.parity is None or row.cost is None:
        return f"{row.name}: {row.megabytes:.1f} MB, runs on a GPU"
    return (
        f"{row.name}: {row.megabytes:.1f} MB, {row.parity.hole_psnr:.1f} dB in the hole, "
        f"{row.cost['latency_ms']:.0f} ms" + (f"; {row.loss}" if row.loss else "")
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
