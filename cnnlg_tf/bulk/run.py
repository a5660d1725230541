"""A run: the manifest is checked, Ray Data hands its rows to workers, the ledger tells what became of each."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cnnlg_tf.bulk.cluster import Workers, ray_for
from cnnlg_tf.bulk.ledger import CHECKPOINT, PARTS, forget, gathered, in_order, write_ledger
from cnnlg_tf.bulk.manifest import read_plan
from cnnlg_tf.bulk.progress import Progress, duration, watched
from cnnlg_tf.bulk.state import (
    PLAN_FILE,
    check_same_run,
    folds_case,
    only_run,
    sweep,
    write_run,
)
from cnnlg_tf.bulk.storage import Folder, resolved
from cnnlg_tf.bulk.worker import Repairer, Repairing, Tally, open_here
from cnnlg_tf.errors import CnnlgError, ConfigError
from cnnlg_tf.inference.network import Conditions, check_ability
from cnnlg_tf.photos.quiet import no_warnings

ROWS_PER_BLOCK = 64  # the grain of what is done again after a worker's or the driver's end
_BLOCKS_PER_WORKER = 4  # of a small manifest, so that all workers end at about the same time
_FILTER_MEMORY = (
    64 * 2**20
)  # bytes set aside for what skips rows that are done; Ray adds the ids' own

logger = logging.getLogger("cnnlg_tf")


@dataclass(frozen=True)
class Summary:
    """What became of a manifest.

    Attributes:
        photos: rows of the manifest.
        repaired: of them, all runs together.
        failed: rows with an error in the ledger.
        before: rows that earlier runs had done.
        seconds: this run's, Ray's start included.
        errors: some of the errors, each once.
    """

    photos: int
    repaired: int
    failed: int
    before: int
    seconds: float
    errors: tuple[str, ...] = ()

    def __str__(self) -> str:
        done = self.photos - self.before
        text = f"{self.repaired} of {self.photos} photos repaired"
        text += f", {self.failed} failed" if self.failed else ""
        text += f", {self.before} of them by earlier runs" if self.before else ""
        speed = f", {done / self.seconds:.3g} photos/s" if done else ""
        return f"{text}; {duration(self.seconds)}{speed}"


def run_bulk(
    source: str,
    out: str,
    repairing: Repairing | None = None,
    *,
    mask: str | None = None,
    mask_suffix: str = "",
    recursive: bool = False,
    workers: int | None = None,
    cpus_per_worker: int | None = None,
    gpus_per_worker: float = 0.0,
    address: str | None = None,
    retry_errors: bool = False,
    rows_per_block: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Repair the photos of a manifest or a folder; what earlier runs did is not done again.

    Each row is done at least once and its output is there once: its name is a function of its id, and
    it is written whole. An error, or a photo at which workers die, is a row of the ledger.

    Args:
        source, mask, mask_suffix, recursive: as `read_plan` takes them.
        out: the folder for outputs, `ledger.parquet` and `.bulk`, which holds what a later run goes on
            from. A path that all machines of a cluster share, or a URL.
        repairing: with what, and how.
        workers, cpus_per_worker, gpus_per_worker: None: as many workers as fit, of 2 cores each.
        address: a Ray cluster's; None: this machine.
        retry_errors: do rows again that have an error.
        rows_per_block: None: 64, or fewer where that leaves workers without work.
        progress: called twice a second, from another thread.

    Raises:
        DataError: the manifest's faults; nothing was done.
        ConfigError: an option is out of range, or nothing that the network can do; `out` holds another
            run; there is no such cluster.
        CnnlgError: the network cannot be opened; Ray ended the run. The same call goes on.
    """
    start = time.perf_counter()
    repairing = _checked(repairing or Repairing())
    if rows_per_block is not None and rows_per_block < 1:
        raise ConfigError(f"rows_per_block must be 1 or more. Received: {rows_per_block}")
    folder = Folder(resolved(out, os.getcwd()))
    with only_run(folder):
        plan = read_plan(
            source,
            folder.place,
            mask=mask,
            mask_suffix=mask_suffix,
            recursive=recursive,
            form=repairing.form,
            folded=folds_case(folder),
        )
        found = gathered(folder)
        check_same_run(folder, repairing, plan, found.filter(pc.equal(found["status"], "ok")))
        write_run(folder, repairing, plan)
        rows = in_order(found, plan)
        failed = rows.filter(pc.equal(rows["status"], "error"))
        if retry_errors and failed.num_rows:
            forget(folder, failed["id"].combine_chunks())
            rows = rows.filter(pc.equal(rows["status"], "ok"))
        before = rows.num_rows
        if before < plan.num_rows:
            with (
                no_warnings(),  # Ray's, about what it does itself
                redirect_stdout(sys.stderr),  # where its words belong
                ray_for(address, workers, cpus_per_worker, gpus_per_worker) as each,
            ):
                grain = rows_per_block or _grain(plan.num_rows - before, each.count)
                _execute(folder, repairing, plan, each, grain, before, progress)
            sweep(folder)
            rows = in_order(gathered(folder), plan)
        write_ledger(folder, rows)
    if rows.num_rows < plan.num_rows:
        raise CnnlgError(
            f"each photo needs a row in the ledger. Received: {rows.num_rows} of {plan.num_rows}; "
            "the same command goes on"
        )
    errors = rows.filter(pc.equal(rows["status"], "error"))
    messages = tuple(pc.unique(errors["error"]).to_pylist()[:3])
    repaired = plan.num_rows - errors.num_rows
    seconds = time.perf_counter() - start
    return Summary(plan.num_rows, repaired, errors.num_rows, before, seconds, messages)


