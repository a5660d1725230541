"""Photos a second and the time left."""

import io
import time

import pytest

from cnnlg_tf.bulk import progress as module
from cnnlg_tf.bulk.progress import Lines, Progress, duration, watched


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (41.2, "41 s"),
        (99.6, "100 s"),
        (720, "12 min"),
        (12000, "3 h 20 min"),
        (446400, "5 days 4 h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock starts with the first photo; what is done twice does not count above the total."""
    monkeypatch.setattr(module, "_LOOK", 0.02)
    counts = iter([(0, 0), (10, 0), (40, 1), (999, 2)])
    seen: list[Progress] = []

    def count() -> tuple[int, int]:
        found = next(counts, None)
        if found is None:
            raise ConnectionError("the tally is being restarted")
        return found

    with watched(count, 20, 120, seen.append):
        while len(seen) < 4:
            time.sleep(0.01)
    assert [(each.done, each.failed) for each in seen] == [(20, 0), (30, 0), (60, 1), (120, 2)]
    assert seen[1].left is None and seen[2].speed > 0 and seen[3].left == 0.0
    assert seen[2].left == pytest.approx(60 / seen[2].speed)


def test_lines() -> None:
    half = Progress(50, 100, 2, 2.5, 20.0)
    assert str(half) == "50 of 100 photos, 2.5 photos/s, 20 s left, 2 failed"
    stream = io.StringIO()
    lines = Lines(stream)
    lines._last -= 30.0
    lines(half)
    lines(half)  # half a minute later at the earliest
    lines.end()
    assert stream.getvalue() == f"{half}\n"
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    lines = Lines(stream)
    lines(half)
    lines(Progress(0, 1, 0, 0.0, None))
    lines.end()
    shown = stream.getvalue().split("\r")
    assert shown[1] == str(half) and shown[2].strip() == "0 of 1 photos"
    assert len(shown[2]) == len(shown[1]) and shown[-1] == ""
