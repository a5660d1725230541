"""An installed wheel works with no checkout near: it holds all that it needs, and the README's commands run."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import make_mask, make_photo

ROOT = Path(__file__).parent.parent
NOT_SOURCE = shutil.ignore_patterns(
    ".git",
    ".venv*",
    "build",
    "dist",
    "out",
    "runs",
    "shared",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: an old build/ beside the sources would be packed too."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=NOT_SOURCE)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "-w", str(folder), str(folder / "source")], check=True, capture_output=True
    )
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands' folder of a new environment with the wheel; what it depends on is this environment's."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python = str(scripts / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    where = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = subprocess.run([python, "-c", where], check=True, capture_output=True, text=True).stdout
    # A path that a .pth file names gets no .pth files of its own read: an editable install there stays out.
    shared = sysconfig.get_paths()["purelib"]
    (Path(site.strip()) / "shared.pth").write_text(shared, encoding="utf-8")
    return scripts


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands run: the files that the README speaks of, tiny."""
    folder = tmp_path_factory.mktemp("place")
    for name in ("photos", "masks", "others"):
        (folder / name).mkdir()
    for i in range(18):
        Image.fromarray(make_photo(96, 96, seed=i)).save(folder / "photos" / f"{i:02d}.png")
        Image.fromarray(make_mask(96, 96)).save(folder / "masks" / f"{i:02d}.png")
    for name in ("photo.jpg", "old.jpg", "others/a.jpg", "others/b.jpg"):
        Image.fromarray(make_photo(96, 96, seed=20)).save(folder / name)
    Image.fromarray(make_mask(96, 96)).save(folder / "mask.png")
    return folder


def test_the_wheel_is_complete(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "cnnlg_tf/configs/photos.yaml",
        "cnnlg_tf/configs/experiments/guides.yaml",
        "cnnlg_tf/evaluation/report.html",
        "cnnlg_tf/examples/wren.jpg",
        "cnnlg_tf/experiments/study/page.html",
        "cnnlg_tf/export/saved_model.py",
        "cnnlg_tf/serving/client/wire.proto",
        "cnnlg_tf/serving/deploy/templates/compose/compose.yaml",
        "cnnlg_tf/serving/server/command.py",
        "cnnlg_tf/weights/efficientnet_lite0.LICENSE",
        "cnnlg_tf/weights/efficientnet_lite0.npz",
        "cnnlg_tf/weights/lpips_alexnet.npz",
        "cnnlg_tf/weights/photos.LICENSE",
        "cnnlg_tf/weights/photos/model.weights.h5",
    } <= names
    assert not any(name.startswith(("export/", "serving/", "configs/", "tests/")) for name in names)


def test_every_file_that_git_has_is_packed(wheel: Path) -> None:
    listing = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    packed = set(zipfile.ZipFile(wheel).namelist())
    links = ("configs/", "export/", "serving/")
    missing = []
    for name in listing.stdout.splitlines():
        inside = f"cnnlg_tf/{name}" if name.startswith(links) else name
        if inside.startswith("cnnlg_tf/") and not (ROOT / name).is_symlink():
            missing += [inside] if inside not in packed else []
    assert not missing


SMALL = {
    "train": [
        "--set=train.phases=[{name: p, kind: prediction, steps: 1, crop: 32, batch_size: 1}]",
        "--set=train.compile=none",
        "--set=model.widths=[8, 8, 8, 8]",
        "--set=model.blocks=[1, 1, 1, 1]",
    ],
    "evaluate": ["--size=64", "--limit=1", "--masks=thin", "--peers=telea"],
    "study": ["--size=64", "--limit=2", "--masks=box", "--methods=original,telea", "--questions=2", "--catches=0"],
}  # fmt: skip
"""What makes a command of the README a matter of seconds."""


def one_engine(words: list[str]) -> list[str]:
    """Engines for one generation of cards where a command builds any: each takes ten minutes."""
    return ["--capability=ada"] if "all" in words else []


def readme_commands() -> list[list[str]]:
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^    (cnnlg-tf .*)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True)[1:] for line in lines]


def test_the_readmes_commands_run(installed: Path, place: Path) -> None:
    ports = free_ports(2)
    done = []
    for words in readme_commands():
        replaced = [
            word.replace("/path/to/photos", "photos").replace("/path/to/other/photos", "others")
            for word in words
        ]
        name = words[0]
        if name in ("serve", "request", "ui"):
            continue
        if name == "experiment":
            begin(installed, place, *replaced)
        else:
            run(installed, place, *replaced, *SMALL.get(name, []), *one_engine(words))
        done.append(name)
    assert {"inpaint", "train", "evaluate", "experiment", "export"} <= set(done)
    assert (place / "out" / "export" / "parity.md").is_file()
    assert (place / "repaired" / "00.png").is_file()
    assert (place / "a.png").is_file()
    options = [f"--port={ports[0]}", f"--rest-port={ports[1]}"]
    with serving(installed, place, "serve", "out/export/saved_model", *options):
        words = ["request", "photo.jpg", "--mask", "mask.png", "-o", "served.png"]
        run(installed, place, *words, "--server", f"localhost:{ports[0]}")
    known = make_mask(96, 96) == 0
    photo = np.asarray(Image.open(place / "photo.jpg"))
    assert np.array_equal(np.asarray(Image.open(place / "served.png"))[known], photo[known])


def run(scripts: Path, place: Path, *words: str) -> None:
    command = [str(scripts / "cnnlg-tf"), *words]
    done = subprocess.run(command, cwd=place, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"


def begin(scripts: Path, place: Path, *words: str) -> None:
    """Run what takes hours until its first run is planned, by the configuration that it found."""
    command = [str(scripts / "cnnlg-tf"), *words]
    with (place / "begin.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=place, env=environment(), stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 300
        while not list((place / "out").glob("*/*/*/settings.yaml")):
            alive = process.poll() is None and time.monotonic() < deadline
            assert alive, (place / "begin.log").read_text()
            time.sleep(0.2)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=60)


def environment() -> dict[str, str]:
    """Without what would lead to the checkout."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}


class serving:
    """A server in the background, ready when the block starts."""

    def __init__(self, scripts: Path, place: Path, *words: str) -> None:
        self._command = [str(scripts / "cnnlg-tf"), *words]
        self._place = place

    def __enter__(self) -> None:
        self._log = (self._place / "serve.log").open("w+")
        self._process = subprocess.Popen(
            self._command, cwd=self._place, env=environment(), stdout=self._log, stderr=self._log
        )
        deadline = time.monotonic() + 300
        while "Serving" not in (self._place / "serve.log").read_text():
            alive = self._process.poll() is None and time.monotonic() < deadline
            assert alive, (self._place / "serve.log").read_text()
            time.sleep(0.2)

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)
        self._log.close()


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("localhost", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
