"""Long work, one piece at a time on one thread, that a page can watch and cancel.

A watcher gets every event of its job from the start, whenever it comes: progress, then one of done, failed, cancelled.
"""

import asyncio
import logging
import queue
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import Any

from cnnlg_tf.errors import CancelledError, CnnlgError
from cnnlg_tf.ui.limits import RequestError

KEPT_JOBS = 100
LAST_EVENTS = ("done", "failed", "cancelled")

logger = logging.getLogger("cnnlg_tf")


class Job:
    """One piece of work: its state as the page sees it.

    Attributes:
        key: names the job in addresses.
        events: (name, data) in order; the last is done, failed or cancelled.
    """

    def __init__(self, work: Callable[["Job"], dict[str, Any]]) -> None:
        self.key = secrets.token_hex(8)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._work = work
        self._cancel = threading.Event()
        self._watchers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._lock = threading.Lock()
        self._started = 0.0

    @property
    def ended(self) -> bool:
        """Whether the last event has come."""
        return bool(self.events) and self.events[-1][0] in LAST_EVENTS

    def cancel(self) -> None:
        """Ask the work to stop; it does at its next step."""
        self._cancel.set()

    def is_cancelled(self) -> bool:
        """Whether somebody asked the work to stop."""
        return self._cancel.is_set()

    def progress(self, share: float) -> None:
        """Tell the share that is done, and how many seconds the rest will take at this rate."""
        taken = time.monotonic() - self._started
        left = round(taken / share * (1 - share), 2) if share > 0 else None
        self.tell("progress", {"share": round(share, 4), "seconds_left": left})

    def tell(self, name: str, data: dict[str, Any]) -> None:
        """Add an event; two of progress in a row become one."""
        with self._lock:
            if name == "progress" and self.events and self.events[-1][0] == "progress":
                self.events[-1] = (name, data)
            else:
                self.events.append((name, data))
            watchers = list(self._watchers)
        for loop, event in watchers:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def run(self) -> None:
        """Do the work; whatever happens, the last event comes."""
        self._started = time.monotonic()
        try:
            if self.is_cancelled():
                raise CancelledError("cancelled before it began")
            result = self._work(self)
            self.tell("done", result | {"seconds": round(time.monotonic() - self._started, 3)})
        except CancelledError:
            self.tell("cancelled", {})
        except CnnlgError as error:
            self.tell("failed", {"error": str(error)})
        except OSError as error:
            what = f"the page's files cannot be read or written: {error.strerror or error}"
            self.tell("failed", {"error": what})
        except MemoryError:
            self.tell("failed", {"error": "the machine's memory does not suffice for this repair"})
        except Exception as error:  # a fault of the program: the page and the thread live on
            logger.exception("a job of the page failed")
            self.tell("failed", {"error": f"unexpected {type(error).__name__}: {error}"})

    async def watch(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Every event from now on, after the latest of those that were; ends with the last."""
        woken = asyncio.Event()
        entry = (asyncio.get_running_loop(), woken)
        with self._lock:
            self._watchers.add(entry)
        seen: list[tuple[str, dict[str, Any]]] = []
        try:
            while True:
                woken.clear()
                with self._lock:
                    events = list(self.events)
                for index, event in enumerate(events):
                    if index >= len(seen) or seen[index] is not event:
                        yield event
                        if event[0] in LAST_EVENTS:
                            return
                seen = events
                await woken.wait()
        finally:
            with self._lock:
                self._watchers.discard(entry)


class Worker:
    """A thread that does jobs one after the other: a network fills one photo at a time."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._queue: queue.Queue[Job | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="page-repairs", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Job], dict[str, Any]]) -> Job:
        """Queue work, which gets its job and returns what the event `done` says."""
        job = Job(work)
        self._jobs[job.key] = job
        for key in [key for key, old in self._jobs.items() if old.ended]:
            if len(self._jobs) <= KEPT_JOBS:
                break
            del self._jobs[key]
        self._queue.put(job)
        return job

    def get(self, key: str) -> Job:
        """A job by its key; raises RequestError (404) if there is none."""
        if key not in self._jobs:
            raise RequestError("there is no such job", 404)
        return self._jobs[key]

    def close(self) -> None:
        """Cancel what is waiting or running, and end the thread."""
        for job in list(self._jobs.values()):
            job.cancel()
        self._queue.put(None)
        self._thread.join(timeout=2)  # a window takes less, mostly; the thread is a daemon

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            job.run()
