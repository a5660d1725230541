"""The stand-in network as a fixture."""

import pytest

from tests.networks import MeanFill


@pytest.fixture
def mean_fill() -> MeanFill:
    return MeanFill()
