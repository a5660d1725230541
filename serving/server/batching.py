"""Dynamic batching: concurrent requests of one signature and shape become one run of the model."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server.limits import Call
from cnnlg_tf.serving.server.metrics import ServerMetrics
from cnnlg_tf.serving.server.servable import Servable
from cnnlg_tf.serving.server.status import to_serving_error
from cnnlg_tf.startup import usable_cores


@dataclass(frozen=True)
class BatchingOptions:
    """TF-Serving's BatchingParameters with its defaults; sizes count rows (the first dimension)."""

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = usable_cores()
    thread_pool_name: str = "model_server_batch_threads"
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    max_execution_batch_size: int = 0

    @classmethod
    def from_proto(cls, proto: Any) -> "BatchingOptions":
        """Read a BatchingParameters message.

        Raises:
            ServingError: INVALID_ARGUMENT, values that contradict each other.
        """
        given: dict[str, Any] = {
            name: getattr(proto, name).value
            for name in (
                "max_batch_size",
                "batch_timeout_micros",
                "max_enqueued_batches",
                "num_batch_threads",
                "thread_pool_name",
            )
            if proto.HasField(name)
        }
        given["allowed_batch_sizes"] = tuple(proto.allowed_batch_sizes)
        given["pad_variable_length_inputs"] = proto.pad_variable_length_inputs
        if proto.enable_large_batch_splitting.value:
            given["max_execution_batch_size"] = proto.max_execution_batch_size.value
        options = cls(**given)
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if getattr(options, name) < 1:
                raise ServingError(
                    f"{name} must be positive; was {getattr(options, name)}", "INVALID_ARGUMENT"
                )
        sizes = options.allowed_batch_sizes
        if sizes and (list(sizes) != sorted(set(sizes)) or sizes[-1] != options.run_size):
            raise ServingError(
                "allowed_batch_sizes must increase and end with max_batch_size "
                f"(max_execution_batch_size when large batches are split), {options.run_size}. "
                f"Received: {list(sizes)}",
                "INVALID_ARGUMENT",
            )
        return options

    @property
    def run_size(self) -> int:
        """The most rows in one run."""
        return self.max_execution_batch_size or self.max_batch_size


@dataclass
class _Task:
    feeds: Mapping[str, np.ndarray]
    rows: int
    call: Call
    enqueued: float = field(default_factory=time.monotonic)
    done: threading.Event = field(default_factory=threading.Event)
    outputs: list[np.ndarray] = field(default_factory=list)
    error: ServingError | None = None

    def finish(self, error: ServingError | None = None) -> None:
        self.error = error
        self.done.set()


@dataclass
class _Batch:
    queue: "BatchedServable"
    fetches: tuple[str, ...]
    deadline: float
    tasks: list[_Task] = field(default_factory=list)
    rows: int = 0


