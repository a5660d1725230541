"""Keeps the configured versions of the configured models loaded.

One thread compares what the disk and the config ask for with what is loaded, and closes the gap:
it loads (and warms up) new versions first and lets old ones go only when a wanted one can answer.
A version that fails to load is tried again, and never touches the versions that serve.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorflow_serving.apis import get_model_status_pb2

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server import status
from cnnlg_tf.serving.server.limits import Call
from cnnlg_tf.serving.server.servable import Servable
from cnnlg_tf.serving.server.sources import aspired_versions, validate

_log = logging.getLogger(__name__)
_States: Any = get_model_status_pb2.ModelVersionStatus.State
START, LOADING = _States.Value("START"), _States.Value("LOADING")
AVAILABLE, UNLOADING, END = (_States.Value(name) for name in ("AVAILABLE", "UNLOADING", "END"))


@dataclass(frozen=True)
class ManagerOptions:
    """How versions are found and loaded; names and defaults are those of the flags."""

    file_system_poll_wait_seconds: float = 1.0
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    num_load_threads: int = 0
    allow_version_labels_for_unavailable_models: bool = False


@dataclass
class _Version:
    path: Path
    state: int = START
    error: ServingError | None = None
    servable: Servable | None = None
    users: int = 0
    attempts: int = 0
    next_attempt: float = 0.0
    aspired: bool = True

    @property
    def hopeless(self) -> bool:
        return self.state == END and self.error is not None


class ModelManager:
    """Loads, swaps and unloads versions; hands out loaded ones.

    Args:
        load: version folder -> loaded and warmed-up servable; may raise anything.
    """

    def __init__(
        self, load: Callable[[Path], Servable], options: ManagerOptions = ManagerOptions()
    ) -> None:
        self._load = load
        self._options = options
        self._config: Any = None
        self._models: dict[str, dict[int, _Version]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._changed = threading.Condition()
        self._reloading = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._polls = 0
        self._pool = ThreadPoolExecutor(max(1, options.num_load_threads), "load")
        self._thread = threading.Thread(target=self._watch, name="model-manager", daemon=True)

    def start(self, config: Any) -> None:
        """Load the models of a ModelServerConfig; returns when each can answer.

        Raises:
            ServingError: the config is wrong, or a model failed to load (UNKNOWN).
        """
        self._thread.start()
        self.reload(config)

    def reload(self, config: Any, call: Call | None = None) -> None:
        """Replace the config. Waits until new models can answer, not for new versions of old ones.

        Raises:
            ServingError: the config is refused and the old one stays (INVALID_ARGUMENT,
                FAILED_PRECONDITION), or a new model failed to load (UNKNOWN).
        """
        with self._reloading:
            with self._changed:
                validate(config, self._config)
                if not config.WhichOneof("config"):
                    return
                self._labels = self._checked_labels(config)
                known = (
                    {c.name for c in self._config.model_config_list.config}
                    if self._config
                    else set()
                )
                self._config = type(config).FromString(config.SerializeToString())
                new = [c.name for c in config.model_config_list.config if c.name not in known]
                self._polls = 0
            self._wake.set()
            self._wait_for(new, call)

    def interrupt(self) -> None:
        """Start nothing new; a `start` or `reload` that waits returns."""
        self._stopping = True
        self._wake.set()

    def stop(self) -> None:
        """Unload everything."""
        self.interrupt()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown()
        for versions in self._models.values():
            for version in versions.values():
                if version.servable is not None:
                    version.servable.close()
                    version.servable = None

    @contextmanager
    def lease(self, spec: Any) -> Iterator[tuple[Servable, int]]:
        """The servable that a ModelSpec names and its version number, kept loaded while in use.

        Raises:
            ServingError: NOT_FOUND, or INVALID_ARGUMENT for a label that nobody assigned.
        """
        if not spec.name:
            raise ServingError("ModelSpec has no name specified.", "INVALID_ARGUMENT")
        with self._changed:
            number = self._requested(spec)
            available = {
                n: (version, version.servable)
                for n, version in self._models.get(spec.name, {}).items()
                if version.state == AVAILABLE and version.servable is not None
            }
            wanted = (
                f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
            )
            if number is None and available:
                number = max(available)
            if number not in available:
                raise ServingError(f"Servable not found for request: {wanted}", "NOT_FOUND")
            version, servable = available[number]
            version.users += 1
        try:
            yield servable, number
        finally:
            with self._changed:
                version.users -= 1
                self._changed.notify_all()

    def has_model(self, name: str) -> bool:
        """Whether a model of that name is, or was, configured."""
        return name in self._models

    def not_ready(self) -> list[str]:
        """Names of the configured models of which no version is available."""
        with self._changed:
            configs = self._config.model_config_list.config if self._config else ()
            return [
                config.name
                for config in configs
                if not any(v.state == AVAILABLE for v in self._models.get(config.name, {}).values())
            ]

    def status(self, spec: Any) -> Any:
        """GetModelStatusResponse for a ModelSpec, newest version first.

        Raises:
            ServingError: NOT_FOUND.
        """
        response = get_model_status_pb2.GetModelStatusResponse()
        with self._changed:
            number = self._requested(spec)
            versions = self._models.get(spec.name, {})
            if number is not None and number not in versions:
                raise ServingError(
                    f"Could not find version {number} of model {spec.name}", "NOT_FOUND"
                )
            if not versions:
                raise ServingError(f"Could not find any versions of model {spec.name}", "NOT_FOUND")
            for version in sorted(versions if number is None else [number], reverse=True):
                entry = response.model_version_status.add(
                    version=version, state=versions[version].state
                )
                entry.status.CopyFrom(status.to_proto(versions[version].error))
        return response

    def _requested(self, spec: Any) -> int | None:
        if spec.WhichOneof("version_choice") == "version_label":
            number = self._labels.get(spec.name, {}).get(spec.version_label)
            if number is None:
                raise ServingError(
                    f"Unrecognized servable version label: {spec.version_label}", "INVALID_ARGUMENT"
                )
            return number
        return int(spec.version.value) if spec.HasField("version") else None

    def _checked_labels(self, config: Any) -> dict[str, dict[str, int]]:
        """Labels may name available versions; with the flag also others, unless a label moves."""
        labels: dict[str, dict[str, int]] = {}
        for model in config.model_config_list.config:
            for label, number in model.version_labels.items():
                version = self._models.get(model.name, {}).get(number)
                moved = self._labels.get(model.name, {}).get(label, number) != number
                allowed = self._options.allow_version_labels_for_unavailable_models and not moved
                if not allowed and (version is None or version.state != AVAILABLE):
                    raise ServingError(
                        f"Request to assign label to version {number} of model {model.name}, "
                        "which is not currently available for inference",
                        "FAILED_PRECONDITION",
                    )
                labels.setdefault(model.name, {})[label] = number
        return labels

    def _wait_for(self, names: list[str], call: Call | None) -> None:
        with self._changed:
            while True:
                states = {
                    name: [(n, v) for n, v in self._models.get(name, {}).items() if v.aspired]
                    for name in names
                }
                waiting = {
                    name: versions
                    for name, versions in states.items()
                    if not any(v.state == AVAILABLE for _, v in versions)
                }
                if self._stopping or not waiting:
                    return
                failed = {
                    name: versions
                    for name, versions in waiting.items()
                    if versions and all(v.hopeless for _, v in versions)
                }
                if failed:
                    texts = [
                        f"{{name: {name} version: {number}}} due to error: {version.error}"
                        for name, versions in failed.items()
                        for number, version in versions
                    ]
                    raise ServingError(
                        f"{len(texts)} servable(s) did not become available: "
                        f"{{{', '.join(texts)}}}",
                        "UNKNOWN",
                    )
                if call is not None:
                    call.check()
                self._changed.wait(0.2)

    def _watch(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                wait = self._reconcile()
            except Exception:  # a surprise must not end the thread that everything depends on
                _log.exception("The model manager met an error; it goes on")
                wait = 1.0
            self._wake.wait(wait)

    def _reconcile(self) -> float | None:
        """Close the gap once. Returns the seconds until the next look; None: until woken."""
        poll = self._options.file_system_poll_wait_seconds
        if poll > 0 or (poll == 0 and self._polls == 0):
            self._polls += 1
            self._look()
        with self._changed:
            pending = [
                (name, number, version)
                for name, versions in self._models.items()
                for number, version in sorted(versions.items(), reverse=True)  # newest first
                if version.state in (START, LOADING) and version.aspired
            ]
        now = time.monotonic()
        due = [entry for entry in pending if entry[2].next_attempt <= now]
        list(self._pool.map(lambda entry: self._attempt(*entry), due))
        self._let_go()
        waits = [poll] if poll > 0 else []
        waits += [
            max(0.0, v.next_attempt - time.monotonic()) for _, _, v in pending if v.state == LOADING
        ]
        return min(waits, default=None)

    def _look(self) -> None:
        """Read the disk: note which versions are wanted now."""
        with self._changed:
            configs = (
                {c.name: c for c in self._config.model_config_list.config} if self._config else {}
            )
        wanted: dict[str, dict[int, Path]] = {
            name: {} for name in self._models if name not in configs
        }
        for name, config in configs.items():
            try:
                wanted[name] = aspired_versions(config)
            except (
                ServingError,
                OSError,
            ) as error:  # the folder is gone for a moment: change nothing
                _log.error(
                    "FileSystemStoragePathSource encountered a filesystem access error: %s", error
                )
        with self._changed:
            for name, paths in wanted.items():
                versions = self._models.setdefault(name, {})
                for number, path in paths.items():
                    known = versions.get(number)
                    if known is None or (known.state == END and not known.aspired):
                        versions[number] = _Version(path)
                for number, version in versions.items():
                    version.aspired = number in paths
                    if not version.aspired and version.state in (START, LOADING):
                        version.state = END

    def _attempt(self, name: str, number: int, version: _Version) -> None:
        if self._stopping:
            return
        with self._changed:
            version.state = LOADING
            version.attempts += 1
            self._changed.notify_all()
        servable, error = None, None
        try:
            servable = self._load(version.path)
        except Exception as caught:  # a model's file can make TensorFlow raise anything
            error = status.to_serving_error(caught)
            _log.error("Loading servable: {name: %s version: %d} failed: %s", name, number, error)
        with self._changed:
            version.servable = servable
            if error is None:
                version.state = AVAILABLE
                version.error = None
                _log.info(
                    "Successfully loaded servable version {name: %s version: %d}", name, number
                )
            elif version.attempts > self._options.max_num_load_retries:
                version.state = END
                version.error = error
            else:
                interval = max(0, self._options.load_retry_interval_micros) / 1e6
                version.next_attempt = time.monotonic() + interval
            self._changed.notify_all()

    def _let_go(self) -> None:
        """Start unloading what nobody asks for, unless the model would be left with nothing."""
        with self._changed:
            for name, versions in self._models.items():
                aspired = [v for v in versions.values() if v.aspired]
                if aspired and not any(v.state == AVAILABLE for v in aspired):
                    continue
                for number, version in versions.items():
                    if version.state == AVAILABLE and not version.aspired:
                        version.state = UNLOADING
                        threading.Thread(
                            target=self._unload,
                            args=(name, number, version),
                            name="unload",
                            daemon=True,
                        ).start()

    def _unload(self, name: str, number: int, version: _Version) -> None:
        with self._changed:
            while version.users > 0:
                self._changed.wait()
            servable, version.servable = version.servable, None
        if servable is not None:
            servable.close()
        with self._changed:
            version.state = END
            self._changed.notify_all()
        _log.info("Done unloading servable version {name: %s version: %d}", name, number)
