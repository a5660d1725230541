"""TensorFlow's way of reading flags."""

from dataclasses import dataclass

import pytest

from cnnlg_tf.errors import ConfigError
from cnnlg_tf.serving.server.flags import flag, parse_flags, usage
from cnnlg_tf.serving.server.options import ServerOptions


@dataclass(frozen=True)
class Flags:
    port: int = flag(8500, "A number.")
    share: float = flag(0.0, "A fraction.")
    name: str = flag("default", "A name.")
    batch: bool = flag(False, "A switch.")
    warm: bool = flag(True, "Another.")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], Flags()),
        (["--port=1", "--name=a=b", "--share=.5"], Flags(port=1, name="a=b", share=0.5)),
        (["--port", "1", "--name", "x"], Flags(port=1, name="x")),
        (["--batch"], Flags(batch=True)),
        (["--batch=TRUE", "--warm=0"], Flags(batch=True, warm=False)),
        (["--batch", "false", "--warm", "--port=-1"], Flags(port=-1)),
        (["--name="], Flags(name="")),
    ],
)
def test_forms(arguments: list[str], expected: Flags) -> None:
    assert parse_flags(Flags, arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nothing=1"], "unknown argument: --nothing=1"),
        (["port=1"], "unknown argument: port=1"),
        (["--port=x"], "Couldn't interpret value x for flag port: expected int."),
        (["--batch=maybe"], "Couldn't interpret value maybe for flag batch: expected true or"),
        (["--port"], "flag --port needs a value: --port=VALUE"),
        (["--name", "--batch"], "flag --name needs a value"),
    ],
)
def test_what_cannot_be_read(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_flags(Flags, arguments)
    assert str(caught.value).startswith(message)


def test_usage_names_each_flag() -> None:
    text = usage("server", Flags)
    assert text.startswith("usage: server\nFlags:\n")
    assert "--port=8500" in text
    assert '--name="default"' in text
    assert "--batch=false" in text
    assert "A switch." in text


def test_the_servers_defaults_are_tf_servings() -> None:
    options = ServerOptions()
    assert (options.port, options.rest_api_port, options.model_name) == (8500, 0, "default")
    assert (options.max_num_load_retries, options.load_retry_interval_micros) == (5, 60_000_000)
    assert (options.rest_api_timeout_in_ms, options.file_system_poll_wait_seconds) == (30_000, 1)
