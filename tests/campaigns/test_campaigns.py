"""The campaigns in short, seeded forms; `make campaigns` runs the long ones (docs/reliability.md)."""

import random
from pathlib import Path

import pytest

from tests.campaigns import (
    killed_training,
    killed_writes,
    malformed_models,
    malformed_photos,
    mixed_load,
    stopped_servers,
)
from tests.campaigns.harness import Budget, broken


def test_broken_bytes_are_seeded_and_differ() -> None:
    data = bytes(range(200))
    one, again = (broken(data, random.Random(7)) for _ in range(2))
    assert one == again
    assert sum(broken(data, random.Random(seed)) != data for seed in range(100)) > 95


def test_malformed_photos(tmp_path: Path) -> None:
    dice = random.Random(3)
    outcomes = [malformed_photos.attack(dice, tmp_path) for _ in range(400)]
    assert {"photo", "mask", "error"} <= set(outcomes)


def test_malformed_models(checkpoint: Path, tmp_path: Path) -> None:
    version = malformed_models.make_version(tmp_path / "1")
    report = malformed_models.attack(checkpoint, version, Budget(40), random.Random(3))
    assert sum(n for outcome, n in report.outcomes.items() if outcome.endswith("refused")) > 20


def test_killed_writes(tmp_path: Path) -> None:
    report = killed_writes.campaign(Budget(2), random.Random(3), tmp_path)
    assert sum(report.outcomes.values()) == 2


# The short forms of the others are tests of their own: requests in tests/serving/server (where a
# server runs anyway), training in tests/training/test_run.py, SIGTERM
# and mixed load in tests/serving/server/test_command.py, swaps in test_model_server.py beside it.
@pytest.mark.slow
def test_killed_training(tmp_path: Path) -> None:
    report = killed_training.campaign(Budget(2), random.Random(3), tmp_path)
    assert report.figures["runs"] >= 1


@pytest.mark.slow
def test_mixed_load(tmp_path: Path) -> None:
    report = mixed_load.campaign(Budget(10**9, 60), random.Random(3), tmp_path)
    assert report.outcomes["good gRPC"] > 100


@pytest.mark.slow
def test_stopped_servers(tmp_path: Path) -> None:
    report = stopped_servers.campaign(Budget(3), random.Random(3), tmp_path)
    assert report.outcomes["answered"] > 0
