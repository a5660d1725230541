"""Which photo goes with which mask and which output, for files and for folders."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cnnlg_tf.errors import ImageError, MaskError
from cnnlg_tf.photos import (
    READABLE_SUFFIXES,
    WRITABLE,
    check_mask_size,
    is_photo_name,
    output_format,
    read_mask,
    read_photo,
)


class Job(NamedTuple):
    """One photo to repair; `mask` is None for blind repair."""

    photo: Path
    mask: Path | None
    output: Path


def plan_jobs(
    photos: Sequence[str | Path], mask: str | Path | None, output: str | Path
) -> list[Job]:
    """Match photos with masks by their names without suffix, and name the outputs.

    Args:
        photos: files, or folders whose image files are taken.
        mask: a file, which serves every photo; a folder; or None for blind repair.
        output: a file name for one photo; otherwise, or if it is a folder or has no suffix, the
            folder for outputs that are named like their photos (PNG where that format cannot be
            written).

    Raises:
        ImageError: a folder holds no photo, two photos want the same output, or the output's name
            has an unknown suffix.
        MaskError: a photo has no mask in the folder of masks, or more than one.
    """
    files = [file for photo in photos for file in _files(Path(photo))]
    masks = _masks_by_stem(Path(mask)) if mask is not None and Path(mask).is_dir() else None
    output = Path(output)
    to_folder = len(files) > 1 or output.is_dir() or not output.suffix
    if len(photos) == 1 and Path(photos[0]).is_dir():
        to_folder = True
    if to_folder and output.suffix.lower() in WRITABLE and not output.is_dir():
        raise ImageError(f"the output of several photos must be a folder. Received: {output}")
    jobs = []
    for file in files:
        target = output / _output_name(file) if to_folder else output
        output_format(target)
        chosen = Path(mask) if mask is not None else None
        jobs.append(Job(file, chosen if masks is None else _only(masks, file, chosen), target))
    doubles = [path for path, count in Counter(job.output for job in jobs).items() if count > 1]
    if doubles:
        raise ImageError(f"each photo needs an output of its own. Received: {doubles[0]} twice")
    return jobs


def check_job(job: Job) -> None:
    """Read a job's files, so that bad ones are told before a network is loaded.

    Raises:
        ImageError, MaskError: a file cannot be read, or the mask has another size than the photo.
    """
    photo = read_photo(job.photo)
    if job.mask is not None:
        check_mask_size(read_mask(job.mask), photo.pixels)


def _files(photo: Path) -> list[Path]:
    if not photo.is_dir():
        return [photo]
    files = sorted(f for f in photo.iterdir() if is_photo_name(f))
    if not files:
        suffixes = ", ".join(sorted(READABLE_SUFFIXES))
        raise ImageError(f"folder {photo} must hold photos ({suffixes}). Received: none")
    return files


def _masks_by_stem(folder: Path) -> dict[str, list[Path]]:
    masks: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        if is_photo_name(file):
            masks.setdefault(file.stem, []).append(file)
    return masks


def _only(masks: dict[str, list[Path]], photo: Path, folder: Path | None) -> Path:
    found = masks.get(photo.stem, [])
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise MaskError(
            f"photo {photo} needs one mask named {photo.stem}.* in {folder}. Received: {names}"
        )
    return found[0]


def _output_name(photo: Path) -> str:
    return photo.name if photo.suffix.lower() in WRITABLE else f"{photo.stem}.png"
