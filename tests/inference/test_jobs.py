"""Photos, masks and outputs are matched before any work; then each photo is done, come what may."""

import os
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import CancelledError, CnnlgError, ConfigError, ImageError, MaskError
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.jobs import STANDARD, Job, plan_jobs, run_jobs
from tests.networks import MeanFill

SIZE = (20, 24)


def photo(path: Path, seed: int = 0, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)
    Image.fromarray(values).save(path, **options)
    return path


def mask(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    hole = np.zeros(SIZE, np.uint8)
    hole[5:9, 6:12] = 255
    Image.fromarray(hole).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("photos/a.jpg", "photos/b.gif"):
        photo(tmp_path / name)
    for name in ("masks/a.png", "masks/b.png"):
        mask(tmp_path / name)
    return tmp_path


def names(jobs: list[Job]) -> list[tuple[str, str | None, str]]:
    return [(j.photo.name, j.mask and j.mask.name, j.output.name) for j in jobs]


def errors(jobs: list[Job]) -> dict[str, str]:
    return {job.photo.name: str(job.error) for job in jobs if job.error is not None}


def run(jobs: list[Job], network: Any = None, **options: Any) -> list[Any]:
    return list(run_jobs(jobs, lambda: Inpainter(network or MeanFill()), **options))


def test_one_photo_to_a_file_or_a_folder(folder: Path) -> None:
    one, hole = folder / "photos/a.jpg", folder / "masks/a.png"
    assert plan_jobs([one], hole, folder / "o.png") == [Job(one, hole, folder / "o.png")]
    assert plan_jobs([one], None, folder / "new") == [Job(one, None, folder / "new/a.jpg")]
    assert plan_jobs([one], None, folder)[0].output == folder / "a.jpg"
    assert plan_jobs([one], None, f"{folder}/v1.5/")[0].output == folder / "v1.5/a.jpg"
    assert plan_jobs([STANDARD], hole, "-") == [Job(STANDARD, hole, STANDARD)]


def test_folders_are_matched_by_stem(folder: Path) -> None:
    jobs = plan_jobs([folder / "photos"], folder / "masks", folder / "out")
    assert names(jobs) == [("a.jpg", "a.png", "a.jpg"), ("b.gif", "b.png", "b.png")]
    jobs = plan_jobs([folder / "photos"], folder / "masks", folder / "out", form="TIFF")
    assert [job.output.name for job in jobs] == ["a.tif", "b.tif"]


def test_one_mask_serves_several_photos_and_is_read_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [folder / "photos/a.jpg", folder / "photos/b.gif"]
    jobs = plan_jobs(files, folder / "masks/a.png", folder / "out")
    read: list[str] = []
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda p: (read.append(p.name), original(p))[1])
    assert all(done.error is None for done in run(jobs))
    assert sorted(read) == ["a.jpg", "a.png", "b.gif"]  # each once


def test_missing_and_double_masks_fail_their_photo_only(folder: Path) -> None:
    (folder / "masks/b.png").unlink()
    jobs = plan_jobs([folder / "photos"], folder / "masks", folder / "out")
    assert "b.gif needs one mask named b.* in" in errors(jobs)["b.gif"]
    assert errors(jobs)["b.gif"].endswith("Received: none") and jobs[0].error is None
    done = run(jobs)
    assert [each.job.photo.name for each in done] == ["b.gif", "a.jpg"]  # errors first
    assert isinstance(done[0].error, MaskError) and done[1].written == (folder / "out/a.jpg",)
    for name in ("b.png", "b.jpg"):
        mask(folder / "masks" / name)
    jobs = plan_jobs([folder / "photos"], folder / "masks", folder / "out")
    assert errors(jobs)["b.gif"].endswith("Received: b.jpg, b.png")


def test_no_mask_at_all(folder: Path) -> None:
    with pytest.raises(MaskError, match=r"mask .*none\.png does not exist"):
        plan_jobs([folder / "photos"], folder / "none.png", folder / "out")
    with pytest.raises(MaskError, match="suffix of masks needs a folder of masks"):
        plan_jobs([folder / "photos"], folder / "masks/a.png", "out", mask_suffix="_m")


