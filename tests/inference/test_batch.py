"""Photos, masks and outputs are matched by name before any work starts."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import ImageError, MaskError
from cnnlg_tf.inference.batch import Job, check_job, plan_jobs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("photos/a.jpg", "photos/b.gif", "photos/notes.txt", "masks/a.png", "masks/b.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def test_one_photo_to_a_file_or_a_folder(folder: Path) -> None:
    photo, mask = folder / "photos/a.jpg", folder / "masks/a.png"
    assert plan_jobs([photo], mask, folder / "o.png") == [Job(photo, mask, folder / "o.png")]
    assert plan_jobs([photo], None, folder / "new") == [Job(photo, None, folder / "new/a.jpg")]
    assert plan_jobs([photo], None, folder)[0].output == folder / "a.jpg"


def test_folders_are_matched_by_stem(folder: Path) -> None:
    jobs = plan_jobs([folder / "photos"], folder / "masks", folder / "out")
    assert [(j.photo.name, j.mask and j.mask.name, j.output.name) for j in jobs] == [
        ("a.jpg", "a.png", "a.jpg"),
        ("b.gif", "b.png", "b.png"),
    ]


def test_one_mask_serves_several_photos(folder: Path) -> None:
    files = [folder / "photos/a.jpg", folder / "photos/b.gif"]
    masks = {job.mask for job in plan_jobs(files, folder / "masks/a.png", folder / "out")}
    assert masks == {folder / "masks/a.png"}


def test_missing_and_double_masks(folder: Path) -> None:
    (folder / "masks/b.png").unlink()
    with pytest.raises(MaskError, match=r"b\.gif needs one mask named b\.\* in .*Received: none"):
        plan_jobs([folder / "photos"], folder / "masks", folder / "out")
    for name in ("b.png", "b.jpg"):
        (folder / "masks" / name).touch()
    with pytest.raises(MaskError, match=r"Received: b\.jpg, b\.png"):
        plan_jobs([folder / "photos"], folder / "masks", folder / "out")


def test_bad_outputs(folder: Path) -> None:
    with pytest.raises(ImageError, match="output of several photos must be a folder"):
        plan_jobs([folder / "photos"], None, folder / "out.png")
    with pytest.raises(ImageError, match=r"must end in one of .*Received: out\.xyz"):
        plan_jobs([folder / "photos/a.jpg"], None, folder / "out.xyz")
    (folder / "photos/b.png").touch()
    with pytest.raises(ImageError, match=r"an output of its own. Received: .*b\.png twice"):
        plan_jobs([folder / "photos"], None, folder / "out")


def test_folder_without_photos(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(ImageError, match=r"empty must hold photos \(.*\.jpg.*\)\. Received: none"):
        plan_jobs([folder / "empty"], None, folder / "out")


def test_check_job_compares_sizes(tmp_path: Path, photo_path: Path, mask_path: Path) -> None:
    check_job(Job(photo_path, mask_path, tmp_path / "out.png"))
    check_job(Job(photo_path, None, tmp_path / "out.png"))
    Image.fromarray(np.zeros((10, 10), np.uint8)).save(tmp_path / "small.png")
    with pytest.raises(MaskError, match=r"\(48, 64\). Received: mask.shape=\(10, 10\)"):
        check_job(Job(photo_path, tmp_path / "small.png", tmp_path / "out.png"))
