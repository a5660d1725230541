"""Ray for a run: this machine alone, or a cluster that is there; and whether it has what workers need."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cnnlg_tf.errors import ConfigError
from cnnlg_tf.extras import require
from cnnlg_tf.startup import standard_error_held, usable_cores

SPARE_CPUS = 2  # for reading, writing and for what skips rows that are done; all of them are light
_REACHED = 10.0  # seconds that a cluster's port may take to answer
_STORE = 200 * 2**20  # bytes of shared memory: blocks hold names, not photos


@dataclass(frozen=True)
class Workers:
    """How many networks are open at once, and what each may take.

    Attributes:
        count: actors.
        cpus: cores of each.
        gpus: of each; a fraction lets several share one.
    """

    count: int
    cpus: int
    gpus: float


def planned_workers(
    workers: int | None, cpus_per_worker: int | None, gpus_per_worker: float, cpus: int, gpus: float
) -> Workers:
    """As many workers as fit, unless their number is said.

    Args:
        cpus, gpus: that there are.

    Raises:
        ConfigError: a number is out of range, or there are too few GPUs for one worker.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"workers must be 1 or more. Received: {workers}")
    if cpus_per_worker is not None and cpus_per_worker < 1:
        raise ConfigError(f"cpus_per_worker must be 1 or more. Received: {cpus_per_worker}")
    if gpus_per_worker < 0 or (gpus_per_worker > 1 and gpus_per_worker % 1):
        raise ConfigError(
            f"gpus_per_worker must be a whole number, or between 0 and 1. Received: {gpus_per_worker}"
        )
    if gpus_per_worker > gpus:
        raise ConfigError(
            f"a worker needs {gpus_per_worker:g} GPUs. Received: {gpus:g} that Ray can see"
        )
    if workers is None:
        fitting = cpus // (cpus_per_worker or 2)
        if gpus_per_worker:
            fitting = int(gpus / gpus_per_worker + 1e-9)
        workers = max(1, fitting)
    elif gpus_per_worker * workers > gpus + 1e-9:
        raise ConfigError(
            f"{workers} workers need {gpus_per_worker * workers:g} GPUs. "
            f"Received: {gpus:g} that Ray can see"
        )
    return Workers(workers, cpus_per_worker or max(1, cpus // workers), gpus_per_worker)


@contextmanager
def ray_for(
    address: str | None, workers: int | None, cpus_per_worker: int | None, gpus_per_worker: float
) -> Iterator[Workers]:
    """Start Ray on this machine, or join a cluster; a Ray that this process has already is used.

    Args:
        address: a cluster's, as `ray.init` takes it; None: this machine.

    Raises:
        ConfigError: there is no cluster, or it has too little.
        MissingExtraError: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its notes go to standard error
    if address is not None:
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")  # of 40 s each; Ray's own 20
    ray = require("ray", "bulk")
    require("ray.data", "bulk")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    wanted = (workers, cpus_per_worker, gpus_per_worker)
    if ray.is_initialized():
        yield _of_cluster(ray, *wanted)
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is not None:
            try:
                _reach(address)
                ray.init(address=address, **options)
            except Exception as error:  # ConnectionError, ValueError, RuntimeError, gRPC's
                reason = " ".join(str(error).split())[:300]
                raise ConfigError(
                    f"there must be a Ray cluster at {address}. Received: {reason}"
                ) from error
            yield _of_cluster(ray, *wanted)
            return
        cpus = usable_cores()
        # more on paper than there are: the spare ones do next to nothing
        most = max(cpus, (workers or 1) * (cpus_per_worker or 1)) + SPARE_CPUS
        with standard_error_held():
            ray.init(
                address="local",
                num_cpus=most,
                include_dashboard=False,
                object_store_memory=_STORE,
                _system_config={"prestart_worker_first_driver": False},  # it would start one a CPU
                **options,
            )
        yield planned_workers(*wanted, cpus, ray.cluster_resources().get("GPU", 0.0))
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Raise OSError if nothing listens at host:port: Ray would go on trying, and say nothing that helps."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _REACHED).close()


def _of_cluster(
    ray: Any, workers: int | None, cpus_per_worker: int | None, gpus_per_worker: float
) -> Workers:
    there = ray.cluster_resources()
    cpus = int(there.get("CPU", 0)) - SPARE_CPUS
    planned = planned_workers(
        workers, cpus_per_worker, gpus_per_worker, cpus, there.get("GPU", 0.0)
    )
    if planned.count * planned.cpus > cpus:
        raise ConfigError(
            f"{planned.count} workers need {planned.count * planned.cpus + SPARE_CPUS} CPUs, "
            f"{SPARE_CPUS} of them for reading and writing. Received: {cpus + SPARE_CPUS} that Ray has"
        )
    return planned
