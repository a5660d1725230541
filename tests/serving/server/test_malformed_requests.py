"""The campaign of malformed requests in its short form, on the server that other tests share."""

import random

from tests.campaigns import malformed_requests
from tests.campaigns.harness import Budget
from tests.serving.servers import Server


def test_malformed_requests(server: Server) -> None:
    names = ["half_plus_two", "half_plus_three", "kinds"]
    report = malformed_requests.attack(server, names, Budget(400), random.Random(3))
    assert sum(report.outcomes.values()) == 400
    assert any(outcome.endswith("INVALID_ARGUMENT") for outcome in report.outcomes)