class BatchScheduler:
    """Threads that run batches, shared by all models; a batch goes when full or timed out."""

    def __init__(self, threads: int) -> None:
        self._waiting: list[_Batch] = []  # oldest first
        self._open: dict[Any, _Batch] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"batch-{index}", daemon=True)
            for index in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self, queue: "BatchedServable", key: Any, fetches: tuple[str, ...], task: _Task
    ) -> None:
        """Put a task into the open batch of its kind, or into a new one.

        Raises:
            ServingError: UNAVAILABLE, the queue is full.
        """
        options = queue.options
        with self._changed:
            batch = self._open.get(key)
            if batch is None or batch.rows + task.rows > options.run_size:
                if (
                    sum(waiting.queue is queue for waiting in self._waiting)
                    >= options.max_enqueued_batches
                ):
                    raise ServingError(
                        "The batch scheduling queue to which this task was submitted is full",
                        "UNAVAILABLE",
                    )
                if batch is not None:
                    batch.deadline = 0.0
                batch = _Batch(
                    queue, fetches, time.monotonic() + options.batch_timeout_micros / 1e6
                )
                self._open[key] = batch
                self._waiting.append(batch)
            batch.tasks.append(task)
            batch.rows += task.rows
            if batch.rows == options.run_size:
                batch.deadline = 0.0
            self._changed.notify()

    def stop(self) -> None:
        """Run what waits, then end the threads."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            batch.queue.process(batch)

    def _next(self) -> _Batch | None:
        with self._changed:
            while True:
                now = time.monotonic()
                for batch in self._waiting:
                    if batch.deadline <= now or self._stopping:
                        self._waiting.remove(batch)
                        self._open = {key: b for key, b in self._open.items() if b is not batch}
                        return batch
                if self._stopping:
                    return None
                self._changed.wait(min((b.deadline - now for b in self._waiting), default=None))


class BatchedServable(Servable):
    """A servable whose concurrent runs are merged along the first dimension."""

    def __init__(
        self,
        servable: Servable,
        scheduler: BatchScheduler,
        options: BatchingOptions,
        metrics: ServerMetrics,
    ) -> None:
        self.signatures = servable.signatures
        self.rules = servable.rules
        self.path = servable.path
        self.options = options
        self._servable = servable
        self._scheduler = scheduler
        self._metrics = metrics

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], call: Call
    ) -> list[np.ndarray]:
        rows = _rows(feeds)
        if rows > self.options.max_batch_size:
            raise ServingError(
                f"Task size {rows} is larger than maximum input batch size "
                f"{self.options.max_batch_size}",
                "INVALID_ARGUMENT",
            )
        step = self.options.run_size
        starts = range(0, rows, step) if rows > step else [0]
        parts = [{name: a[start : start + step] for name, a in feeds.items()} for start in starts]
        tasks = [_Task(part, _rows(part), call) for part in parts]
        padded = self.options.pad_variable_length_inputs
        shapes = tuple(
            (name, array.dtype, array.ndim if padded else array.shape[1:])
            for name, array in sorted(feeds.items())
        )
        for task in tasks:
            call.on_cancel(task.done.set)
            self._scheduler.submit(self, (id(self), shapes, tuple(fetches)), tuple(fetches), task)
        for task in tasks:
            task.done.wait(call.remaining())
            if task.error is not None:
                raise task.error
            if not task.outputs:
                call.check()
        if len(tasks) == 1:
            return tasks[0].outputs
        return [
            np.concatenate(parts) for parts in zip(*(task.outputs for task in tasks), strict=True)
        ]

    def close(self) -> None:
        self._servable.close()

    def process(self, batch: _Batch) -> None:
        """Run a batch and give each task its rows; cancelled and late tasks are dropped.

        What one request has wrong fails the run of all: then each runs alone, and the others get their answers.
        """
        tasks = self._still_wanted(batch.tasks)
        if not tasks:
            return
        error = self._try(tasks, batch.fetches)
        if error is None:
            return
        if len(tasks) == 1 or error.code != "INVALID_ARGUMENT":
            for task in tasks:
                task.finish(error)
            return
        for task in tasks:
            for one in self._still_wanted([task]):
                own = self._try([one], batch.fetches)
                if own is not None:
                    one.finish(own)

    @staticmethod
    def _still_wanted(tasks: list[_Task]) -> list[_Task]:
        wanted = []
        for task in tasks:
            problem = task.call.problem()
            if problem is None:
                wanted.append(task)
            else:
                task.finish(problem)
        return wanted

    def _try(self, tasks: list[_Task], fetches: tuple[str, ...]) -> ServingError | None:
        try:
            self._run_tasks(tasks, fetches)
        except Exception as error:
            return to_serving_error(error)
        return None

    def _run_tasks(self, tasks: list[_Task], fetches: tuple[str, ...]) -> None:
        started = time.monotonic()
        rows = sum(task.rows for task in tasks)
        allowed = [size for size in self.options.allowed_batch_sizes if size >= rows]
        padding = allowed[0] - rows if allowed else 0
        merged = {name: self._merge(name, tasks, padding) for name in tasks[0].feeds}
        remaining = [task.call.remaining() for task in tasks]
        longest = None if None in remaining else max(left for left in remaining if left is not None)
        outputs = self._servable.run(merged, fetches, Call(longest))
        waits = [started - task.enqueued for task in tasks]
        self._metrics.batch(self.options.thread_pool_name, rows + padding, padding, waits)
        for output in outputs:
            if output.ndim == 0:
                raise ServingError("Batched output tensor has 0 dimensions", "FAILED_PRECONDITION")
            if len(output) != rows + padding:
                raise ServingError(
                    "Batched output tensor's 0th dimension does not equal the sum of the "
                    "0th dimension sizes of the input tensors",
                    "FAILED_PRECONDITION",
                )
        start = 0
        for task in tasks:
            task.outputs = [output[start : start + task.rows] for output in outputs]
            start += task.rows
            task.finish()

    def _merge(self, name: str, tasks: list[_Task], padding: int) -> np.ndarray:
        arrays = [task.feeds[name] for task in tasks]
        if (
            self.options.pad_variable_length_inputs
            and len({array.shape[1:] for array in arrays}) > 1
        ):
            sizes = np.max([array.shape[1:] for array in arrays], axis=0)
            arrays = [_pad_to(array, sizes) for array in arrays]
        arrays += [arrays[-1][:1]] * padding
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _rows(feeds: Mapping[str, np.ndarray]) -> int:
    if not feeds:
        raise ServingError("Batching Run() must have at least one input tensor", "INVALID_ARGUMENT")
    if any(array.ndim == 0 for array in feeds.values()):
        raise ServingError(
            "Batching Run() input tensors must have at least one dimension", "INVALID_ARGUMENT"
        )
    sizes = {len(array) for array in feeds.values()}
    if len(sizes) > 1:
        raise ServingError(
            "Batching Run() input tensors must have equal 0th-dimension size", "INVALID_ARGUMENT"
        )
    return sizes.pop()


def _pad_to(array: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Grow the dimensions after the first to `sizes`; new elements repeat the array's first."""
    padded = np.full((len(array), *sizes), array.flat[0], array.dtype)
    padded[tuple(slice(size) for size in array.shape)] = array
    return padded
