"""Hold back what other packages log while they convert, and nothing else."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def errors_only(name: str | None = None) -> Iterator[None]:
    """Inside the block the logger `name` (None: the root) tells errors only; afterwards it is as it was."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
