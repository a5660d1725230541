"""`inpaint` as people call it: options, lines, exit codes; the network is a stand-in."""

import io
import json
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cnnlg_tf.cli import main
from tests.networks import MeanFill
from tests.stained import a_blob, a_scene, stained


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> MeanFill:
    network = MeanFill()
    monkeypatch.setattr("cnnlg_tf.inference.inpainter.open_network", lambda name: network)
    return network


def run(*arguments: object, **options: Any) -> Any:
    return CliRunner().invoke(main, ["inpaint", *map(str, arguments)], **options)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def folder(photo_folder: Any, mask: np.ndarray, tmp_path: Path) -> Path:
    """photos/000.png to 002.png, the second empty, and their masks."""
    photos = photo_folder(3)
    (tmp_path / "masks").mkdir()
    for i in range(3):
        Image.fromarray(mask).save(tmp_path / f"masks/{i:03d}.png")
    (photos / "001.png").write_bytes(b"")
    return tmp_path


def test_folders_go_on_after_a_bad_photo(network: MeanFill, folder: Path) -> None:
    result = run(folder / "photos", "--mask", folder / "masks", "-o", folder / "out")
    assert result.exit_code == 1
    assert "001.png is empty: expected an image, received 0 bytes" in result.stderr
    assert "Error: 1 of 3 photos were not repaired" in result.stderr
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["000.png", "002.png"]
    lines = result.stdout.splitlines()
    assert [line.split(" (")[0] for line in lines] == [
        str(folder / "out/000.png"),
        str(folder / "out/002.png"),
    ]


def test_json_is_a_line_a_photo(network: MeanFill, folder: Path) -> None:
    (folder / "masks/002.png").unlink()
    result = run(folder / "photos", "--mask", folder / "masks", "-o", folder / "out", "--json")
    assert result.exit_code == 1
    rows = {Path(row["photo"]).name: row for row in map(json.loads, result.stdout.splitlines())}
    assert list(rows) == ["002.png", "000.png", "001.png"]  # what cannot be comes first
    good = rows["000.png"]
    assert good["error"] is None and good["written"] == [good["output"]] and good["seconds"] >= 0
    assert good["mask"] == str(folder / "masks/000.png")
    assert "needs one mask named" in rows["002.png"]["error"] and rows["002.png"]["mask"] is None
    assert "is empty" in rows["001.png"]["error"] and rows["001.png"]["written"] == []
    assert result.stderr == "Error: 2 of 3 photos were not repaired\n"


def test_quiet_tells_errors_only(network: MeanFill, folder: Path, mask: np.ndarray) -> None:
    (folder / "photos/001.png").unlink()
    (folder / "photos/notes.txt").touch()
    arguments = [folder / "photos", "--mask", folder / "masks", "-o", folder / "out"]
    loud, quiet = run(*arguments), run(*arguments, "--quiet")
    assert "Note: " in loud.stderr and "notes.txt is left out" in loud.stderr and loud.stdout
    assert (quiet.exit_code, quiet.output) == (0, "")
    (folder / "masks/000.png").unlink()
    assert "needs one mask" in run(*arguments, "--quiet").stderr


def test_standard_input_and_output(
    network: MeanFill, photo_path: Path, mask_path: Path, photo: np.ndarray, mask: np.ndarray
) -> None:
    result = run("-", "--mask", mask_path, "-o", "-", input=photo_path.read_bytes())
    assert result.exit_code == 0, result.stderr
    with Image.open(io.BytesIO(result.stdout_bytes)) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image)[mask == 0], photo[mask == 0])
    arguments = [photo_path, "--mask", "-", "--format", "webp", "-o", "-"]
    result = run(*arguments, input=mask_path.read_bytes())
    with Image.open(io.BytesIO(result.stdout_bytes)) as image:
        assert image.format == "WEBP"
        assert np.array_equal(np.asarray(image)[mask == 0], photo[mask == 0])
    bad = run("-", "--mask", mask_path, "-o", "-", input=b"no photo")
    assert bad.exit_code == 1 and bad.stdout_bytes == b""
    assert bad.stderr.startswith("Error: photo from standard input")


