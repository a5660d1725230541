"""What runs on the workers: one open network an actor, and the same job a photo as `inpaint` does."""

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cnnlg_tf.bulk.ledger import as_rows
from cnnlg_tf.bulk.storage import Folder, is_url, read_bytes
from cnnlg_tf.errors import ImageError, MaskError
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.jobs import Done, Job, error_of, run_job, unharmed
from cnnlg_tf.open import open_network
from cnnlg_tf.photos import Format, Photo, as_photo, decode_mask, decode_photo, read_photo
from cnnlg_tf.photos.files import told

DEATHS = 2  # of workers at the same photo, after which it is left


@dataclass(frozen=True)
class Repairing:
    """How photos are repaired: with what, and the options of `Inpainter.repair_file`.

    Attributes:
        model: what `open_network` takes.
        form: the outputs' format; None: by their names.
        quality: of lossy outputs.
        invert_mask: masks are white where pixels are known.
        detail, grow, lift, feather, sensitivity: as `Inpainter.repair` takes them.
    """

    model: Any = None
    form: Format | None = None
    quality: int | None = None
    invert_mask: bool = False
    detail: float = 1.0
    grow: int | None = None
    lift: bool | None = None
    feather: int = 0
    sensitivity: float = 0.5


class Tally:
    """Counts what is done, and at which photos workers died. It outlives the workers."""

    def __init__(self) -> None:
        self._begun: dict[str, int] = {}
        self._done = self._failed = 0

    def begin(self, photo: str) -> int:
        """A photo is begun; how often it was before, and not ended."""
        before = self._begun.get(photo, 0)
        self._begun[photo] = before + 1
        return before

    def end(self, photo: str, failed: bool) -> None:
        """A photo is ended."""
        self._begun.pop(photo, None)
        self._done += 1
        self._failed += failed

    def counts(self) -> tuple[int, int]:
        """How many are done, and how many of them failed."""
        return self._done, self._failed


def open_here(model: Any, threads: int, *, shared_gpu: bool = False) -> Inpainter:
    """Open a network that keeps to its worker's share of the machine."""
    # read when TensorFlow and others start, which is not before open_network
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    if shared_gpu:
        os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    import cv2

    cv2.setNumThreads(threads)
    return Inpainter(open_network(model, threads=threads))


class Repairer:
    """Repairs the photos of blocks of a plan; an actor's class.

    Args:
        tally: the Tally's actor.
        threads: that the network runs on.
    """

    def __init__(
        self, repairing: Repairing, out: str, tally: Any, threads: int, shared_gpu: bool
    ) -> None:
        self._repairing, self._tally = repairing, tally
        self._out = Folder(out)
        inpainter = open_here(repairing.model, threads, shared_gpu=shared_gpu)
        self._work = PhotoWork(repairing, self._out, lambda: inpainter)

    def __call__(self, block: pa.Table) -> pa.Table:
        """The ledger's rows of a block."""
        return as_rows(self._row(row) for row in block.to_pylist())

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        import ray

        try:
            deaths = ray.get(self._tally.begin.remote(row["id"]))
        except ray.exceptions.RayActorError:  # it is being restarted, and has forgotten
            deaths = 0
        if deaths >= DEATHS:
            message = (
                f"its worker died {deaths} times at photo {row['photo']} (out of memory, perhaps)"
            )
            row = {**row, "error": message}
        result = self._work.result(row)
        self._tally.end.remote(row["id"], result["status"] != "ok")
        return result


class PhotoWork:
    """Does one row of a plan. What lies behind URLs is fetched, and put when it is whole."""

    def __init__(
        self, repairing: Repairing, out: Folder, open_inpainter: Callable[[], Inpainter]
    ) -> None:
        self._out, self._open = out, open_inpainter
        self._invert, self._form = repairing.invert_mask, repairing.form
        self._options = {
            name: getattr(repairing, name)
            for name in ("quality", "detail", "grow", "lift", "feather", "sensitivity")
        }
        self._mask = lru_cache(maxsize=1)(_read_mask)  # often one serves all photos
        self._references = lru_cache(maxsize=1)(_read_references)

    def result(self, row: dict[str, Any]) -> dict[str, Any]:
        """The ledger's row of a plan's row."""
        start = time.perf_counter()
        size, digest = None, None
        with _notes() as notes, tempfile.TemporaryDirectory(prefix="cnnlg-bulk-") as scratch:
            done = self._done(row, Path(scratch))
            if done.error is None:
                try:
                    data = done.written[0].read_bytes()
                    size, digest = len(data), hashlib.sha256(data).hexdigest()
                    if self._out.local is None:
                        self._out.write(row["name"], data)
                except Exception as failure:  # each protocol has errors of its own
                    where = f"{self._out.place}/{row['name']}"
                    error = ImageError(f"output {where} cannot be written: {failure}")
                    done, size, digest = done._replace(error=error), None, None
        return {
            "id": row["id"],
            "name": row["name"],
            "status": "ok" if done.error is None else "error",
            "error": None if done.error is None else str(done.error),
            "note": "; ".join(dict.fromkeys(notes)) or None,
            "seconds": time.perf_counter() - start,
            "bytes": size,
            "sha256": digest,
            "found": None if done.damage is None else done.damage.share,
            "finished": datetime.now(UTC),
        }

    def _done(self, row: dict[str, Any], scratch: Path) -> Done:
        place = row["photo"]
        here = self._out.local
        # by the last part alone: a name in a scratch folder
        output = scratch / Path(row["name"]).name if here is None else here / row["name"]
        error = None if row["error"] is None else ImageError(row["error"])
        job = Job(Path(place), None if row["mask"] is None else Path(row["mask"]), output, error)
        if here is not None and error is None and not is_url(place):
            (job,) = unharmed([job])
        try:
            references = () if job.error else self._references(tuple(row["reference"] or ()))
            return run_job(
                job,
                self._open,
                read_photo=lambda _: _read_photo(place, scratch),
                read_mask=lambda _: self._mask(row["mask"]),
                invert_mask=self._invert,
                form=self._form,
                reference=list(references),
                **self._options,
            )
        except Exception as failure:
            return Done(job, (), 0.0, error_of(failure, job.photo))


def _read_photo(place: str, scratch: Path) -> Photo:
    if not is_url(place):
        return read_photo(place)
    data = read_bytes(place, "photo", ImageError)
    file = scratch / "fetched"  # where nothing is damaged, this file is the output
    file.write_bytes(data)
    return replace(told(decode_photo(data, place)), file=file)


def _read_mask(place: str) -> np.ndarray:
    return decode_mask(read_bytes(place, "mask", MaskError), place)


def _read_references(places: tuple[str, ...]) -> tuple[Photo, ...]:
    return tuple(
        as_photo(read_bytes(place, "reference", ImageError), f"reference {place}")
        for place in places
    )


@contextmanager
def _notes() -> Iterator[list[str]]:
    """The library's warnings of a photo, in a list and nowhere else."""
    messages: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger = logging.getLogger("cnnlg_tf")
    before, propagated = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [Handler(logging.WARNING)], False
    try:
        yield messages
    finally:
        logger.handlers, logger.propagate = before, propagated
