"""How graphs are traced: switches that an exporter turns on for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


@contextmanager
def switched_on(switch: ContextVar[bool]) -> Iterator[None]:
    """The switch is on meanwhile, in this thread of work alone."""
    token = switch.set(True)
    try:
        yield
    finally:
        switch.reset(token)
