"""The batch scheduler with a model that records what it is given."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server.batching import BatchedServable, BatchingOptions, BatchScheduler
from cnnlg_tf.serving.server.config_files import BatchingParameters
from cnnlg_tf.serving.server.limits import Call
from cnnlg_tf.serving.server.metrics import ServerMetrics
from cnnlg_tf.serving.server.servable import Servable

BAD = -1.0


class Recorder(Servable):
    """y = 2 x, and BAD is refused; keeps the shapes it ran, and waits for `gate` in each run."""

    def __init__(self) -> None:
        self.signatures: dict[str, Any] = {}
        self.rules = {}
        self.path = Path("model/1")
        self.shapes: list[tuple[int, ...]] = []
        self.started = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        self.answer: Any = None
        self.closed = False

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], call: Call
    ) -> list[np.ndarray]:
        self.shapes.append(feeds["x"].shape)
        self.started.release()
        self.gate.wait(20)
        if isinstance(self.answer, Exception):
            raise self.answer
        if (feeds["x"] == BAD).any():
            raise tf.errors.InvalidArgumentError(None, None, "values must be positive")
        return [2 * feeds["x"] if self.answer is None else self.answer for _ in fetches]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def model() -> Recorder:
    return Recorder()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as executor:
        yield executor


@pytest.fixture
def batched(model: Recorder) -> Iterator[Any]:
    """batched(max_batch_size=..., ...) -> the recorder with batching."""
    schedulers = []

    def make(threads: int = 1, **options: Any) -> BatchedServable:
        schedulers.append(BatchScheduler(threads))
        return BatchedServable(model, schedulers[-1], BatchingOptions(**options), ServerMetrics())

    yield make
    model.gate.set()
    for scheduler in schedulers:
        scheduler.stop()


def rows(count: int, value: float = 1.0, width: int = 3) -> dict[str, np.ndarray]:
    return {"x": np.full((count, width), value, np.float32)}


def test_concurrent_requests_become_one_run(
    model: Recorder, batched: Any, pool: ThreadPoolExecutor
) -> None:
    servable = batched(max_batch_size=4, batch_timeout_micros=10_000_000)
    answers = [pool.submit(servable.run, rows(1, value), ["y"], Call()) for value in range(4)]
    for value, answer in enumerate(answers):
        np.testing.assert_array_equal(answer.result(20), [np.full((1, 3), 2.0 * value)])
    assert model.shapes == [(4, 3)]


def test_a_batch_that_is_not_full_goes_after_its_timeout(model: Recorder, batched: Any) -> None:
    servable = batched(max_batch_size=4, batch_timeout_micros=50_000)
    start = time.monotonic()
    servable.run(rows(2), ["y"], Call())
    assert 0.05 <= time.monotonic() - start < 5
    assert model.shapes == [(2, 3)]


def test_requests_of_other_shapes_outputs_or_types_are_not_mixed(
    model: Recorder, batched: Any, pool: ThreadPoolExecutor
) -> None:
    servable = batched(max_batch_size=8, batch_timeout_micros=100_000)
    jobs = [
        (rows(1), ["y"]),
        (rows(1, width=5), ["y"]),
        (rows(1), ["y", "z"]),
        ({"x": np.ones((1, 3))}, ["y"]),
    ]
    for answer in [pool.submit(servable.run, *job, Call()) for job in jobs]:
        answer.result(20)
    assert sorted(model.shapes) == [(1, 3), (1, 3), (1, 3), (1, 5)]


def test_batches_are_padded_up_to_an_allowed_size(model: Recorder, batched: Any) -> None:
    servable = batched(max_batch_size=8, allowed_batch_sizes=(2, 8))
    np.testing.assert_array_equal(
        servable.run(rows(3, 5.0), ["y"], Call()), [np.full((3, 3), 10.0)]
    )
    assert model.shapes == [(8, 3)]


def test_variable_lengths_are_padded_when_asked(
    model: Recorder, batched: Any, pool: ThreadPoolExecutor
) -> None:
    servable = batched(
        max_batch_size=2, batch_timeout_micros=10_000_000, pad_variable_length_inputs=True
    )
    answers = [pool.submit(servable.run, rows(1, 7.0, w), ["y"], Call()) for w in (2, 4)]
    assert [answer.result(20)[0].tolist() for answer in answers] == [[[14.0] * 4]] * 2
    assert model.shapes == [(2, 4)]


def test_large_requests_are_split_when_asked(model: Recorder, batched: Any) -> None:
    servable = batched(max_batch_size=10, max_execution_batch_size=4)
    (answer,) = servable.run({"x": np.arange(9.0)[:, None]}, ["y"], Call())
    np.testing.assert_array_equal(answer[:, 0], 2 * np.arange(9.0))
    assert sorted(model.shapes) == [(1, 1), (4, 1), (4, 1)]


def test_a_full_queue_refuses_at_once(
    model: Recorder, batched: Any, pool: ThreadPoolExecutor
) -> None:
    servable = batched(max_batch_size=1, max_enqueued_batches=2)
    model.gate.clear()
    answers = [pool.submit(servable.run, rows(1), ["y"], Call())]
    assert model.started.acquire(timeout=20)  # runs: no longer in the queue
    answers += [pool.submit(servable.run, rows(1), ["y"], Call()) for _ in range(2)]
    deadline = time.monotonic() + 20
    while len(servable._scheduler._waiting) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    start = time.monotonic()
    with pytest.raises(
        ServingError, match="The batch scheduling queue to which this task was submitted is full"
    ) as caught:
        servable.run(rows(1), ["y"], Call())
    assert caught.value.code == "UNAVAILABLE"
    assert time.monotonic() - start < 1
    model.gate.set()
    assert [len(answer.result(20)) for answer in answers] == [1, 1, 1]


def test_late_and_cancelled_requests_leave_the_queue(
    model: Recorder, batched: Any, pool: ThreadPoolExecutor
) -> None:
    servable = batched(max_batch_size=4)
    model.gate.clear()
    first = pool.submit(servable.run, rows(1), ["y"], Call())
    assert model.started.acquire(timeout=20)
    cancelled = Call()
    left = pool.submit(servable.run, rows(1), ["y"], cancelled)
    with pytest.raises(ServingError, match="deadline passed") as caught:
        servable.run(rows(1), ["y"], Call(0.05))
    assert caught.value.code == "DEADLINE_EXCEEDED"
    cancelled.cancel()
    with pytest.raises(ServingError, match="the client cancelled the request"):
        left.result(20)
    model.gate.set()
    first.result(20)
    servable.run(rows(1), ["y"], Call())
    assert model.shapes == [(1, 3), (1, 3)]  # what was left by its clients never ran


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "Batching Run() must have at least one input tensor"),
        ({"x": np.float32(1)}, "Batching Run() input tensors must have at least one dimension"),
        (
            {"x": np.ones(2), "z": np.ones(3)},
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
        ({"x": np.ones(5)}, "Task size 5 is larger than maximum input batch size 4"),
    ],
)
def test_inputs_that_cannot_be_batched(batched: Any, feeds: Any, message: str) -> None:
    with pytest.raises(ServingError) as caught:
        batched(max_batch_size=4).run(feeds, ["y"], Call())
    assert (str(caught.value), caught.value.code) == (message, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (np.float32(1), "FAILED_PRECONDITION", "Batched output tensor has 0 dimensions"),
        (
            np.ones(3),
            "FAILED_PRECONDITION",
            "Batched output tensor's 0th dimension does not equal the sum of the "
            "0th dimension sizes of the input tensors",
        ),
        (KeyError("lost"), "INTERNAL", "KeyError: 'lost'"),
    ],
)
def test_what_the_model_does_wrong_reaches_each_request(
    model: Recorder, batched: Any, answer: Any, code: str, message: str
) -> None:
    model.answer = answer
    with pytest.raises(ServingError) as caught:
        batched().run(rows(2), ["y"], Call())
    assert (str(caught.value), caught.value.code) == (message, code)


def test_one_bad_request_fails_alone(
    model: Recorder, batched: Any, pool: ThreadPoolExecutor
) -> None:
    servable = batched(max_batch_size=3, batch_timeout_micros=10_000_000)
    values = (1.0, BAD, 3.0)
    good, bad, last = (pool.submit(servable.run, rows(1, v), ["y"], Call()) for v in values)
    np.testing.assert_array_equal(good.result(20), [np.full((1, 3), 2.0)])
    np.testing.assert_array_equal(last.result(20), [np.full((1, 3), 6.0)])
    with pytest.raises(ServingError, match="values must be positive") as caught:
        bad.result(20)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert sorted(model.shapes) == [(1, 3), (1, 3), (1, 3), (3, 3)]


def test_closing_closes_the_model(model: Recorder, batched: Any) -> None:
    batched().close()
    assert model.closed


def options(text: str) -> BatchingOptions:
    return BatchingOptions.from_proto(text_format.Parse(text, BatchingParameters()))


def test_parameters_are_read_from_text() -> None:
    assert options("") == BatchingOptions()
    assert options(
        """
        max_batch_size { value: 128 } batch_timeout_micros { value: 7 }
        max_enqueued_batches { value: 100 } num_batch_threads { value: 3 }
        thread_pool_name { value: "pool" } allowed_batch_sizes: 32 allowed_batch_sizes: 64
        pad_variable_length_inputs: true enable_large_batch_splitting { value: true }
        max_execution_batch_size { value: 64 }
        """
    ) == BatchingOptions(128, 7, 100, 3, "pool", (32, 64), True, 64)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("num_batch_threads { value: 0 }", "num_batch_threads must be positive; was 0"),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: 4",
            "allowed_batch_sizes must increase and end with max_batch_size "
            r"\(max_execution_batch_size when large batches are split\), 8. Received: \[4\]",
        ),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: 8 allowed_batch_sizes: 8",
            r"Received: \[8, 8\]",
        ),
    ],
)
def test_contradicting_parameters_are_refused(text: str, message: str) -> None:
    with pytest.raises(ServingError, match=message):
        options(text)
