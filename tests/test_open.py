"""One door: whatever repairs is opened by what names it."""

from pathlib import Path
from typing import Any

import pytest

import cnnlg_tf
from cnnlg_tf.errors import CheckpointError, ServingError
from cnnlg_tf.inference.cnnlg_network import CnnlgNetwork
from tests.networks import MeanFill


def test_networks_and_models(untrained: Any, checkpoint: Path) -> None:
    network = MeanFill()
    assert cnnlg_tf.open_network(network) is network
    opened = cnnlg_tf.open_network(untrained)
    assert isinstance(opened, CnnlgNetwork) and opened.model is untrained
    assert isinstance(cnnlg_tf.open_network(checkpoint), CnnlgNetwork)


def test_what_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match="must be a Network, a CNNLG, a path, a server.s address or None.*3"
    ):
        cnnlg_tf.open_network(3)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="a model must be a checkpoint folder"):
        cnnlg_tf.open_network(tmp_path)
    for name in ("photos-of-nobody", "out/x:1", Path("nowhere")):
        with pytest.raises(
            CheckpointError, match=rf"a preset \(photos\), .*Received: {name}, which"
        ):
            cnnlg_tf.open_network(name)


@pytest.mark.parametrize("address", ["localhost:1", "http://localhost:1"])  # nobody listens there
def test_addresses_are_servers(address: str) -> None:
    with pytest.raises(ServingError) as caught:
        cnnlg_tf.open_network(address, timeout=0.5)
    assert caught.value.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")


def test_what_exists_as_a_path_is_no_address(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model:8500").symlink_to(checkpoint)
    assert isinstance(cnnlg_tf.open_network("model:8500"), CnnlgNetwork)
