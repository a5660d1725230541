"""Start TensorFlow without its chatter."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_unoptimised = False  # whether this module has turned TensorFlow's rewriting of graphs off


def start_tensorflow(*, optimised: bool = True) -> None:
    """Import TensorFlow and look for devices; what it prints meanwhile is shown only if it fails.

    Its C++ part writes to file descriptor 2 before any log level counts, hence the detour. Devices
    are found, not initialised: they can still be configured afterwards.

    Args:
        optimised: rewrite graphs before their first call. Repairs get no faster by it, and the first
            comes a fifth later; trainings do. Whoever wants it has it from then on, whoever came first;
            a TensorFlow that was imported elsewhere is left as it is.
    """
    if "tensorflow" in sys.modules:
        if optimised and _unoptimised:
            _optimise(True)
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # keeps memory from one operation to the next: asking the system for each picture anew costs a tenth of a repair
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
    with standard_error_held():
        import tensorflow as tf

        tf.config.list_physical_devices()
    if not optimised:
        _optimise(False)


def _optimise(wanted: bool) -> None:
    import tensorflow as tf

    global _unoptimised
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not wanted})
    _unoptimised = not wanted


def usable_cores() -> int:
    """The processor's cores that this process may use: in a container or under `taskset` not all of them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_threads(threads: int) -> None:
    """Limit TensorFlow's threads, 0 = all cores; without effect once it runs."""
    import tensorflow as tf

    with suppress(RuntimeError):  # "cannot be modified after initialization"
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


@contextmanager
def standard_error_held() -> Iterator[None]:
    """Keep what native code writes to file descriptor 2 meanwhile; it is shown only on an error."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(original, held.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
