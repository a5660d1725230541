"""Hold back what other packages log while they convert, and nothing else."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def errors_only(name: str | None = None) -> Iterator[None]:
    """Inside the block the logger `name` (None: the root) tells errors only; afterwards it is as it was.

    Its level holds back the loggers below it, too; a filter holds where what is called sets that level, as TensorFlow
    does with absl's.
    """
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    logger.addFilter(_is_error)
    try:
        yield
    finally:
        logger.removeFilter(_is_error)
        logger.setLevel(level)


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
