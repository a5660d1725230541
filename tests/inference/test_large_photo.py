"""The bounds that benchmarks/large_photo.py states hold for memory; times need an idle machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "large_photo.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "gib"), [("12 MP, 2 % hole, one blob", 3.0), ("24 MP, half missing", 4.0)]
)
def test_peak_memory(case: str, gib: float) -> None:
    command = [sys.executable, str(BENCHMARK), "--untrained", "--case", case]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout.splitlines()[-1])["peak_gib"] < gib
