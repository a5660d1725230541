import subprocess
import sys
from pathlib import Path

import pytest

from cnnlg_tf.errors import ExportError
from cnnlg_tf.export import formats


def test_the_table_says_what_can_be_asked_for() -> None:
    assert formats.find("tensorrt").choose(None) == "fp16"
    assert formats.find("litert").choose("int8") == "int8"
    with pytest.raises(ExportError, match="must be one of fp32, fp16 for openvino. Received: 'x'"):
        formats.find("openvino").choose("x")


@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_exporter_refuses_a_precision_that_it_lacks(name: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="must be .*Received: .*'fp64'"):
        formats.find(name).export(object(), tmp_path / "x", precision="fp64")
    assert not list(tmp_path.iterdir())


def test_exports_run_without_tensorflow(plain_onnx: Path) -> None:
    code = f"""
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
import numpy as np
from cnnlg_tf.export import bundle, litert_model, onnx_model, openvino_model, runners, saved_model
image, mask = np.full((1, 32, 48, 3), 0.5, np.float32), np.zeros((1, 32, 48, 1), np.float32)
results = runners.load({str(plain_onnx)!r})["serving_default"](image=image, mask=mask)
assert np.array_equal(results["repaired"], image) and not results["uncertainty"].any()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
