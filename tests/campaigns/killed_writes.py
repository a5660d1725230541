"""kill -9 of a folder run and of an export at random moments.

Must hold: outputs are whole or absent, and what was left out is finished byte for byte by the same
command with --skip-existing (a folder run), or by the same command (an export).
"""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tests.campaigns.harness import Budget, Report, main, promise

_PHOTOS = 24
# A folder run with a network that fills with grey: what is attacked is the writing, and it starts
# in a second. The outputs are those of `cnnlg-tf inpaint FOLDER --skip-existing`.
_REPAIR = """
import sys
import numpy as np
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.jobs import plan_jobs, run_jobs
from cnnlg_tf.inference.network import Filled

class Grey:
    can, widest, widest_guided = frozenset(), 4096, 4096
    def fill(self, image, hole, conditions, guide=None):
        return Filled(np.where(hole[..., None], np.float32(0.5), image), hole.astype(np.float32))

jobs = plan_jobs([sys.argv[1]], sys.argv[2], sys.argv[3], skip_existing=True)
for done in run_jobs(jobs, lambda: Inpainter(Grey())):
    assert done.error is None, done.error
"""
# An export writes a folder of several files; TensorFlow's start would take most of each try.
_EXPORT = """
import sys
from pathlib import Path
from cnnlg_tf.files import atomic_path
for version in range(1, 9):
    if not (Path(sys.argv[1]) / str(version)).exists():
        with atomic_path(Path(sys.argv[1]) / str(version)) as folder:
            folder.mkdir()
            for name in ("saved_model.pb", "variables", "manifest.json"):
                (folder / name).write_bytes(bytes([version]) * 2_000_000)
"""


def campaign(budget: Budget, dice: random.Random, folder: Path) -> Report:
    """Kill folder runs and exports in turn."""
    report = Report()
    photos = folder / "photos"
    photos.mkdir()
    numbers = np.random.default_rng(0)
    for index in range(_PHOTOS):
        pixels = numbers.integers(0, 255, (300, 400, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{index:02d}{('.png', '.jpg')[index % 2]}")
    hole = np.zeros((300, 400), np.uint8)
    hole[100:150, 120:180] = 255
    Image.fromarray(hole).save(folder / "mask.png")
    inputs = [str(photos), str(folder / "mask.png")]
    kinds = [
        ("folder run", _REPAIR, lambda out: [*inputs, str(out)]),
        ("export", _EXPORT, lambda out: [str(out)]),
    ]
    wholes = []
    for name, script, arguments in kinds:
        process = _run(script, arguments(folder / name))
        _await_first(folder / name, process)
        start = time.monotonic()
        promise(process.wait() == 0, f"an unbroken {name} failed")
        wholes.append((_contents(folder / name), time.monotonic() - start))
    for index in budget.attacks():
        (name, script, arguments), (whole, writing) = kinds[index % 2], wholes[index % 2]
        out = folder / f"out{index}"
        process = _run(script, arguments(out))
        _await_first(out, process)
        time.sleep(dice.uniform(0, writing))
        process.send_signal(signal.SIGKILL)
        process.wait()
        left = _contents(out)
        for path, data in left.items():
            promise(data == whole.get(path), f"a killed {name} left {path} that is not whole")
        quarter = min(3, 4 * len(left) // len(whole))
        report.outcomes[f"{name} killed in quarter {quarter + 1}"] += 1
        promise(_run(script, arguments(out)).wait() == 0, f"a {name} did not go on")
        promise(_contents(out) == whole, f"a {name} that went on is not what an unbroken one is")
    return report


def _await_first(out: Path, process: "subprocess.Popen[bytes]") -> None:
    """Return when the first output, whole or not, is being written, or the process is over."""
    while process.poll() is None and not (out.is_dir() and any(out.iterdir())):
        time.sleep(0.001)


def _run(script: str, arguments: list[str]) -> "subprocess.Popen[bytes]":
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-c", script, *arguments], **quiet)


def _contents(folder: Path) -> dict[str, bytes]:
    """Every file but those in the hidden folders of writes that never ended."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(p.startswith(".new-") for p in path.relative_to(folder).parts)
    }


if __name__ == "__main__":
    main(campaign, count=100, seconds=3600)
