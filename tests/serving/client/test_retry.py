import asyncio
import time
from collections.abc import Callable

import pytest

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.client.retry import RetryPolicy

Run = Callable[[RetryPolicy, Callable[[float], str], float], str]


def blocking(policy: RetryPolicy, send: Callable[[float], str], timeout: float) -> str:
    return policy.call(send, timeout)


def asynchronous(policy: RetryPolicy, send: Callable[[float], str], timeout: float) -> str:
    async def awaited(left: float) -> str:
        return send(left)

    return asyncio.run(policy.call_async(awaited, timeout))


class Flaky:
    """Fails `failures` times with `code`, then answers; notes the seconds left at each try."""

    def __init__(self, failures: int, code: str = "UNAVAILABLE") -> None:
        self.failures, self.code = failures, code
        self.left: list[float] = []

    def __call__(self, left: float) -> str:
        self.left.append(left)
        if len(self.left) <= self.failures:
            raise ServingError(f"try {len(self.left)}", self.code)
        return "answer"


@pytest.mark.parametrize("run", [blocking, asynchronous])
class TestRetryPolicy:
    def test_unavailable_is_tried_again(self, run: Run) -> None:
        send = Flaky(2)
        assert run(RetryPolicy(first_delay=0.01), send, 5) == "answer"
        assert len(send.left) == 3
        assert 5 >= send.left[0] > send.left[1] > send.left[2] > 4

    def test_gives_up_after_its_attempts(self, run: Run) -> None:
        send = Flaky(9)
        with pytest.raises(ServingError, match="try 3"):
            run(RetryPolicy(attempts=3, first_delay=0.001), send, 5)

    def test_other_errors_are_not_tried_again(self, run: Run) -> None:
        send = Flaky(1, "INVALID_ARGUMENT")
        with pytest.raises(ServingError, match="try 1"):
            run(RetryPolicy(), send, 5)
        assert len(send.left) == 1

    def test_never_waits_beyond_the_deadline(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("random.uniform", lambda low, high: high)
        start = time.monotonic()
        with pytest.raises(ServingError, match="try 1"):
            run(RetryPolicy(first_delay=3), Flaky(9), 0.2)
        assert time.monotonic() - start < 1


def test_waits_double_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    monkeypatch.setattr("time.sleep", waits.append)
    RetryPolicy(attempts=6, first_delay=0.1, max_delay=0.5).call(Flaky(5), 100)
    assert waits == [0.1, 0.2, 0.4, 0.5, 0.5]
