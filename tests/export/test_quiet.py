"""Converters' chatter is held back; loggers are left as they were."""

import logging

import pytest

from cnnlg_tf.export.quiet import errors_only


@pytest.mark.parametrize("name", [None, "converter"])
def test_warnings_are_held_back_inside_only(
    name: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger(name)
    level = logger.level
    with pytest.raises(ValueError, match="stopped"), errors_only(name):
        logger.warning("held back")
        logger.error("told")
        raise ValueError("stopped")
    logger.warning("told again")
    assert logger.level == level
    assert [record.message for record in caplog.records] == ["told", "told again"]


def test_a_level_set_meanwhile_lets_no_warning_through(caplog: pytest.LogCaptureFixture) -> None:
    """As TensorFlow sets absl's while it saves a model."""
    logger = logging.getLogger("converter")
    with errors_only("converter"):
        logger.setLevel(logging.WARNING)
        logger.warning("held back")
    assert caplog.records == [] and logger.level == logging.NOTSET
