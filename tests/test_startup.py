"""TensorFlow's messages stay away, unless its start fails."""

import os
import subprocess
import sys

import pytest

from cnnlg_tf import startup


def test_messages_are_dropped_on_success(capfd: object) -> None:
    with startup.standard_error_held():
        os.write(2, b"chatter")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"  # type: ignore[attr-defined]


def test_messages_are_shown_on_failure() -> None:
    script = (
        "import os\n"
        "from cnnlg_tf import startup\n"
        "with startup.standard_error_held():\n"
        "    os.write(2, b'library not found\\n')\n"
        "    raise ImportError('no module')\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.returncode == 1
    assert "library not found" in process.stderr
    assert "ImportError: no module" in process.stderr


def test_start_is_silent() -> None:
    script = (
        "from cnnlg_tf.startup import start_tensorflow\n"
        "start_tensorflow()\n"
        "import tensorflow as tf\n"
        "tf.nn.conv2d(tf.zeros([1, 9, 9, 3]), tf.zeros([3, 3, 3, 3]), 1, 'SAME')\n"
        "start_tensorflow()\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


def test_a_training_has_its_graphs_rewritten_after_repairs_that_did_without() -> None:
    script = (
        "from cnnlg_tf.startup import start_tensorflow\n"
        "def off(): return tf.config.optimizer.get_experimental_options()['disable_meta_optimizer']\n"
        "start_tensorflow(optimised=False)\n"
        "import tensorflow as tf\n"
        "assert off()\n"
        "start_tensorflow(optimised=False)\n"
        "assert off()\n"
        "start_tensorflow()\n"
        "assert not off()\n"
        "start_tensorflow(optimised=False)\n"
        "assert not off()\n"
        "tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})\n"
        "start_tensorflow()\n"
        "assert off(), 'whoever turned it off by themselves'\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no such limit")
def test_cores_that_this_process_may_not_use_do_not_count() -> None:
    own = os.sched_getaffinity(0)
    assert startup.usable_cores() == len(own)
    try:
        os.sched_setaffinity(0, {min(own)})
        assert startup.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, own)
