"""Where a run stands when it trains a phase."""

from typing import Any, NamedTuple

from cnnlg_tf.config import PhaseConfig


class PhaseProgress(NamedTuple):
    """What of a phase is done before this process goes on with it.

    phase: the phase; start: steps of it that are done; offset: steps of the phases before it; unlogged: sums of the
    metrics since the last line of metrics.jsonl, as a checkpoint between two lines keeps them.
    """

    phase: PhaseConfig
    start: int
    offset: int
    unlogged: dict[str, Any] | None = None
