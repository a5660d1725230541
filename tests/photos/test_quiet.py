"""Decoding in many threads leaves the caller's warning filters as they were."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from cnnlg_tf.photos import decode_photo
from cnnlg_tf.photos.quiet import no_warnings
from tests.photos.examples import whole


def test_filters_come_back_from_threads() -> None:
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: decode_photo(whole("jpeg"), "a"), range(64)))
    assert list(warnings.filters) == before
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_the_last_to_leave_brings_the_filters_back() -> None:
    before, entered, leave = list(warnings.filters), threading.Event(), threading.Event()

    def stay() -> None:
        with no_warnings():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=stay)
    with no_warnings():
        thread.start()
        assert entered.wait(10)
        warnings.warn("not heard", stacklevel=1)
    warnings.warn("not heard either: one is inside", stacklevel=1)
    leave.set()
    thread.join()
    assert list(warnings.filters) == before
