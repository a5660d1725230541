"""A whole experiment as one file, sweep.json: its definition, and every run with scores, seed and versions."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cnnlg_tf.errors import DataError
from cnnlg_tf.experiments.outcome import Outcome, as_outcome
from cnnlg_tf.files import atomic_path

SWEEP = "sweep.json"


@dataclass(frozen=True)
class Sweep:
    """An experiment's name, its definition as plain values, and the runs so far."""

    name: str
    definition: dict[str, Any]
    runs: Sequence[Outcome]

    @property
    def axes(self) -> dict[str, list[str]]:
        """Axis -> its labels, the reference first."""
        return {axis: list(labels) for axis, labels in self.definition["axes"].items()}

    @property
    def seeds(self) -> list[int]:
        return list(self.definition["seeds"])

    @property
    def evaluations(self) -> list[str]:
        return list(self.definition["evaluations"])

    def measured(self) -> dict[str, list[Outcome]]:
        """Variant's name -> its runs that have scores, by seed; in the order of the runs."""
        found: dict[str, list[Outcome]] = {}
        for run in self.runs:
            if run.error is None:
                found.setdefault(run.name, []).append(run)
        return {name: sorted(runs, key=lambda run: run.seed) for name, runs in found.items()}

    def complete(self) -> dict[str, list[Outcome]]:
        """Those of `measured` that have every seed which any variant has."""
        measured = self.measured()
        most = max((len(runs) for runs in measured.values()), default=0)
        return {name: runs for name, runs in measured.items() if len(runs) == most}


def save_sweep(sweep: Sweep, path: Path) -> None:
    """Write it with one run a line, so that two versions can be compared."""
    runs = ",\n".join(
        json.dumps(asdict(run), separators=(",", ":"), allow_nan=False) for run in sweep.runs
    )
    head = json.dumps({"name": sweep.name, "definition": sweep.definition}, indent=1)
    text = f'{head[:-2]},\n "runs": [\n{runs}\n]\n}}\n'
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def load_sweep(path: str | Path) -> Sweep:
    """Read a sweep.

    Raises:
        DataError: the file cannot be read or is no sweep.
    """
    try:
        tree = json.loads(Path(path).read_text(encoding="utf-8"))
        return Sweep(tree["name"], tree["definition"], [as_outcome(run) for run in tree["runs"]])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"sweep {path} cannot be read: {error}") from error
