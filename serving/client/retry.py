"""Calls that are repeated while the server is UNAVAILABLE, within one deadline.

Every call of the client may be repeated safely: the server keeps no state between requests.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from cnnlg_tf.errors import ServingError

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how fast.

    Before retry n = 0, 1, ... the wait is random in [0, min(first_delay * 2**n, max_delay)]
    seconds, so that many clients do not come back at the same instant. `attempts=1` never retries.
    """

    attempts: int = 6
    first_delay: float = 0.2
    max_delay: float = 5.0

    def call(self, send: Callable[[float], T], timeout: float) -> T:
        """`send(seconds_left)` until it succeeds. Raises its last ServingError."""
        deadline = time.monotonic() + timeout
        attempt = 0
        while True:
            try:
                return send(deadline - time.monotonic())
            except ServingError as error:
                delay = self._delay(attempt, deadline, error)
            time.sleep(delay)
            attempt += 1

    async def call_async(self, send: Callable[[float], Awaitable[T]], timeout: float) -> T:
        """`call`, for a coroutine function."""
        deadline = time.monotonic() + timeout
        attempt = 0
        while True:
            try:
                return await send(deadline - time.monotonic())
            except ServingError as error:
                delay = self._delay(attempt, deadline, error)
            await asyncio.sleep(delay)
            attempt += 1

    def _delay(self, attempt: int, deadline: float, error: ServingError) -> float:
        delay = random.uniform(0, min(self.first_delay * 2**attempt, self.max_delay))
        last = attempt + 1 >= self.attempts or time.monotonic() + delay >= deadline
        if error.code != "UNAVAILABLE" or last:
            raise error
        return delay
