"""Configurations as files: YAML in, checked objects out, and back.

An unknown key or a bad value raises ConfigError with the key's dotted path.
"""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from cnnlg_tf.config import Config, ModelConfig, Section
from cnnlg_tf.errors import ConfigError

CONFIGS = Path(__file__).parent / "configs"  # in a checkout a link to the top level's

SectionType = TypeVar("SectionType", bound=Section)


def find_config(name: str | Path, folder: str = "") -> Path:
    """The file of a configuration: one of the package's by its bare name (`photos`), any other by its path.

    Args:
        name: the name or the path.
        folder: of the package's configurations, where the name is looked up: "" or "experiments".

    Raises:
        ConfigError: there is no such file.
    """
    known = {file.stem: file for file in sorted((CONFIGS / folder).glob("*.yaml"))}
    path = known.get(str(name), Path(name))
    if not path.is_file():
        raise ConfigError(
            f"a configuration must be a YAML file or one of {', '.join(known)}. Received: {name}, no such file"
        )
    return path


def load_config(path: str | Path, overrides: list[str] | None = None) -> Config:
    """Read a YAML file, or a configuration of the package by its name, and apply `key=value` overrides.

    Args:
        path: as `find_config` takes it.
        overrides: dotted keys, YAML values; lists by index.

    Raises:
        ConfigError: the file cannot be read, is no YAML mapping, or a key or value is wrong.
    """
    path = find_config(path)
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"configuration {path} is not valid YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(
            f"configuration {path} must be a mapping of keys. Received: {type(tree).__name__}"
        )
    for override in overrides or []:
        _apply_override(tree, override)
    return parse_config(tree, str(path))


def parse_config(tree: Any, source: str = "configuration") -> Config:
    """Check a tree of plain values. Raises ConfigError that lists each wrong key with its path."""
    return _parse(Config, tree, source)


def parse_model_config(tree: Any, source: str = "configuration") -> ModelConfig:
    """The same for the section `model` of a tree, whatever else is in it."""
    model = tree.get("model", {}) if isinstance(tree, dict) else tree
    return _parse(ModelConfig, model, f"{source}, model")


def _parse(section: type[SectionType], tree: Any, source: str) -> SectionType:
    try:
        return section.model_validate(tree)
    except ValidationError as error:
        lines = [_describe(item) for item in error.errors()]
        raise ConfigError(f"{source}: " + "; ".join(lines)) from error


def dump_config(config: Config) -> str:
    """The configuration as YAML with every key: what a checkpoint stores."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def changed_keys(old: Section, new: Section) -> list[str]:
    """Dotted keys whose values differ, such as ["train.phases.0.batch_size"]."""
    before, after = (_flatten(section.model_dump(mode="json"), "") for section in (old, new))
    return [key for key in {**before, **after} if before.get(key, ...) != after.get(key, ...)]


def _flatten(node: Any, path: str) -> dict[str, Any]:
    children = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list) and any(isinstance(item, dict) for item in node)
        else None
    )
    if children is None:
        return {path: node}
    return {
        leaf: value
        for key, child in children
        for leaf, value in _flatten(child, f"{path}.{key}" if path else str(key)).items()
    }


def _describe(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"]) or "configuration"
    if item["type"] == "extra_forbidden":
        return f"unknown key {key!r}"
    message = item["msg"].removeprefix("Value error, ")
    received = item.get("input")
    plain = isinstance(received, str | int | float | bool | type(None))
    return f"{key}: {message}" + (f". Received: {received!r}" if plain else "")


def _apply_override(tree: dict[str, Any], override: str) -> None:
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise ConfigError(
            f"an override must read key=value, like train.seed=1. Received: {override!r}"
        )
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"the value of {key!r} is not valid YAML. Received: {text!r}") from error
    node: Any = tree
    *parents, last = key.split(".")
    for part in parents:
        if isinstance(node, list):
            node = node[_index(node, part, key)]
        else:
            if not isinstance(node.get(part), dict | list):
                node[part] = {}
            node = node[part]
    if isinstance(node, list):
        node[_index(node, last, key)] = value
    else:
        node[last] = value


def _index(node: list[Any], part: str, key: str) -> int:
    if not part.isdigit() or int(part) >= len(node):
        raise ConfigError(f"{key!r}: {part!r} must be an index from 0 to {len(node) - 1}")
    return int(part)