def test_masks_beside_their_photos(folder: Path) -> None:
    mask(folder / "photos/a_mask.png")
    mask(folder / "photos/b_mask.webp")
    for source in (None, folder / "photos"):
        jobs = plan_jobs([folder / "photos"], source, folder / "out", mask_suffix="_mask")
        assert names(jobs) == [
            ("a.jpg", "a_mask.png", "a.jpg"),
            ("b.gif", "b_mask.webp", "b.png"),
        ]
    one = plan_jobs([folder / "photos/a.jpg"], None, folder / "out", mask_suffix="_mask")
    assert names(one) == [("a.jpg", "a_mask.png", "a.jpg")]
    other = folder / "others"
    mask(other / "a-m.png")
    jobs = plan_jobs([folder / "photos/a.jpg"], other, folder / "out", mask_suffix="-m")
    assert names(jobs) == [("a.jpg", "a-m.png", "a.jpg")]


def test_folders_in_folders(folder: Path, caplog: Any) -> None:
    photo(folder / "photos/sub/deep/a.png")
    photo(folder / "photos/.hidden/x.png")
    mask(folder / "masks/sub/deep/a.png")
    photo(folder / "photos/out/a.jpg")  # of an earlier run
    out = folder / "photos/out"
    assert len(plan_jobs([folder / "photos"], folder / "masks", out)) == 2
    assert "folders inside are left out; --recursive takes them" in caplog.text
    jobs = plan_jobs([folder / "photos"], folder / "masks", out, recursive=True)
    assert [job.output.relative_to(out).as_posix() for job in jobs] == [
        "a.jpg",
        "b.png",
        "sub/deep/a.png",
    ]
    assert jobs[2].mask == folder / "masks/sub/deep/a.png" and errors(jobs) == {}


def test_names_are_equal_as_unicode_sees_them(tmp_path: Path) -> None:
    composed = unicodedata.normalize("NFC", "Äpfel é")
    taken_apart = unicodedata.normalize("NFD", composed)
    assert composed != taken_apart
    photo(tmp_path / f"p/{taken_apart}.png")
    mask(tmp_path / f"m/{composed}.png")
    (job,) = plan_jobs([tmp_path / "p"], tmp_path / "m", tmp_path / "o")
    assert job.error is None and job.output.name == f"{taken_apart}.png"
    mask(tmp_path / f"p/{taken_apart}ü.png")
    (job,) = plan_jobs([tmp_path / "p"], None, tmp_path / "o", mask_suffix="u\u0308")
    assert job.error is None


def test_what_is_no_photo_is_told_but_for_sidecars(folder: Path, caplog: Any) -> None:
    for name in ("._a.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", "notes.txt", "raw.cr3"):
        (folder / "photos" / name).write_bytes(b"x")
        (folder / "masks" / name).write_bytes(b"x")
    photo(folder / "photos/c.JFIF", format="JPEG")
    jobs = plan_jobs([folder / "photos"], folder / "masks/a.png", folder / "out")
    assert [job.photo.name for job in jobs] == ["a.jpg", "b.gif", "c.JFIF"]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2 and "notes.txt is left out" in told[0] and "raw.cr3 is left" in told[1]
    assert errors(plan_jobs([folder / "photos"], folder / "masks", folder / "out")).keys() == {
        "c.JFIF"
    }


def test_bad_outputs(folder: Path) -> None:
    for out in ("out.png", "-", "photos/a.jpg"):
        target = out if out == "-" else folder / out
        with pytest.raises(ImageError, match="output of several photos must be a folder"):
            plan_jobs([folder / "photos"], None, target)
    one = folder / "photos/a.jpg"
    assert "must end in one of" in errors(plan_jobs([one], None, folder / "out.xyz"))["a.jpg"]
    with pytest.raises(ImageError, match="must be that of a PNG file. Received: .*out.jpg"):
        plan_jobs([one], None, folder / "out.jpg", form="PNG")
    photo(folder / "photos/b.png")
    with pytest.raises(ImageError, match=r"an output of its own. Received: .*b\.png twice"):
        plan_jobs([folder / "photos"], None, folder / "out")
    below = plan_jobs([one], None, folder / "masks/a.png/deep/o.png")
    assert "must lie in a folder. Received: " in errors(below)["a.jpg"]
    long = plan_jobs([one], None, folder / ("x" * 252 + ".png"))
    assert "at most 255 bytes. Received: 256 bytes" in errors(long)["a.jpg"]
    with pytest.raises(ImageError, match="from standard input needs an output's name"):
        plan_jobs([STANDARD], None, folder)


def test_a_folder_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "closed").mkdir()
    monkeypatch.setattr(
        os, "access", lambda path, mode: "closed" not in str(path)
    )  # as for no root
    jobs = plan_jobs([folder / "photos/a.jpg"], None, folder / "closed/o.png")
    assert "closed cannot be written: permission denied" in errors(jobs)["a.jpg"]


