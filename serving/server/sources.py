"""Where versions come from: which numbered folders of a model's base path should be served."""

import logging
from pathlib import Path
from typing import Any

from cnnlg_tf.errors import ServingError

_log = logging.getLogger(__name__)


def aspired_versions(config: Any) -> dict[int, Path]:
    """The versions that a ModelConfig asks for, among those on disk.

    Raises:
        ServingError: INVALID_ARGUMENT, the base path does not exist.
    """
    base = Path(config.base_path)
    if not base.is_dir():
        raise ServingError(
            f"Could not find base path {base} for servable {config.name}", "INVALID_ARGUMENT"
        )
    found = {}
    for folder in sorted(base.iterdir()):
        if folder.name.isascii() and folder.name.isdigit() and folder.is_dir():
            found[int(folder.name)] = folder
    policy = config.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        wanted = set(found)
    elif choice == "specific":
        wanted = set(policy.specific.versions)
        for version in wanted - set(found):
            _log.warning(
                "Version %d of servable %s, a 'specific' version, is not on disk",
                version,
                config.name,
            )
    else:
        wanted = set(sorted(found)[-max(1, policy.latest.num_versions) :])
    if not wanted & set(found):
        _log.warning("No versions of servable %s found under base path %s", config.name, base)
    return {version: path for version, path in found.items() if version in wanted}


def validate(new: Any, old: Any | None) -> None:
    """Check a ModelServerConfig, and the change from `old` to it.

    Raises:
        ServingError: INVALID_ARGUMENT or FAILED_PRECONDITION, in TF-Serving's words.
    """
    if new.WhichOneof("config") == "custom_model_config":
        raise ServingError(
            "ModelServer does not yet support custom model config.", "INVALID_ARGUMENT"
        )
    if old is not None and old.WhichOneof("config") and not new.WhichOneof("config"):
        raise ServingError(
            "Cannot transition to requested config. It is only legal to transition "
            "from one ModelConfigList to another.",
            "FAILED_PRECONDITION",
        )
    old_platforms = (
        {c.name: _platform(c) for c in old.model_config_list.config} if old is not None else {}
    )
    names = set()
    for config in new.model_config_list.config:
        if config.name in names:
            raise ServingError(
                f"Illegal to list model {config.name} multiple times in config list",
                "INVALID_ARGUMENT",
            )
        names.add(config.name)
        platform = _platform(config)
        before = old_platforms.get(config.name, platform)
        if before != platform:
            raise ServingError(
                f"Illegal to change a model's platform. For model {config.name} "
                f"platform was {before} "
                f"and new platform requested is {platform}",
                "INVALID_ARGUMENT",
            )
        if platform != "tensorflow":
            raise ServingError(
                f"Model {config.name} requests unsupported platform {platform}", "INVALID_ARGUMENT"
            )


def _platform(config: Any) -> str:
    if config.model_type:  # deprecated; TENSORFLOW is its one value
        if config.model_platform:
            raise ServingError(
                "Illegal setting both ModelServerConfig::model_type (deprecated) "
                "and ModelServerConfig::model_platform.",
                "INVALID_ARGUMENT",
            )
        return "tensorflow"
    if not config.model_platform:
        raise ServingError(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) "
            "nor ModelServerConfig::model_platform.",
            "INVALID_ARGUMENT",
        )
    return str(config.model_platform)
