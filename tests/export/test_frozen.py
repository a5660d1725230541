from typing import Any

import numpy as np
import tensorflow as tf

from cnnlg_tf.export import cases
from cnnlg_tf.export.frozen import import_function


def test_frozen_graph_has_no_variables_and_gives_the_models_pixels(source: Any, model: Any) -> None:
    image, mask = cases.drawn_case(2, 50, 70)
    result = import_function(source.frozen)(tf.constant(image), tf.constant(mask))
    expected = model.repair(image, mask)
    np.testing.assert_allclose(result["repaired"], expected[0], atol=1e-5)
    np.testing.assert_allclose(result["uncertainty"], expected[1], atol=1e-5)
    assert not any("Variable" in node.op for node in source.frozen.graph_def.node)


def test_dilated_convolutions_are_one_node(source: Any) -> None:
    operators = [node.op for node in source.frozen.graph_def.node]
    dilations = [
        list(n.attr["dilations"].list.i) for n in source.frozen.graph_def.node if n.op == "Conv2D"
    ]
    assert "BatchToSpaceND" not in operators and [1, 2, 2, 1] in dilations
