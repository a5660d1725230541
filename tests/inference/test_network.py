"""Conditions are checked when they are made."""

import re

import numpy as np
import pytest

from cnnlg_tf.errors import ConfigError, ImageError
from cnnlg_tf.inference.network import Conditions

GREY = np.full((16, 20, 3), 0.5, np.float32)


def test_abilities_name_what_is_not_the_default() -> None:
    assert Conditions().abilities == frozenset()
    assert Conditions(seed=3).abilities == frozenset()  # temperature 0: the expected repair
    full = Conditions(detail=0.0, reference=(GREY,), seed=0, temperature=0.1)
    assert full.abilities == {"detail", "reference", "sample"}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"detail": 2.1}, ConfigError, "detail must be from 0 to 2. Received: 2.1"),
        ({"detail": np.nan}, ConfigError, "detail must be from 0 to 2. Received: nan"),
        ({"seed": -1}, ConfigError, "seed must be from 0 to 2**64 - 1. Received: -1"),
        ({"temperature": -1.0}, ConfigError, "temperature must be 0 or more. Received: -1.0"),
        ({"temperature": np.inf}, ConfigError, "temperature must be 0 or more. Received: inf"),
        (
            {"reference": (GREY[:15],)},
            ImageError,
            "sides of at least 16 pixels. Received: reference.shape=(15, 20, 3)",
        ),
        ({"reference": (GREY.astype(float),)}, ImageError, "reference.dtype=float64"),
        ({"reference": (2 * GREY + 1,)}, ImageError, "reference must lie in [0, 1]"),
        ({"reference": (GREY * np.nan,)}, ImageError, "Received: values nan to nan"),
    ],
)
def test_bad_conditions(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        Conditions(**options)  # type: ignore[arg-type]
