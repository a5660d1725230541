"""Loading with warm-up and batching."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from cnnlg_tf.errors import ServingError
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
