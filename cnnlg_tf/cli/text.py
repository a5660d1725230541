"""Option values as the library takes them, and lines as a terminal takes them."""

from typing import Any


def split(names: str) -> list[Any]:
    """The words of a list with commas."""
    return [name.strip() for name in names.split(",") if name.strip()]


def printable(line: object) -> str:
    """A line for the screen: file names may hold bytes that are no text."""
    return str(line).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
