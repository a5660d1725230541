"""Photos as files: the jobs that a command line means, and the loop that does them."""

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cnnlg_tf.errors import CancelledError, CnnlgError, ConfigError, ImageError
from cnnlg_tf.inference.damage import Damage
from cnnlg_tf.inference.files import STANDARD, Found, Masks, find_photos
from cnnlg_tf.inference.inpainter import Inpainter, Repair, check_name, names_beside
from cnnlg_tf.photos import (
    WRITABLE,
    Format,
    Photo,
    as_photo,
    check_mask_size,
    decode_mask,
    encode_photo,
    output_format,
    read_mask,
    read_photo,
)

logger = logging.getLogger("cnnlg_tf")


@dataclass(frozen=True)
class Job:
    """One photo to repair.

    Attributes:
        photo: its file, or STANDARD.
        mask: its mask's file, or STANDARD; None for blind repair.
        output: the file to write, or STANDARD.
        error: why it cannot be repaired, found before any work.
    """

    photo: Path
    mask: Path | None
    output: Path
    error: CnnlgError | None = None


class Done(NamedTuple):
    """What became of a job: the files written, `job.output` first, or the error; how long it took; and
    what damage blind repair found.
    """

    job: Job
    written: tuple[Path, ...]
    seconds: float
    error: CnnlgError | None
    damage: Damage | None = None


