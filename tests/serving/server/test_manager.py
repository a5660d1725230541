"""Versions, policies, labels, swaps and retries, with models that are only names."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import model_pb2

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server.config_files import ModelServerConfig
from cnnlg_tf.serving.server.limits import Call
from cnnlg_tf.serving.server.manager import (
    AVAILABLE,
    END,
    LOADING,
    UNLOADING,
    ManagerOptions,
    ModelManager,
)
from cnnlg_tf.serving.server.servable import Servable

FAST = {"file_system_poll_wait_seconds": 0.05, "load_retry_interval_micros": 20_000}


class Named(Servable):
    def __init__(self, path: Path) -> None:
        if (path / "broken").exists():
            raise OSError("no model in here")
        self.path = path
        self.signatures: dict[str, Any] = {}
        self.rules = {}
        self.closed = threading.Event()

    def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], call: Call) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for version in ("1", "00000002", "3", "notes"):
        (tmp_path / "m" / version).mkdir(parents=True)
    return tmp_path / "m"


@pytest.fixture
def make() -> Iterator[Callable[..., ModelManager]]:
    managers = []

    def make_manager(**options: Any) -> ModelManager:
        managers.append(ModelManager(Named, ManagerOptions(**{**FAST, **options})))
        return managers[-1]

    yield make_manager
    for manager in managers:
        manager.stop()


def config(base: Path, more: str = "", name: str = "m") -> Any:
    text = f'config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" {more} }}'
    return text_format.Parse(f"model_config_list {{ {text} }}", ModelServerConfig())


def spec(version: int | None = None, label: str = "", name: str = "m") -> Any:
    result = model_pb2.ModelSpec(name=name)
    if version is not None:
        result.version.value = version
    if label:
        result.version_label = label
    return result


def states(manager: ModelManager, name: str = "m") -> dict[int, int]:
    response = manager.status(spec(name=name))
    return {status.version: status.state for status in response.model_version_status}


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("", {3}),
        ("model_version_policy { latest { num_versions: 2 } }", {2, 3}),
        ("model_version_policy { all {} }", {1, 2, 3}),
        ("model_version_policy { specific { versions: 1 versions: 9 } }", {1}),
    ],
)
def test_policies_choose_versions(make: Any, base: Path, policy: str, versions: set[int]) -> None:
    manager = make()
    manager.start(config(base, policy))
    until(lambda: states(manager) == dict.fromkeys(versions, AVAILABLE))
    with manager.lease(spec()) as (servable, number):
        assert number == max(versions)
        assert servable.path.name.endswith(str(number))


def test_a_new_version_is_swapped_in_and_the_old_one_closed(make: Any, base: Path) -> None:
    manager = make()
    manager.start(config(base))
    with manager.lease(spec()) as (old, number):
        assert number == 3
        (base / "4").mkdir()
        until(lambda: states(manager).get(4) == AVAILABLE and states(manager)[3] == UNLOADING)
        with manager.lease(spec()) as (_, newest):
            assert newest == 4
        assert not old.closed.is_set()  # somebody still uses it
    assert old.closed.wait(20)
    until(lambda: states(manager) == {4: AVAILABLE, 3: END})
    with pytest.raises(ServingError, match=r"Servable not found for request: Specific\(m, 3\)"):
        with manager.lease(spec(3)):
            pass


def test_a_deleted_version_gives_way_to_the_one_before(make: Any, base: Path) -> None:
    manager = make()
    manager.start(config(base))
    (base / "3").rmdir()
    until(lambda: states(manager) == {2: AVAILABLE, 3: END})
    (base / "3").mkdir()  # and may come back
    until(lambda: states(manager) == {2: END, 3: AVAILABLE})


def test_a_broken_version_leaves_the_old_one_serving(make: Any, base: Path) -> None:
    manager = make(max_num_load_retries=2)
    manager.start(config(base))
    (base / "tmp" / "broken").mkdir(parents=True)
    (base / "tmp").rename(base / "4")
    until(lambda: states(manager).get(4) == END)
    status = manager.status(spec(4)).model_version_status[0].status
    assert status.error_message == "OSError: no model in here"
    assert states(manager) == {3: AVAILABLE, 4: END}
    with manager.lease(spec()) as (_, number):
        assert number == 3


def test_a_load_is_tried_again(make: Any, base: Path) -> None:
    manager = make(max_num_load_retries=1000)
    manager.start(config(base))
    (base / "tmp" / "broken").mkdir(parents=True)
    (base / "tmp").rename(base / "4")
    until(lambda: states(manager).get(4) == LOADING)
    (base / "4" / "broken").rmdir()
    until(lambda: states(manager) == {3: END, 4: AVAILABLE})


def test_a_first_model_that_cannot_load_is_told(make: Any, tmp_path: Path) -> None:
    (tmp_path / "m" / "1" / "broken").mkdir(parents=True)
    with pytest.raises(
        ServingError,
        match=r"1 servable\(s\) did not become available: "
        r"\{\{name: m version: 1\} due to error: OSError: no model in here\}",
    ) as caught:
        make(max_num_load_retries=0).start(config(tmp_path / "m"))
    assert caught.value.code == "UNKNOWN"


def test_a_vanished_base_path_changes_nothing(make: Any, base: Path) -> None:
    manager = make()
    manager.start(config(base))
    base.rename(base.with_name("away"))
    time.sleep(0.3)
    assert states(manager) == {3: AVAILABLE}


def test_a_start_waits_for_a_version_and_can_be_interrupted(make: Any, tmp_path: Path) -> None:
    manager = make()
    thread = threading.Thread(target=manager.start, args=(config(tmp_path / "m"),))
    thread.start()
    time.sleep(0.2)
    assert thread.is_alive()
    manager.interrupt()
    thread.join(20)
    assert not thread.is_alive()


def test_disk_is_read_once_when_polling_is_off(make: Any, base: Path) -> None:
    manager = make(file_system_poll_wait_seconds=0)
    manager.start(config(base))
    (base / "4").mkdir()
    time.sleep(0.3)
    assert states(manager) == {3: AVAILABLE}
    manager.reload(config(base))  # a reload reads it again
    until(lambda: states(manager) == {3: END, 4: AVAILABLE})


def test_reload_adds_and_removes_models(make: Any, base: Path) -> None:
    manager = make()
    manager.start(config(base))
    manager.reload(config(base, name="other"))
    assert states(manager, "other") == {3: AVAILABLE}
    until(lambda: states(manager) == {3: END})
    with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(m\)"):
        with manager.lease(spec()):
            pass
    manager.reload(config(base))  # back again
    assert states(manager) == {3: AVAILABLE}


def test_a_reload_keeps_to_its_deadline(make: Any, base: Path, tmp_path: Path) -> None:
    manager = make()
    manager.start(config(base))
    with pytest.raises(ServingError, match="deadline") as caught:
        manager.reload(config(tmp_path / "nothing", name="other"), Call(0.3))
    assert caught.value.code == "DEADLINE_EXCEEDED"
    manager.reload(config(base))  # the next one is not stuck behind it


LABELS = 'model_version_policy { all {} } version_labels { key: "stable" value: %d }'


def test_labels_name_available_versions(make: Any, base: Path) -> None:
    manager = make()
    manager.start(config(base, "model_version_policy { all {} }"))
    until(lambda: states(manager) == {1: AVAILABLE, 2: AVAILABLE, 3: AVAILABLE})
    manager.reload(config(base, LABELS % 2))
    with manager.lease(spec(label="stable")) as (_, number):
        assert number == 2
    assert [s.version for s in manager.status(spec(label="stable")).model_version_status] == [2]
    with pytest.raises(ServingError, match="Unrecognized servable version label: canary"):
        with manager.lease(spec(label="canary")):
            pass
    with pytest.raises(
        ServingError,
        match="Request to assign label to version 9 of model m, "
        "which is not currently available for inference",
    ) as caught:
        manager.reload(config(base, LABELS % 9))
    assert caught.value.code == "FAILED_PRECONDITION"
    with manager.lease(spec(label="stable")) as (_, number):
        assert number == 2  # the refused config changed nothing


def test_a_label_at_startup_needs_the_flag(make: Any, base: Path) -> None:
    with pytest.raises(ServingError, match="Request to assign label to version 3"):
        make().start(config(base, LABELS % 3))
    manager = make(allow_version_labels_for_unavailable_models=True)
    manager.start(config(base, LABELS % 3))
    with manager.lease(spec(label="stable")) as (_, number):
        assert number == 3
    with pytest.raises(ServingError, match="Request to assign label to version 9"):
        manager.reload(config(base, LABELS % 9))  # it may be new, not moved to nowhere


def test_a_spec_without_a_name(make: Any) -> None:
    with pytest.raises(ServingError, match="ModelSpec has no name specified."):
        with make().lease(spec(name="")):
            pass


def test_stop_closes_what_is_loaded(make: Any, base: Path) -> None:
    manager = make()
    manager.start(config(base))
    with manager.lease(spec()) as (servable, _):
        pass
    manager.stop()
    assert servable.closed.is_set()
