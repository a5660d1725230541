"""Repair what the strokes cover and no more: a part of the photo with its surroundings; or extend it. One edit each."""

from dataclasses import dataclass

import numpy as np

from cnnlg_tf.inference.canvas import Extension, extended
from cnnlg_tf.inference.inpainter import Inpainter, Repair
from cnnlg_tf.inference.windows import Box, bounding_box
from cnnlg_tf.photos import Photo
from cnnlg_tf.ui.edits import Edit
from cnnlg_tf.ui.jobs import Job
from cnnlg_tf.ui.limits import RequestError
from cnnlg_tf.ui.sessions import Session

SURROUNDINGS = 512  # pixels around the strokes at least; a window of the network is no wider
GRID = 256  # pixels; parts start on it, so that windows lie as they would in the whole photo


@dataclass(frozen=True)
class Wishes:
    """How the page wants a repair.

    Attributes:
        detail: 0 smooth .. 1 as learnt .. 2 crisp.
        variants: how many repairs to choose from.
        seed: of the variants after the first.
        lift: stains that the photo shows through are lifted, not painted over.
    """

    detail: float = 1.0
    variants: int = 1
    seed: int = 0
    lift: bool = False


def part_around(hole: np.ndarray) -> Box:
    """The part of the photo that a repair of `hole` bool [height, width] looks at."""
    height, width = hole.shape
    box = bounding_box(hole)
    margin = max(SURROUNDINGS, box.bottom - box.top, box.right - box.left)
    top, left = (max(0, (side - margin) // GRID * GRID) for side in (box.top, box.left))
    bottom, right = (-(-(side + margin) // GRID) * GRID for side in (box.bottom, box.right))
    return Box(top, left, bottom, right).clipped(height, width)


def repair_session(
    inpainter: Inpainter, session: Session, hole: np.ndarray, wishes: Wishes, job: Job
) -> None:
    """Repair a hole of an open photo, after the strokes in it; the repair counts from then on.

    Args:
        hole: bool [height, width], at least one True.

    Raises:
        CancelledError: the job was cancelled; nothing has changed then.
        RequestError: the photo has another size by now.
    """
    part = part_around(hole)
    with session.lock:
        _check_size(session, *hole.shape)
        source, pixels = session.canvas(), session.pixels()
        before = pixels[part.slices].copy()
        references = session.references()
        sketch = session.sketch().layer(part.slices, hole[part.slices])
    alpha = None if source.alpha is None else source.alpha[part.slices]
    wanted = hole[part.slices]
    repair = inpainter.repair(
        Photo(before, alpha),
        wanted,
        detail=wishes.detail,
        reference=references,
        sketch=sketch if "sketch" in inpainter.network.can else None,
        samples=wishes.variants - 1,
        seed=wishes.seed,
        lift=wishes.lift,
        progress=job.progress,
        cancelled=job.is_cancelled,
    )
    box = bounding_box(wanted)
    inner = wanted[box.slices]
    edit = Edit(
        box=box.within(Box(-part.top, -part.left, 0, 0)),
        hole=inner,
        before=before[box.slices][inner],
        choices=_choices(repair, box, inner),
        uncertainty=_levels(repair.uncertainty[box.slices][inner]),
    )
    with session.lock:
        _check_size(session, *hole.shape)
        session.add_edit(edit)


def extend_session(
    inpainter: Inpainter, session: Session, extension: Extension, wishes: Wishes, job: Job
) -> None:
    """Paint on beyond the frame of an open photo; the extension counts from then on.

    Raises:
        CancelledError: the job was cancelled; nothing has changed then.
        RequestError: the photo has another size by now. ConfigError: the extension is too much.
    """
    with session.lock:
        source, shape = session.result(), session.shape
        references = session.references()
    repair = inpainter.extend(
        source,
        extension,
        detail=wishes.detail,
        reference=references,
        samples=wishes.variants - 1,
        seed=wishes.seed,
        progress=job.progress,
        cancelled=job.is_cancelled,
    )
    whole, hole = Box(0, 0, *repair.mask.shape), repair.mask
    edit = Edit(
        box=whole,
        hole=hole,
        before=np.empty((0, 3), repair.photo.dtype),
        choices=_choices(repair, whole, hole),
        uncertainty=_levels(repair.uncertainty[hole]),
        extension=extension,
    )
    with session.lock:
        _check_size(session, *shape)
        session.add_edit(edit)


def repair_whole(
    inpainter: Inpainter,
    photo: Photo,
    mask: np.ndarray,
    wishes: Wishes,
    job: Job | None,
    sketch: Photo | None = None,
) -> Photo:
    """A photo with its mask repaired, and all else as it was.

    Args:
        mask: bool [height, width]; without a True the photo comes back as it is.
        job: is told the progress; None: nobody is.
        sketch: strokes on a transparent layer.
    """
    repair = inpainter.repair(
        photo,
        mask,
        detail=wishes.detail,
        sketch=sketch,
        lift=wishes.lift,
        progress=None if job is None else job.progress,
        cancelled=None if job is None else job.is_cancelled,
    )
    return photo.with_pixels(repair.photo)


def extend_whole(
    inpainter: Inpainter, photo: Photo, extension: Extension, wishes: Wishes, job: Job
) -> Photo:
    """A photo on a larger canvas, painted beyond its frame."""
    canvas, missing, stages = extended(photo, extension)
    repair = inpainter.repair(
        canvas,
        missing,
        stages=stages,
        detail=wishes.detail,
        progress=job.progress,
        cancelled=job.is_cancelled,
    )
    return canvas.with_pixels(repair.photo)


def check_marked(mask: np.ndarray) -> None:
    """Raises RequestError if a mask marks nothing."""
    if not mask.any():
        raise RequestError("something must be marked to be repaired. Received: an empty mask")


def _check_size(session: Session, height: int, width: int) -> None:
    if session.shape != (height, width):
        raise RequestError(
            "the photo was extended, or that undone, before the repair was made", 409
        )


def _choices(repair: Repair, box: Box, hole: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(each[box.slices][hole] for each in (repair.photo, *repair.samples))


def _levels(uncertainty: np.ndarray) -> np.ndarray:
    """Standard deviations, 1 = the full range, as uint8 where 255 is half the range."""
    levels: np.ndarray = np.rint(np.clip(2 * uncertainty, 0, 1) * 255).astype(np.uint8)
    return levels