def test_a_photo_from_standard_input_to_a_file(
    network: MeanFill, photo_path: Path, mask_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.png"
    result = run("-", "--mask", mask_path, "-o", out, input=photo_path.read_bytes())
    assert result.exit_code == 0 and result.stdout.startswith(f"{out} (")


def test_options_of_the_hole(
    network: MeanFill, photo_path: Path, mask_path: Path, mask: np.ndarray, photo: np.ndarray
) -> None:
    out = photo_path.with_name("out.png")

    def changed(*options: object) -> np.ndarray:
        result = run(photo_path, "--mask", mask_path, "-o", out, *options)
        assert result.exit_code == 0, result.stderr
        return (pixels(out) != photo).any(axis=-1)

    plain = changed()
    assert plain.sum() <= np.count_nonzero(mask) and not (plain & (mask == 0)).any()
    assert changed("--grow", 4).sum() > changed("--grow", 2).sum() > plain.sum()
    assert changed("--feather", 3).sum() > plain.sum()
    assert not (changed("--invert-mask") & (mask > 0)).any()
    for option in ("--grow", "--feather"):
        assert run(photo_path, "--mask", mask_path, "-o", out, option, -1).exit_code == 2


def test_quality_and_format(
    network: MeanFill, photo_path: Path, mask_path: Path, tmp_path: Path
) -> None:
    sizes = []
    for quality in (20, 95):
        out = tmp_path / str(quality)
        options = ["--format", "jpeg", "--quality", quality]
        assert run(photo_path, "--mask", mask_path, "-o", out, *options).exit_code == 0
        sizes.append((out / "photo.jpg").stat().st_size)
    assert sizes[0] < sizes[1] / 2


def test_in_place_needs_overwrite(network: MeanFill, photo_path: Path, mask_path: Path) -> None:
    before = photo_path.read_bytes()
    refused = run(photo_path, "--mask", mask_path, "-o", photo_path)
    assert refused.exit_code == 1 and "would be replaced by its repair" in refused.stderr
    assert photo_path.read_bytes() == before
    assert run(photo_path, "--mask", mask_path).exit_code == 2
    assert run(photo_path, "--mask", mask_path, "--overwrite").exit_code == 0
    assert photo_path.read_bytes() != before


def test_skip_existing_finishes_a_folder(network: MeanFill, folder: Path) -> None:
    (folder / "photos/001.png").unlink()
    arguments = [folder / "photos", "--mask", folder / "masks", "-o", folder / "out"]
    assert run(*arguments, "--samples", 1).exit_code == 0
    whole = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    assert len(whole) == 4
    (folder / "out/002.png").unlink()
    seen = len(network.seen)
    result = run(*arguments, "--samples", 1, "--skip-existing")
    assert result.exit_code == 0 and "1 of 2 photos have their output already" in result.stderr
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == whole
    assert len(network.seen) == seen + 2
    assert run(*arguments, "--skip-existing").output.count("\n") == 1


def test_notes_are_printed_once(
    network: MeanFill, photo_path: Path, mask: np.ndarray, tmp_path: Path
) -> None:
    Image.fromarray(np.zeros_like(mask)).save(tmp_path / "none.png")
    out = tmp_path / "out.png"
    result = run(photo_path, "--mask", tmp_path / "none.png", "-o", out)
    assert result.exit_code == 0, result.output
    notes = [line for line in result.stderr.splitlines() if line.startswith("Note: ")]
    assert len(notes) == 1 and "the photo comes back unchanged" in notes[0]


def test_blind_and_uncertainty(network: MeanFill, photo_path: Path, tmp_path: Path) -> None:
    result = run(photo_path, "--blind", "-o", tmp_path / "out.webp", "--uncertainty")
    assert result.exit_code == 0, result.output
    names = {path.name for path in tmp_path.glob("out*")}
    assert names == {"out.webp", "out_uncertainty.png"}


BAR = """
import sys
from cnnlg_tf.inference import inpainter
from tests.networks import MeanFill
from tests.stained import a_blob, a_scene, stained
inpainter.open_network = lambda name: MeanFill()
from cnnlg_tf.cli import main
main(sys.argv[1:])
"""


def test_names_that_are_no_text(folder: Path) -> None:
    photos = os.fsencode(folder / "photos")
    os.rename(photos + b"/000.png", photos + b"/\xff\xfe.png")
    os.rename(photos + b"/001.png", photos + b"/\xffbroken.png")
    Path(os.fsdecode(photos + b"/\xff.txt")).touch()
    command = [sys.executable, "-c", BAR, "inpaint", str(folder / "photos")]
    command += ["--mask", str(folder / "masks/002.png"), "-o", str(folder / "out")]
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 1 and b"Traceback" not in done.stderr, done.stderr
    assert done.stdout.count(b"\n") == 2 and done.stderr.count(b"\n") == 3
    assert sorted(os.listdir(os.fsencode(folder / "out"))) == [b"002.png", b"\xff\xfe.png"]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_on_terminals_only(folder: Path, terminal: bool) -> None:
    (folder / "photos/001.png").unlink()
    command = [sys.executable, "-c", BAR, "inpaint", str(folder / "photos")]
    command += ["--mask", str(folder / "masks"), "-o", str(folder / "out")]
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    told: list[bytes] = []

    def listen() -> None:
        while True:
            try:
                told.append(os.read(ours, 4096))
            except OSError:  # the other end was closed
                return

    listener = threading.Thread(target=listen)
    listener.start()
    stderr: Any = theirs if terminal else subprocess.PIPE
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, env=environment)
    os.close(theirs)
    listener.join(10)
    os.close(ours)
    assert done.returncode == 0
    assert done.stdout.count(b"\n") == 2 and b"\x1b" not in done.stdout
    if terminal:
        assert b"2/2" in b"".join(told) and b"0:0" in b"".join(told)  # the time left
    else:
        assert done.stderr == b""


def test_stains_are_lifted_where_that_is_asked_for(network: MeanFill, tmp_path: Path) -> None:
    scene, hole, middle = a_scene(), a_blob() > 0, np.s_[100:140, 130:170]
    photo = (255 * stained(scene, a_blob())).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "a.png")
    Image.fromarray(hole).save(tmp_path / "a_mask.png")
    for option, lifted in ((), False), (("--lift",), True), (("--no-lift",), False):
        out = tmp_path / "out.png"
        result = run(
            tmp_path / "a.png", "--mask", tmp_path / "a_mask.png", "-o", out, *option, "--overwrite"
        )
        assert result.exit_code == 0, result.output
        error = np.abs(pixels(out)[middle] / 255 - scene[middle]).mean()
        assert (error < 0.03) == lifted, option
