import numpy as np
import pytest

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.client import rest_codec as codec
from cnnlg_tf.serving.client.metadata import ModelRef, Signature, TensorSpec

BYTES = TensorSpec("DT_STRING", (None,))
FLOAT = TensorSpec("DT_FLOAT", (None, 2))


def test_body_is_the_column_form() -> None:
    inputs = {
        "image": np.array([[0.5, 1]], np.float32),
        "text": np.array([[b"a\0"], [b""]], object),
        "temperature": np.float32(1)[()],
    }
    inputs["temperature"] = np.asarray(inputs["temperature"])
    assert codec.predict_body("sample", inputs) == {
        "signature_name": "sample",
        "inputs": {
            "image": [[0.5, 1.0]],
            "text": [[{"b64": "YQA="}], [{"b64": ""}]],
            "temperature": 1.0,
        },
    }


def test_a_lone_output_has_no_name() -> None:
    one = codec.predict_reply({"outputs": [[1, 2]]}, Signature({}, {"repaired": FLOAT}))
    np.testing.assert_array_equal(one["repaired"], np.array([[1, 2]], np.float32), strict=True)
    two = Signature({}, {"repaired_bytes": BYTES, "label": BYTES})
    reply = {"outputs": {"repaired_bytes": [{"b64": "AAE="}], "label": ["é"]}}
    outputs = codec.predict_reply(reply, two)
    assert outputs["repaired_bytes"].tolist() == [b"\0\1"]
    assert outputs["label"].tolist() == ["é".encode()]
    empty = codec.predict_reply({"outputs": []}, Signature({}, {"repaired_bytes": BYTES}))
    assert empty["repaired_bytes"].shape == (0,)


@pytest.mark.parametrize(
    "reply",
    [
        {},
        [],
        {"outputs": [[1], [2, 3]]},
        {"outputs": "text"},
    ],
)
def test_malformed_replies_are_one_error(reply: object) -> None:
    with pytest.raises(ServingError, match="predict reply must be the JSON .* Received one where"):
        codec.predict_reply(reply, Signature({}, {"repaired": FLOAT}))
    with pytest.raises(ServingError, match="metadata reply must be"):
        codec.metadata_reply(reply, ModelRef("m"))
    with pytest.raises(ServingError, match="status reply must be"):
        codec.status_reply(reply)


def test_bad_base64_is_one_error() -> None:
    with pytest.raises(ServingError, match="predict reply must be"):
        codec.predict_reply({"outputs": [{"b64": "*"}]}, Signature({}, {"repaired_bytes": BYTES}))


def test_unknown_rank_is_no_shape() -> None:
    info = {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [], "unknown_rank": True}}
    definitions = {
        "f": {"inputs": {}, "outputs": {"y": info}},
        "__saved_model_init_op": {"inputs": {}, "outputs": {"__saved_model_init_op": info}},
    }
    reply = {"model_spec": {}, "metadata": {"signature_def": {"signature_def": definitions}}}
    metadata = codec.metadata_reply(reply, ModelRef("m"))
    assert (metadata.name, metadata.version) == ("m", None)
    assert metadata.signatures == {"f": Signature({}, {"y": TensorSpec("DT_FLOAT", None)})}