def _checked(repairing: Repairing) -> Repairing:
    """The options, with a model's path as workers find it; raises ConfigError for one out of range."""
    Conditions(repairing.detail)
    model = repairing.model
    if isinstance(model, str | os.PathLike) and os.path.exists(model):
        repairing = replace(repairing, model=os.path.abspath(model))
    return repairing


def _grain(rows: int, workers: int) -> int:
    return max(1, min(ROWS_PER_BLOCK, rows // (_BLOCKS_PER_WORKER * workers)))


def _execute(
    folder: Folder,
    repairing: Repairing,
    plan: pa.Table,
    workers: Workers,
    grain: int,
    before: int,
    progress: Callable[[Progress], None] | None,
) -> None:
    """Have Ray Data do the rows that its checkpoint lacks."""
    import ray

    resources = {"num_cpus": workers.cpus, "num_gpus": workers.gpus}
    _try_network(repairing, plan, workers.cpus, resources)
    tally = ray.remote(Tally).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
    shared = 0 < workers.gpus < 1
    blocks = -(-(plan.num_rows - before) // grain)
    try:
        with (
            _checkpoint(folder),
            watched(lambda: ray.get(tally.counts.remote()), before, plan.num_rows, progress),
        ):
            rows = ray.data.read_parquet(folder.path(PLAN_FILE), filesystem=folder.arrow())
            rows = rows.repartition(target_num_rows_per_block=grain)
            done = rows.map_batches(
                Repairer,
                fn_constructor_args=(repairing, folder.place, tally, workers.cpus, shared),
                batch_size=None,
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(size=min(workers.count, blocks)),
                **resources,
            )  # Ray Data starts dead actors again, and gives them their blocks, without end
            done.write_parquet(folder.path(PARTS), filesystem=folder.arrow())
    except CnnlgError:
        raise
    except Exception as error:  # Ray's own, and those of workers that could not start
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise CnnlgError(
            f"Ray ended the run: {reason[0][:300]}; the same command goes on from what is done"
        ) from error


def _try_network(
    repairing: Repairing, plan: pa.Table, threads: int, resources: dict[str, Any]
) -> None:
    """Open the network once where workers will: what cannot be opened is told at once, in one line."""
    import ray

    wanted = {"find_damage"} if plan["mask"].null_count else set()
    if pc.any(pc.greater(pc.list_value_length(plan["reference"]), 0)).as_py():
        wanted.add("reference")
    abilities = frozenset(wanted | Conditions(repairing.detail).abilities)
    model = repairing.model
    if hasattr(model, "fill"):  # a Network, open already
        check_ability(model, abilities)
        return

    def attempt() -> CnnlgError | None:
        try:
            check_ability(open_here(model, threads).network, abilities)
        except CnnlgError as error:
            return error
        return None

    # max_calls: the process ends with the task, and gives its memory back
    task = ray.remote(max_calls=1, max_retries=1, **resources)(attempt)
    try:
        error = ray.get(task.remote())
    except Exception as failure:
        reason = str(failure).strip().splitlines()[-1]
        raise CnnlgError(f"the network cannot be opened on a worker: {reason}") from failure
    if error is not None:
        raise error


@contextmanager
def _checkpoint(folder: Folder) -> Iterator[None]:
    """Have Ray Data skip rows whose results are written, and keep quiet."""
    import ray
    from ray.data.checkpoint import CheckpointConfig

    config = CheckpointConfig(
        id_column="id",
        checkpoint_path=folder.path(CHECKPOINT),
        delete_checkpoint_on_success=False,
        override_filesystem=folder.arrow(),
    )
    config.checkpoint_actor_memory_bytes = _FILTER_MEMORY
    context = ray.data.DataContext.get_current()
    before = (context.checkpoint_config, context.enable_progress_bars)
    context.checkpoint_config, context.enable_progress_bars = config, False
    try:
        yield
    finally:
        context.checkpoint_config, context.enable_progress_bars = before