def plan_jobs(
    photos: Sequence[str | Path],
    mask: str | Path | None,
    output: str | Path | None,
    *,
    mask_suffix: str = "",
    recursive: bool = False,
    form: Format | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> list[Job]:
    """Match photos with masks by their names without suffix, and name the outputs.

    Names are compared as Unicode compares them: however an umlaut is composed, it is the same one.
    A file of a folder that is no photo is told in a warning and left out; what systems put beside
    photos (`._a.jpg`, `.DS_Store`, `Thumbs.db`) is left out without a word.

    Args:
        photos: files, folders whose photos are taken, or "-" for standard input.
        mask: a file, which serves every photo; a folder, with the photos' folders in it; "-". None
            for masks beside the photos if there is a `mask_suffix`, else for blind repair.
        output: a file name for one photo, or "-"; otherwise, or if it is a folder, ends in / or has
            no suffix, the folder for outputs that are named like their photos (PNG where that format cannot be
            written). None: in place, with `overwrite`.
        mask_suffix: what a mask's name has more than its photo's: "_mask" for a_mask.png.
        recursive: take the photos of folders in folders too; outputs get the same folders.
        form: the outputs' format; None: by their names.
        overwrite: an output may be its own photo.
        skip_existing: leave out the photos whose output is there.

    Returns:
        The jobs. One whose files cannot be right (no mask, a photo that does not exist, an output
        that is an input) holds its error; so does not end the others.

    Raises:
        ImageError: a folder holds no photo, two photos want the same output, or the output fits
            none of the photos.
        MaskError: there is no such mask at all.
        ConfigError: options that exclude each other.
    """
    if overwrite and skip_existing:
        raise ConfigError("skip_existing and overwrite exclude each other. Received: both")
    if output is None and not overwrite:
        raise ConfigError("an output is needed unless photos are overwritten. Received: none")
    if output is None and form is not None:
        raise ConfigError(f"photos that are overwritten keep their format. Received: {form}")
    if mask is not None and Path(mask) == STANDARD in map(Path, photos):
        raise ConfigError("standard input holds one file. Received: '-' for the photo and the mask")
    blind = mask is None and not mask_suffix
    masks = None if blind else Masks(mask, mask_suffix)
    target = None if output is None else Path(output)
    found = find_photos(photos, masks, target, recursive=recursive)
    outputs = _outputs(found, photos, target, form, str(output).endswith(("/", os.sep)))
    doubles = [path for path, count in Counter(outputs).items() if count > 1]
    if doubles:
        raise ImageError(f"each photo needs an output of its own. Received: {doubles[0]} twice")
    jobs = []
    for each, out in zip(found, outputs, strict=True):
        if not (skip_existing and out != STANDARD and os.path.exists(out)):
            jobs.append(_job(each, masks, out))
    if len(jobs) < len(found):
        logger.warning(
            "%d of %d photos have their output already: skipped",
            len(found) - len(jobs),
            len(found),
        )
    return unharmed(jobs, overwrite)


def run_jobs(
    jobs: Sequence[Job],
    open_inpainter: Callable[[], Inpainter],
    *,
    invert_mask: bool = False,
    reference: Sequence[str | Path] = (),
    form: Format | None = None,
    uncertainty: bool = False,
    save_mask: bool = False,
    preview: bool = False,
    quality: int | None = None,
    cancelled: Callable[[], bool] | None = None,
    **options: Any,
) -> Iterator[Done]:
    """Repair photos, those first that were found to be impossible. An error ends its job only.

    Args:
        open_inpainter: called once, when the first photo and its mask are read and fit: bad files
            are told at once, and not after a network is loaded.
        invert_mask: masks are white where pixels are known.
        reference: photos whose textures may be copied; read once.
        form: of what goes to standard output; None: the photo's own format, or PNG.
        uncertainty, save_mask, preview, quality: as in `Inpainter.repair_file`.
        cancelled: True ends the work; the job that it ends is the last one.
        options: further ones of `Inpainter.repair`.

    Yields:
        What became of each job.

    Raises:
        CnnlgError: the network cannot be opened, or a reference not be read.
        ConfigError: an option is out of range, or nothing that the network can do; further pictures,
            such as samples, for standard output.
    """
    extras = {"uncertainty": uncertainty, "save_mask": save_mask, "preview": preview}
    if (any(extras.values()) or options.get("samples")) and any(
        job.output == STANDARD for job in jobs
    ):
        raise ConfigError(
            "standard output takes one photo. Received: samples or other pictures of the repair too"
        )
    references = [as_photo(photo, "reference") for photo in reference]
    jobs = _undisturbed(jobs, samples=options.get("samples", 0), **extras)
    yield from (Done(job, (), 0.0, job.error) for job in jobs if job.error is not None)
    read_again = lru_cache(maxsize=1)(_read_mask)  # often one serves all photos
    opened = lru_cache(maxsize=1)(open_inpainter)
    for job in (job for job in jobs if job.error is None):
        done = run_job(
            job,
            opened,
            read_mask=read_again,
            invert_mask=invert_mask,
            form=form,
            quality=quality,
            reference=references,
            cancelled=cancelled,
            uncertainty=uncertainty,
            save_mask=save_mask,
            preview=preview,
            **options,
        )
        yield done
        if isinstance(done.error, CancelledError):
            return


def run_job(
    job: Job,
    open_inpainter: Callable[[], Inpainter],
    *,
    read_photo: Callable[[Path], Photo] | None = None,
    read_mask: Callable[[Path], np.ndarray] | None = None,
    invert_mask: bool = False,
    form: Format | None = None,
    quality: int | None = None,
    uncertainty: bool = False,
    save_mask: bool = False,
    preview: bool = False,
    **options: Any,
) -> Done:
    """Repair one photo; whatever is wrong with it or its files is in what comes back.

    Args:
        open_inpainter: called when the photo and its mask are read and fit.
        read_photo, read_mask: give what is at a job's path, the mask as bool [height, width]; None: it
            is a file, or standard input.
        form, quality, uncertainty, save_mask, preview, options: as in `run_jobs`; but references are
            what `Inpainter.repair` takes.

    Raises:
        CnnlgError: the network cannot be opened.
        ConfigError: an option is out of range, or nothing that the network can do: it would be the same
            for every photo.
    """
    start = time.perf_counter()
    if job.error is not None:
        return Done(job, (), 0.0, job.error)
    try:
        photo = (read_photo or _read_photo)(job.photo)
        hole = None
        if job.mask is not None:
            hole = (read_mask or _read_mask)(job.mask) ^ invert_mask
            check_mask_size(hole, photo.pixels)
    except Exception as failure:
        return Done(job, (), time.perf_counter() - start, error_of(failure, job.photo))
    inpainter = open_inpainter()
    written: tuple[Path, ...] = ()
    error: CnnlgError | None = None
    results: list[Repair] = []
    try:
        if job.output == STANDARD:
            results.append(inpainter.repair(photo, hole, **options))
            _to_standard_output(photo.with_pixels(results[0].photo), form, quality)
        else:
            written = tuple(
                inpainter.repair_file(
                    photo,
                    hole,
                    job.output,
                    quality=quality,
                    on_repair=results.append,
                    uncertainty=uncertainty,
                    save_mask=save_mask,
                    preview=preview,
                    **options,
                )
            )
    except ConfigError:
        raise
    except Exception as failure:
        error = error_of(failure, job.photo)
    damage = results[0].damage if results else None
    return Done(job, written, time.perf_counter() - start, error, damage)


def error_of(failure: Exception, photo: Path) -> CnnlgError:
    """What ends a photo: of a runtime, a codec or a disk, too; the next photo may be fine."""
    if isinstance(failure, CnnlgError):
        return failure
    logger.debug("the repair of %s failed", photo, exc_info=failure)
    error = CnnlgError(
        f"photo {photo} must be repaired without an error. "
        f"Received: {type(failure).__name__}: {failure}"
    )
    error.__cause__ = failure
    return error


def _job(found: Found, masks: Masks | None, output: Path) -> Job:
    job = Job(found.file, None, output)
    try:
        if found.file != STANDARD and not os.path.exists(found.file):
            raise ImageError(f"photo {found.file} does not exist")
        if masks is not None:
            job = replace(job, mask=masks.of(found))
        if output != STANDARD:
            check_name(output)
            output_format(output)
            _check_folder(output.parent)
    except CnnlgError as error:
        return replace(job, error=error)
    return job


def _outputs(
    found: list[Found],
    photos: Sequence[str | Path],
    target: Path | None,
    form: Format | None,
    to_folder: bool,
) -> list[Path]:
    """The output of each photo; raises ImageError where `target` can be none of several."""
    if target is None:
        return [each.file for each in found]
    several = len(found) > 1 or to_folder or any(os.path.isdir(photo) for photo in photos)
    if several and (target == STANDARD or os.path.isfile(target) or _is_file_name(target)):
        raise ImageError(f"the output of several photos must be a folder. Received: {target}")
    if several or os.path.isdir(target) or not (target.suffix or target == STANDARD):
        return [target / each.inside / _output_name(each.file, form) for each in found]
    if (
        form is not None
        and target != STANDARD
        and WRITABLE.get(target.suffix.lower(), form) != form
    ):
        raise ImageError(f"the output's name must be that of a {form} file. Received: {target}")
    return [target]


def _is_file_name(path: Path) -> bool:
    return path.suffix.lower() in WRITABLE and not os.path.isdir(path)


def _output_name(photo: Path, form: Format | None) -> str:
    if photo == STANDARD:
        raise ImageError("a photo from standard input needs an output's name. Received: a folder")
    own = WRITABLE.get(photo.suffix.lower())
    if own is not None and form in (None, own):
        return photo.name
    wanted = form or "PNG"
    return photo.stem + next(suffix for suffix, each in WRITABLE.items() if each == wanted)


def _check_folder(folder: Path) -> None:
    """Raise ImageError when files cannot be written to a folder, which need not exist."""
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    if not os.path.isdir(folder):
        raise ImageError(f"the output must lie in a folder. Received: {folder}, which is none")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ImageError(f"the output's folder {folder} cannot be written: permission denied")


def unharmed(jobs: Sequence[Job], overwrite: bool = False) -> list[Job]:
    """The jobs, with an error for each whose output would replace an input."""
    photos = {_identity(job.photo) for job in jobs}
    masks = {_identity(job.mask) for job in jobs if job.mask is not None}

    def check(job: Job) -> Job:
        output = _identity(job.output)
        if output is None or job.error is not None:
            return job
        itself = output == _identity(job.photo)
        if output in masks or (output in photos and not itself):
            error = ImageError(f"the output must be no other input. Received: {job.output}")
        elif itself and not overwrite:
            error = ImageError(
                f"photo {job.photo} would be replaced by its repair. Write to another place, or "
                "ask for it: --overwrite"
            )
        else:
            return job
        return replace(job, error=error)

    return [check(job) for job in jobs]


def _undisturbed(jobs: Sequence[Job], **extras: Any) -> list[Job]:
    """The jobs, with an error for each that would write beside its output what is another's."""
    if not any(extras.values()):
        return list(jobs)
    outputs = {job.output for job in jobs}
    inputs = {_identity(path) for job in jobs for path in (job.photo, job.mask) if path is not None}

    def check(job: Job) -> Job:
        for name in names_beside(job.output, **extras) if job.error is None else ():
            found = _identity(name)
            if name in outputs or (found is not None and found in inputs):
                message = f"{name} would be replaced by what is written beside {job.output}"
                return replace(job, error=ImageError(message))
        return job

    return [check(job) for job in jobs]


def _identity(path: Path) -> tuple[int, int] | None:
    """What makes a file the same file under any name; None where there is none.

    x/../a.png is a.png before there is a folder x, too: it is made when the output is written.
    """
    if path == STANDARD:
        return None
    try:
        status = os.stat(os.path.realpath(path))
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _read_photo(path: Path) -> Photo:
    if path != STANDARD:
        return read_photo(path)
    return as_photo(sys.stdin.buffer.read(), "from standard input")


def _read_mask(path: Path) -> np.ndarray:
    if path != STANDARD:
        return read_mask(path)
    return decode_mask(sys.stdin.buffer.read(), "from standard input")


def _to_standard_output(photo: Photo, form: Format | None, quality: int | None) -> None:
    own: Format = next((each for each in WRITABLE.values() if each == photo.form), "PNG")
    data = encode_photo(photo, form or own, quality=quality, name="standard output")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
