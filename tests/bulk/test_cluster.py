"""As many workers as fit, and never more than there is for them."""

from typing import Any

import pytest

from cnnlg_tf.bulk.cluster import Workers, planned_workers
from cnnlg_tf.errors import ConfigError


@pytest.mark.parametrize(
    ("wanted", "there", "planned"),
    [
        ((None, None, 0.0), (8, 0), Workers(4, 2, 0.0)),
        ((None, None, 0.0), (1, 0), Workers(1, 1, 0.0)),
        ((2, None, 0.0), (16, 0), Workers(2, 8, 0.0)),
        ((16, None, 0.0), (2, 0), Workers(16, 1, 0.0)),
        ((None, 4, 0.0), (16, 0), Workers(4, 4, 0.0)),
        ((None, None, 1.0), (16, 4), Workers(4, 4, 1.0)),
        ((None, None, 0.5), (16, 4), Workers(8, 2, 0.5)),
        ((None, None, 0.1), (4, 1), Workers(10, 1, 0.1)),
        ((3, None, 1.0), (16, 4), Workers(3, 5, 1.0)),
    ],
)
def test_workers(wanted: Any, there: Any, planned: Workers) -> None:
    assert planned_workers(*wanted, *there) == planned


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ((0, None, 0.0), "workers must be 1 or more. Received: 0"),
        ((None, 0, 0.0), "cpus_per_worker must be 1 or more. Received: 0"),
        (
            (None, None, 1.5),
            "gpus_per_worker must be a whole number, or between 0 and 1. Received: 1.5",
        ),
        ((None, None, -1.0), "gpus_per_worker must be"),
        ((None, None, 2.0), "a worker needs 2 GPUs. Received: 1 that Ray can see"),
        ((2, None, 1.0), "2 workers need 2 GPUs. Received: 1 that Ray can see"),
    ],
)
def test_too_few_or_no_sense(wanted: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        planned_workers(*wanted, 8, 1.0)
