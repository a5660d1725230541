"""The client where TensorFlow cannot be imported."""

import subprocess
import sys
from typing import Any

import pytest

SCRIPT = """
import sys
from importlib.abc import MetaPathFinder

class Blocker(MetaPathFinder):
    BLOCKED = {"tensorflow", "keras", "tensorflow_serving", "pydantic", "yaml"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.BLOCKED:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Blocker())
import asyncio
import numpy as np
from cnnlg_tf.serving import AsyncClient, Client

image, mask = np.full((4, 4, 3), 0.25), np.eye(4)
with Client(sys.argv[1], timeout=10) as client:
    repaired, _ = client.repair(image, mask)
    assert repaired[0, 0, 0] == 0.5 and repaired[0, 1, 0] == 0.25
    assert client.status()[0].state == "AVAILABLE"

async def main():
    async with AsyncClient(sys.argv[1], timeout=10) as client:
        return await client.repair(image, mask)

np.testing.assert_array_equal(asyncio.run(main()).repaired, repaired)
grpc_is_needed = not sys.argv[1].startswith("http")
assert ("grpc" in sys.modules) == ("google.protobuf" in sys.modules) == grpc_is_needed
assert not Blocker.BLOCKED & set(sys.modules)
"""


def test_client_needs_no_tensorflow(model: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, model.address], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_import_is_light() -> None:
    check = "import sys, cnnlg_tf.serving; assert not {'numpy', 'grpc'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_unknown_name() -> None:
    import cnnlg_tf.serving

    with pytest.raises(AttributeError, match="no attribute 'Servant'"):
        cnnlg_tf.serving.Servant  # noqa: B018
