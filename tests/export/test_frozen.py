from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.export.frozen import import_function

WHOLE = [
    pytest.param("source", name, marks=pytest.mark.slow)
    for name in ("serving_default", "paint", "refine")
]


@pytest.mark.parametrize(("made", "name"), [("plain_source", "serving_default"), *WHOLE])
def test_frozen_graph_has_no_variables_and_gives_the_models_pixels(
    request: pytest.FixtureRequest, made: str, name: str
) -> None:
    source = request.getfixturevalue(made)
    frozen = source.frozen(name)
    for case in source.cases(name):
        results = import_function(frozen)(*map(tf.constant, case.inputs.values()))
        assert set(results) == set(case.expected)
        for key, wanted in case.expected.items():
            np.testing.assert_allclose(results[key], wanted, atol=1e-4)
    operators = {node.op for node in frozen.graph_def.node}
    assert not any(kind in name for kind in ("Variable", "While") for name in operators)


def test_dilated_convolutions_are_one_node(source: Any) -> None:
    operators = [node.op for node in source.frozen().graph_def.node]
    dilations = [
        list(n.attr["dilations"].list.i) for n in source.frozen().graph_def.node if n.op == "Conv2D"
    ]
    assert "BatchToSpaceND" not in operators and [1, 2, 2, 1] in dilations


def test_other_formats_have_no_checks(source: Any) -> None:
    operators = {node.op for node in source.frozen().graph_def.node}
    assert not operators & {"Assert", "PlaceholderWithDefault", "If", "StatelessIf"}