def test_options_that_exclude_each_other(folder: Path) -> None:
    photos = [folder / "photos"]
    for options, message in (
        ({"overwrite": True, "skip_existing": True}, "exclude each other"),
        ({}, "an output is needed unless photos are overwritten"),
        ({"overwrite": True, "form": "PNG"}, "keep their format. Received: PNG"),
    ):
        with pytest.raises(ConfigError, match=message):
            plan_jobs(photos, None, None, **options)
    with pytest.raises(ConfigError, match="standard input holds one file"):
        plan_jobs(["-"], "-", "-")


def test_folder_without_photos(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(ImageError, match=r"empty must hold photos\. Received: none"):
        plan_jobs([folder / "empty"], None, folder / "out")


def test_a_photo_that_does_not_exist_fails_alone(folder: Path) -> None:
    files = [folder / "none.png", folder / "photos/a.jpg"]
    jobs = plan_jobs(files, folder / "masks/a.png", folder / "out")
    assert errors(jobs) == {"none.png": f"photo {files[0]} does not exist"}


@pytest.mark.parametrize(
    "way", ["same", "link", "through a link", "through a folder to be made", "hard link"]
)
def test_inputs_are_not_replaced_unless_asked_for(folder: Path, way: str) -> None:
    one, out = folder / "photos/a.jpg", folder / "photos/a.jpg"
    if way == "link":
        out = folder / "link.jpg"
        out.symlink_to(one)
    if way == "through a link":
        (folder / "way").symlink_to(folder / "photos")
        out = folder / "way/../way/a.jpg"
    if way == "through a folder to be made":
        out = folder / "new/../photos/a.jpg"
    if way == "hard link":
        out = folder / "hard.jpg"
        os.link(one, out)
    before = one.read_bytes()
    jobs = plan_jobs([one], folder / "masks/a.png", out)
    assert "would be replaced by its repair" in errors(jobs)["a.jpg"]
    assert [done.written for done in run(jobs)] == [()] and one.read_bytes() == before
    assert not errors(plan_jobs([one], folder / "masks/a.png", out, overwrite=True))


def test_in_place_with_overwrite(folder: Path) -> None:
    (folder / "photos/b.gif").unlink()
    jobs = plan_jobs([folder / "photos"], folder / "masks", None, overwrite=True)
    before = np.asarray(Image.open(folder / "photos/a.jpg"))
    (done,) = run(jobs)
    assert done.written == (folder / "photos/a.jpg",)
    assert not np.array_equal(np.asarray(Image.open(folder / "photos/a.jpg")), before)


def test_other_inputs_are_never_replaced(folder: Path) -> None:
    photo(folder / "photos/a.png")
    jobs = plan_jobs([folder / "photos/a.png"], folder / "masks/a.png", folder / "masks/a.png")
    assert "must be no other input" in errors(jobs)["a.png"]
    files = [folder / "photos/a.jpg", folder / "photos/b.gif"]
    jobs = plan_jobs(files, folder / "masks/a.png", folder / "masks", form="PNG", overwrite=True)
    assert errors(jobs).keys() == {"a.jpg"}  # would replace the mask of both


def test_what_lies_beside_an_output_replaces_nothing(folder: Path) -> None:
    one = photo(folder / "new/a.jpg")
    hole = mask(folder / "new/o_mask.png")
    before = hole.read_bytes()
    (done,) = run(plan_jobs([one], hole, folder / "new/o.png"), save_mask=True)
    assert "o_mask.png would be replaced by what is written beside" in str(done.error)
    assert hole.read_bytes() == before and not (folder / "new/o.png").exists()
    photo(folder / "photos/a_sample1.jpg")  # would be an output of its own
    jobs = plan_jobs([folder / "photos"], folder / "masks/a.png", folder / "out")
    failed = [done.job.photo.name for done in run(jobs, samples=1) if done.error]
    assert failed == ["a.jpg"]


def test_existing_outputs_are_skipped(folder: Path, caplog: Any) -> None:
    photo(folder / "out/a.jpg", seed=9)
    before = (folder / "out/a.jpg").read_bytes()
    (folder / "masks/a.png").unlink()  # not missed
    jobs = plan_jobs([folder / "photos"], folder / "masks", folder / "out", skip_existing=True)
    assert names(jobs) == [("b.gif", "b.png", "b.png")]
    assert "1 of 2 photos have their output already: skipped" in caplog.text
    run(jobs)
    assert (folder / "out/a.jpg").read_bytes() == before and (folder / "out/b.png").exists()
    assert not plan_jobs([folder / "photos/b.gif"], None, folder / "out", skip_existing=True)


def test_bad_files_fail_alone_and_before_the_network_is_opened(folder: Path) -> None:
    (folder / "photos/a.jpg").write_bytes(b"")
    photo(folder / "photos/c.png")
    Image.new("L", (5, 5)).save(folder / "masks/c.png")
    opened: list[int] = []

    def open_inpainter() -> Inpainter:
        opened.append(1)
        return Inpainter(MeanFill())

    jobs = plan_jobs([folder / "photos"], folder / "masks", folder / "out")
    done = run_jobs(jobs, open_inpainter)
    first = next(done)
    assert "a.jpg is empty" in str(first.error) and not opened
    second, third = done
    assert second.error is None and opened == [1]
    assert "like the photo (20, 24). Received: mask.shape=(5, 5)" in str(third.error)
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["b.png"]


def test_no_error_of_a_runtime_ends_the_others(folder: Path) -> None:
    class Failing(MeanFill):
        def fill(self, *arguments: Any) -> Any:
            if not self.seen:
                self.seen.append((0, 0))
                raise RuntimeError("out of memory")
            return super().fill(*arguments)

    jobs = plan_jobs([folder / "photos"], folder / "masks", folder / "out")
    first, second = run(jobs, Failing())
    assert isinstance(first.error, CnnlgError) and "RuntimeError: out of memory" in str(first.error)
    assert second.error is None and second.written == (folder / "out/b.png",)


def test_a_network_that_cannot_be_opened_ends_all(folder: Path) -> None:
    jobs = plan_jobs([folder / "photos"], folder / "masks", folder / "out")
    with pytest.raises(CnnlgError, match="a model must be a checkpoint folder"):
        list(run_jobs(jobs, lambda: Inpainter(folder)))


def test_what_the_network_cannot_do_ends_all(folder: Path) -> None:
    jobs = plan_jobs([folder / "photos"], folder / "masks", folder / "out")
    for options in ({"detail": 0.5}, {"samples": 1}, {"detail": 9.0}, {"feather": -1}):
        with pytest.raises(ConfigError):
            run(jobs, MeanFill(can=frozenset()), **options)
    with pytest.raises(ConfigError, match="finding damage"):
        run(plan_jobs([folder / "photos"], None, folder / "out"), MeanFill(can=frozenset()))
    assert not (folder / "out").exists()


def test_cancelling_ends_the_work(folder: Path) -> None:
    jobs = plan_jobs([folder / "photos"], folder / "masks", folder / "out")
    (done,) = run(jobs, cancelled=lambda: True)
    assert isinstance(done.error, CancelledError) and not (folder / "out").exists()


def test_inverted_masks_and_references(folder: Path) -> None:
    photo(folder / "photos/b.png")
    network = MeanFill()
    jobs = plan_jobs([folder / "photos/b.png"], folder / "masks/b.png", folder / "out/o.png")
    run(jobs, network, invert_mask=True, reference=[folder / "photos/a.jpg"])
    known = np.asarray(Image.open(folder / "masks/b.png")) > 0
    before, after = (
        np.asarray(Image.open(folder / name)) for name in ("photos/b.png", "out/o.png")
    )
    assert np.array_equal(before[known], after[known])
    assert len(np.unique(after[~known].reshape(-1, 3), axis=0)) == 1
    assert len(network.conditions[0].reference) == 1
    with pytest.raises(ImageError, match="does not exist"):
        run(jobs, reference=[folder / "none.png"])


def test_long_names_and_what_lies_beside_an_output(folder: Path) -> None:
    name = "中" * 83 + ".png"  # 253 bytes
    one = photo(folder / "long" / name)
    (done,) = run(plan_jobs([folder / "long"], folder / "masks/a.png", folder / "out"))
    assert done.error is None and [p.name for p in (folder / "out").iterdir()] == [name]
    jobs = plan_jobs([one], folder / "masks/a.png", folder / "new")
    (done,) = run(jobs, samples=1)
    assert re.search("at most 255 bytes. Received: 261 bytes", str(done.error))
    assert not (folder / "new").exists()


def test_standard_output_takes_one_photo(folder: Path) -> None:
    jobs = plan_jobs([folder / "photos/a.jpg"], folder / "masks/a.png", "-")
    for options in ({"samples": 1}, {"uncertainty": True}):
        with pytest.raises(ConfigError, match="standard output takes one photo"):
            run(jobs, **options)
