"""What the campaigns share: a budget of count and time, broken bytes, and a report of what was done.

A campaign is a generator of steps that raise when a promise of docs/reliability.md is broken. Each is
seeded: the same seed gives the same attacks.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class BrokenPromiseError(AssertionError):
    """What the product did and must not do."""


@dataclass
class Budget:
    """Ends after `count` attacks or `seconds`, whichever comes first."""

    count: int
    seconds: float = float("inf")
    done: int = 0
    start: float = field(default_factory=time.monotonic)

    def attacks(self) -> Iterator[int]:
        while self.done < self.count and self.elapsed() < self.seconds:
            yield self.done
            self.done += 1

    def share(self) -> float:
        """How much of the budget is spent, 0 to 1."""
        return max(self.done / self.count, self.elapsed() / self.seconds)

    def elapsed(self) -> float:
        return time.monotonic() - self.start


@dataclass
class Report:
    """Figures of a campaign: outcomes by kind, and what else it measured."""

    outcomes: Counter[str] = field(default_factory=Counter)
    figures: dict[str, Any] = field(default_factory=dict)


def promise(holds: bool, message: str) -> None:
    """Raise BrokenPromiseError with `message` unless the promise holds."""
    if not holds:
        raise BrokenPromiseError(message)


def broken(data: bytes, dice: random.Random) -> bytes:
    """`data` with bits flipped, cut, doubled, or with runs of it replaced."""
    if not data:
        return dice.randbytes(dice.randrange(1, 64))
    result = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 4, 16))):
        place = dice.randrange(len(result) + 1)
        kind = dice.randrange(7)
        if kind == 0 and result:
            result[dice.randrange(len(result))] ^= 1 << dice.randrange(8)
        elif kind == 1:
            del result[place:]
        elif kind == 2:
            result[place:place] = dice.randbytes(dice.randrange(1, 16))
        elif kind == 3:
            length = dice.randrange(1, 64)
            result[place : place + length] = dice.randbytes(length)
        elif kind == 4:
            length = dice.randrange(1, 256)
            result[place:place] = result[place : place + length]
        elif kind == 5:
            del result[place : place + dice.randrange(1, 64)]
        else:
            value = dice.choice((b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0"))
            result[place : place + 4] = value
    return bytes(result)


def add_manifest(folder: Path, *signatures: str) -> Path:
    """Make a SavedModel's folder an export of these of the product's signatures, as far as a server sees."""
    from cnnlg_tf.export import manifest
    from cnnlg_tf.export.signatures import SIGNATURES

    about = {
        "manifest_version": manifest.MANIFEST_VERSION,
        "format": "saved_model",
        "signatures": {name: SIGNATURES[name].describe() for name in signatures},
        "ranges": {name: SIGNATURES[name].ranges() for name in signatures},
        "files": {
            path.relative_to(folder).as_posix(): {
                "bytes": path.stat().st_size,
                "sha256": manifest.sha256(path),
            }
            for path in folder.rglob("*")
            if path.is_file()
        },
    }
    (folder / manifest.NAME).write_text(json.dumps(about))
    return folder


def own_mebibytes(pid: int | str = "self") -> float:
    """The memory of a process that lies in RAM, but for pages of files: the kernel fetches and drops those."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kibibytes = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
    return (int(kibibytes["RssAnon"]) + int(kibibytes["RssShmem"])) / 2**10


def main(
    campaign: Callable[[Budget, random.Random, Path], Report], count: int, seconds: float
) -> None:
    """Run a campaign from the command line, and print its report as one line of JSON."""
    parser = argparse.ArgumentParser(description=campaign.__doc__)
    parser.add_argument("--count", type=int, default=count, help="attacks at most")
    parser.add_argument("--seconds", type=float, default=seconds, help="time at most")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    budget = Budget(options.count, options.seconds)
    with tempfile.TemporaryDirectory() as folder:
        try:
            report, broken_promise = campaign(budget, random.Random(options.seed), Path(folder)), ""
        except BrokenPromiseError as error:
            report, broken_promise = Report(), str(error)
    line = {
        "campaign": Path(sys.argv[0]).stem,
        "seed": options.seed,
        "attacks": budget.done,
        "seconds": round(budget.elapsed(), 1),
        "outcomes": dict(report.outcomes.most_common()),
        **report.figures,
        "broken": broken_promise or None,
    }
    print(json.dumps(line), flush=True)
    sys.exit(1 if broken_promise else 0)
