"""One device, several GPUs of one machine, or several machines: which strategy, and how it gets its data."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from cnnlg_tf.config import PhaseConfig
from cnnlg_tf.errors import ConfigError, TrainingError

if TYPE_CHECKING:
    from cnnlg_tf.data.pipeline import Prefetcher


def choose_strategy(devices: list[str] | None = None) -> tf.distribute.Strategy:
    """MultiWorkerMirroredStrategy when TF_CONFIG names a cluster, MirroredStrategy for several devices, or the default.

    Args:
        devices: such as ["GPU:0", "GPU:1"] or ["CPU:0", "CPU:1"] (logical devices); all GPUs when None.
    """
    if os.environ.get("TF_CONFIG"):
        return tf.distribute.MultiWorkerMirroredStrategy()
    if devices is None:
        devices = [
            device.name.removeprefix("/physical_device:")
            for device in tf.config.list_physical_devices("GPU")
        ]
    known = {d.name.removeprefix("/device:") for d in tf.config.list_logical_devices()}
    unknown = [d for d in devices if d not in known]
    if unknown:
        raise TrainingError(
            f"devices must be among {sorted(known)}. Received: {', '.join(unknown)}"
        )
    if len(devices) > 1:
        return tf.distribute.MirroredStrategy(devices)
    if devices:
        return tf.distribute.OneDeviceStrategy(
            f"/{devices[0]}" if devices[0][0] != "/" else devices[0]
        )
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes checkpoints and logs."""
    resolver = getattr(strategy, "cluster_resolver", None)
    if resolver is None or not resolver.task_type:
        return True
    has_chief = "chief" in resolver.cluster_spec().as_dict()
    if has_chief:
        return bool(resolver.task_type == "chief")
    return bool(resolver.task_type == "worker" and resolver.task_id == 0)


def in_cluster(strategy: tf.distribute.Strategy) -> bool:
    """Whether several processes train together."""
    return getattr(strategy, "cluster_resolver", None) is not None


@contextmanager
def lost_worker(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Say what to do when another worker of the cluster goes away in the block.

    Raises:
        TrainingError: in place of TensorFlow's error.
    """
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.InternalError,
        tf.errors.DeadlineExceededError,
    ) as error:
        if not in_cluster(strategy):
            raise
        raise TrainingError(
            "all workers of the cluster must stay until the end. Received: "
            f"{type(error).__name__} from another; start the same command on every machine to go on from the "
            "last checkpoint"
        ) from error


def agree(strategy: tf.distribute.Strategy, step: int, run: Path) -> None:
    """Wait until all workers of a cluster are here; they must have found the same step in the run's folder.

    Raises:
        TrainingError: a worker found another step: the folder is not shared.
    """
    if not in_cluster(strategy):
        return

    @tf.function
    def total() -> tf.Tensor:
        def own() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.constant(float(step)))

        return strategy.reduce(tf.distribute.ReduceOp.MEAN, strategy.run(own), axis=None)

    mean = float(total()) / strategy.num_replicas_in_sync
    if mean != step:
        raise TrainingError(
            f"all workers must share the folder {run}. Received: this worker found step {step} in it, others did not"
        )


def distribute(
    strategy: tf.distribute.Strategy, prefetcher: "Prefetcher", phase: PhaseConfig
) -> Any:
    """The batches as a dataset; several replicas share each batch evenly."""
    replicas = strategy.num_replicas_in_sync
    if phase.batch_size % replicas:
        raise ConfigError(
            f"batch_size of phase {phase.name!r} must be a multiple of the {replicas} devices. "
            f"Received: {phase.batch_size}"
        )
    dataset = prefetcher.dataset()
    options = tf.data.Options()
    # Every worker makes the same batches (they are a function of the step) and takes its own part of each.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.with_options(options)
