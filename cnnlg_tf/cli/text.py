"""Option values as the library takes them."""

from typing import Any


def split(names: str) -> list[Any]:
    """The words of a list with commas."""
    return [name.strip() for name in names.split(",") if name.strip()]
