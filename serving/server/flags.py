"""Command-line flags as TensorFlow reads them: --name=value, --name value, --switch.

The flags are the fields of a dataclass, made with `flag(default, help)`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

from cnnlg_tf.errors import ConfigError

T = TypeVar("T")
_TRUE = ("true", "1")
_FALSE = ("false", "0")


def flag(default: Any, text: str) -> Any:
    """A field of a flags class: its default and what it does."""
    return dataclasses.field(default=default, metadata={"help": text})


def parse_flags(kind: type[T], arguments: Sequence[str]) -> T:
    """Read `arguments` into a flags class.

    Raises:
        ConfigError: an unknown flag, a missing value, or one of the wrong type.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    remaining = list(arguments)
    while remaining:
        argument = remaining.pop(0)
        name, equals, text = argument.removeprefix("--").partition("=")
        field = fields.get(name.replace("-", "_"))
        if not argument.startswith("--") or field is None:
            raise ConfigError(f"unknown argument: {argument}")
        if not equals:
            if isinstance(field.default, bool):
                follows = remaining and remaining[0].lower() in _TRUE + _FALSE
                text = remaining.pop(0) if follows else "true"
            elif remaining and not remaining[0].startswith("--"):
                text = remaining.pop(0)
            else:
                raise ConfigError(f"flag --{name} needs a value: --{name}=VALUE")
        values[field.name] = _convert(text, field)
    return kind(**values)


def usage(program: str, kind: type) -> str:
    """One line for each flag: its default, its type, its help."""
    lines = [f"usage: {program}", "Flags:"]
    for field in dataclasses.fields(kind):
        value = (
            str(field.default).lower() if isinstance(field.default, bool) else repr(field.default)
        )
        shown = f"--{field.name}={value}".replace("'", '"')
        lines.append(f"\t{shown:<48}\t{type(field.default).__name__}\t{field.metadata['help']}")
    return "\n".join(lines) + "\n"


def _convert(text: str, field: Any) -> Any:
    kind = type(field.default)
    if kind is bool:
        if text.lower() not in _TRUE + _FALSE:
            raise ConfigError(
                f"Couldn't interpret value {text} for flag {field.name}: expected true or false."
            )
        return text.lower() in _TRUE
    try:
        return kind(text)
    except ValueError as error:
        raise ConfigError(
            f"Couldn't interpret value {text} for flag {field.name}: expected {kind.__name__}."
        ) from error
