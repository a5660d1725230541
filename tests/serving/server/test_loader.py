"""Loading with warm-up and batching."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from cnnlg_tf.errors import ArtefactError, ServingError
from cnnlg_tf.export import manifest
from cnnlg_tf.serving.server.batching import BatchedServable, BatchingOptions
from cnnlg_tf.serving.server.limits import Call, Limits, RunGate
from cnnlg_tf.serving.server.loader import Loader, LoadOptions
from cnnlg_tf.serving.server.metrics import ServerMetrics
from cnnlg_tf.serving.server.prediction import Inference
from cnnlg_tf.serving.server.servable import SavedModelServable
from tests.serving import model_factory
from tests.serving.servers import predict_request


@pytest.fixture
def version(tmp_path: Path) -> Path:
    model_factory.save_half_plus_three(tmp_path / "1")
    return tmp_path / "1"


def make(**options: Any) -> tuple[Loader, ServerMetrics]:
    metrics = ServerMetrics()
    inference = Inference(Limits(), metrics)
    return Loader(LoadOptions(**options), inference, metrics, RunGate(2)), metrics


def warm_up_with(version: Path, *logs: Any, count: int = 1) -> None:
    (version / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(version / "assets.extra/tf_serving_warmup_requests")) as writer:
        for log in logs * count:
            writer.write(log if isinstance(log, bytes) else log.SerializeToString())


def predict_log(**inputs: Any) -> Any:
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(predict_request("m", **inputs))
    return log


def example_log(kind: str) -> Any:
    log = prediction_log_pb2.PredictionLog()
    request = getattr(log, f"{kind}_log").request
    if kind == "multi_inference":
        task = request.tasks.add(method_name="tensorflow/serving/regress")
        task.model_spec.signature_name = "regress_x_to_y"
    else:
        request.model_spec.signature_name = f"{kind}_x_to_y"
    example = request.input.example_list.examples.add()
    example.features.feature["x"].float_list.value.append(1.0)
    return log


def test_each_kind_of_warm_up_request_is_replayed(version: Path) -> None:
    logs = [example_log(kind) for kind in ("classify", "regress", "multi_inference")]
    warm_up_with(version, predict_log(x=np.float32([1])), *logs)
    loader, metrics = make(num_request_iterations_for_warmup=3)
    loader.load(version).close()
    text = metrics.text()
    assert ":tensorflow:core:graph_runs{} 12" in text
    assert ':tensorflow:serving:model_warmup_latency_count{model_path="' in text


def test_warm_up_can_be_off(version: Path) -> None:
    warm_up_with(version, b"no log")
    loader, _ = make(enable_model_warmup=False)
    loader.load(version).close()


@pytest.mark.parametrize(
    ("logs", "message"),
    [
        ((predict_log(z=np.float32([1])),), "input size does not match signature"),
        ((prediction_log_pb2.PredictionLog(),), "Unsupported log_type for warmup: None"),
        (
            (predict_log(x=np.float32([1])),) * 1001,
            r"Number of warmup records exceeds the maximum \(1000\) at ",
        ),
    ],
)
def test_a_bad_warm_up_fails_the_load(version: Path, logs: Any, message: str) -> None:
    warm_up_with(version, *logs)
    loader, metrics = make()
    with pytest.raises(ServingError, match=message):
        loader.load(version)
    assert 'status="OK"' not in metrics.text()


def test_a_damaged_model_raises_and_is_counted(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"damaged")
    loader, metrics = make()
    with pytest.raises(Exception, match="Cannot parse file"):
        loader.load(tmp_path)
    assert f'load_attempt_count{{model_path="{tmp_path}",status="fail"}} 1' in metrics.text()


def test_an_export_whose_files_were_altered_does_not_reach_tensorflow(version: Path) -> None:
    files = {
        path.relative_to(version).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": manifest.sha256(path),
        }
        for path in version.rglob("*")
        if path.is_file()
    }
    inputs = {"inputs": {"x": "float32 [length]"}}
    about = {"manifest_version": 1, "format": "saved_model", "files": files}
    about["signatures"] = {"serving_default": inputs}
    (version / manifest.NAME).write_text(json.dumps(about))
    loader, _ = make()
    servable = loader.load(version)
    assert str(servable.rules["serving_default"]["x"]) == "float32 [length]"
    assert str(servable.rules["regress_x_to_y"]["inputs"]) == "string [any]"
    servable.close()
    data = bytearray((version / "saved_model.pb").read_bytes())
    data[100] ^= 1
    (version / "saved_model.pb").write_bytes(data)
    with pytest.raises(ArtefactError, match="saved_model.pb must have the sha256"):
        loader.load(version)


@pytest.mark.skipif(not find_spec("tensorflow_text"), reason="tensorflow-text is not installed")
def test_a_model_with_tf_text(tmp_path: Path) -> None:
    """Saved in another process: here TF Text is not imported before the load asks for it."""
    script = (
        "import sys, tensorflow as tf, tensorflow_text as text\n"
        "f = tf.function(lambda s: {'y': text.WhitespaceTokenizer().tokenize(s).to_tensor(b'')},\n"
        "    input_signature=[tf.TensorSpec([None], tf.string, 's')])\n"
        "m = tf.Module(); m.f = f\n"
        "tf.saved_model.save(m, sys.argv[1], signatures=f)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "1")], check=True)
    loader, _ = make()
    servable = loader.load(tmp_path / "1")
    signature = servable.signatures["serving_default"]
    feeds = {signature.inputs["s"].name: np.array([b"a bc"], object)}
    (tokens,) = servable.run(feeds, [signature.outputs["y"].name], Call())
    assert tokens.tolist() == [[b"a", b"bc"]]
    servable.close()


def test_unknown_tags(version: Path) -> None:
    loader, _ = make(saved_model_tags=["serve", "gpu"])
    with pytest.raises(RuntimeError, match="could not be found in SavedModel"):
        loader.load(version)


def test_batching_parameters_may_come_with_the_model(version: Path) -> None:
    shared = BatchingOptions(max_batch_size=7, num_batch_threads=1, thread_pool_name="shared")
    loader, _ = make(batching=shared)
    batched = loader.load(version)
    assert isinstance(batched, BatchedServable)
    assert batched.options == shared
    batched.close()
    loader.stop()
    loader, _ = make(batching=shared, enable_per_model_batching_parameters=True)
    plain = loader.load(version)
    assert isinstance(plain, SavedModelServable)
    plain.close()
    (version / "batching_params.pbtxt").write_text("max_batch_size { value: 3 }")
    own = loader.load(version)
    assert isinstance(own, BatchedServable)
    assert (own.options.max_batch_size, own.options.thread_pool_name) == (3, "shared")
    name = own.signatures["serving_default"].inputs["x"].name
    fetch = own.signatures["serving_default"].outputs["y"].name
    np.testing.assert_array_equal(own.run({name: np.float32([2])}, [fetch], Call()), [[4.0]])
    own.close()
    loader.stop()
