"""One door: whatever repairs is opened by what names it."""

from pathlib import Path
from typing import Any

import pytest

import cnnlg_tf
from cnnlg_tf.errors import CheckpointError
from cnnlg_tf.inference.cnnlg_network import CnnlgNetwork
from tests.networks import MeanFill


def test_networks_and_models(tiny_model: Any, checkpoint: Path) -> None:
    network = MeanFill()
    assert cnnlg_tf.open_network(network) is network
    opened = cnnlg_tf.open_network(tiny_model)
    assert isinstance(opened, CnnlgNetwork) and opened.model is tiny_model
    assert isinstance(cnnlg_tf.open_network(checkpoint), CnnlgNetwork)


def test_what_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="must be a Network, a CNNLG, a path or None. Rec.*3"):
        cnnlg_tf.open_network(3)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="a model must be a checkpoint folder"):
        cnnlg_tf.open_network(tmp_path)
