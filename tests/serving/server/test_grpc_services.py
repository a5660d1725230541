"""Every RPC against a real server, with the official stubs."""

import time
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from tests.serving.servers import Server, failure, predict_request


def half(**values: Any) -> Any:
    return predict_request("half_plus_two", x=np.float32([2.0]), **values)


def examples(request: Any, signature: str, *values: float, model: str = "half_plus_two") -> Any:
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for value in values:
        example = request.input.example_list.examples.add()
        example.features.feature["x"].float_list.value.append(value)
    return request


def test_predict_answers_in_typed_fields(server: Server) -> None:
    response = server.predictions.Predict(half(), 20)
    assert response.outputs["y"].dtype == tf.float32.as_datatype_enum
    assert list(response.outputs["y"].float_val) == [3.0]
    assert response.outputs["y"].tensor_content == b""
    assert response.model_spec.name == "half_plus_two"
    assert response.model_spec.version.value == 2
    assert response.model_spec.signature_name == "serving_default"


def test_predict_reads_float_val_and_repeats_the_last(server: Server) -> None:
    request = half()
    request.inputs["x"].ClearField("tensor_content")
    del request.inputs["x"].float_val[:]
    request.inputs["x"].float_val.extend([2.0, 4.0])
    request.inputs["x"].tensor_shape.dim[0].size = 4
    assert list(server.predictions.Predict(request, 20).outputs["y"].float_val) == [3, 4, 4, 4]


def test_version_label_and_number_choose_the_version(server: Server) -> None:
    request = half()
    request.model_spec.version_label = "stable"
    assert server.predictions.Predict(request, 20).model_spec.version.value == 1
    request.model_spec.version.value = 2
    assert server.predictions.Predict(request, 20).model_spec.version.value == 2


@pytest.mark.parametrize(
    ("change", "code", "details"),
    [
        (
            lambda r: setattr(r.model_spec, "name", "nobody"),
            "NOT_FOUND",
            "Servable not found for request: Latest(nobody)",
        ),
        (
            lambda r: setattr(r.model_spec.version, "value", 7),
            "NOT_FOUND",
            "Servable not found for request: Specific(half_plus_two, 7)",
        ),
        (
            lambda r: setattr(r.model_spec, "version_label", "canary"),
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: canary",
        ),
        (
            lambda r: setattr(r.model_spec, "signature_name", "other"),
            "FAILED_PRECONDITION",
            'Serving signature key "other" not found.',
        ),
        (
            lambda r: r.output_filter.append("z"),
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: z Outputs expected to be in the set {y}.",
        ),
        (
            lambda r: r.output_filter.extend(["y", "y"]),
            "INVALID_ARGUMENT",
            "duplicate output tensor alias: y",
        ),
        (
            lambda r: r.inputs["z"].CopyFrom(r.inputs["x"]),
            "INVALID_ARGUMENT",
            "input size does not match signature: 2!=1 len({x,z}) != len({x}). "
            "Sent extra: {z}. Missing but required: {}.",
        ),
        (
            lambda r: r.inputs["x"].CopyFrom(tf.make_tensor_proto([2])),
            "INVALID_ARGUMENT",
            "input x must be float32 of any shape. Received: int32 [1]",
        ),
        (
            lambda r: r.inputs["x"].CopyFrom(tf.make_tensor_proto(["a"])),
            "INVALID_ARGUMENT",
            "input x must be float32 of any shape. Received: string [1]",
        ),
        (
            lambda r: setattr(r.inputs["x"], "tensor_content", b"12345"),
            "INVALID_ARGUMENT",
            "tensor parsing error: x",
        ),
        (
            lambda r: setattr(r.inputs["x"].tensor_shape.dim[0], "size", 10**12),
            "INVALID_ARGUMENT",
            "tensor parsing error: x: a tensor must take at most 33554432 bytes. "
            "Received: shape [1000000000000]",
        ),
        (lambda r: r.ClearField("model_spec"), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (
            lambda r: r.model_spec.ClearField("name"),
            "INVALID_ARGUMENT",
            "ModelSpec has no name specified.",
        ),
    ],
)
def test_a_wrong_predict_is_refused_in_tf_servings_words(
    server: Server, change: Any, code: str, details: str
) -> None:
    request = half()
    change(request)
    assert failure(server.predictions.Predict, request) == (code, details)


def test_a_wrong_shape_is_refused_by_the_model(server: Server) -> None:
    request = predict_request("kinds", "two", a=np.ones((2, 3), np.float32), b=np.float32([1] * 3))
    code, details = failure(server.predictions.Predict, request)
    assert code == "INVALID_ARGUMENT"
    assert "Incompatible shapes: " in details


def test_types_other_than_float(server: Server) -> None:
    request = predict_request("kinds", "integers", number=np.int64([[1, 2], [3, 4]]))
    outputs = server.predictions.Predict(request, 20).outputs
    arrays = {name: tf.make_ndarray(proto) for name, proto in outputs.items()}
    np.testing.assert_array_equal(arrays["doubled"], [[2, 4], [6, 8]])
    np.testing.assert_array_equal(arrays["small"], np.uint8([[1, 2], [3, 4]]))
    np.testing.assert_array_equal(arrays["even"], [[False, True], [False, True]])
    np.testing.assert_array_equal(arrays["half"], np.float16([[0.5, 1], [1.5, 2]]))
    assert list(outputs["doubled"].int64_val) == [2, 4, 6, 8]
    text = server.predictions.Predict(predict_request("kinds", "strings", text=["ab", "c"]), 20)
    assert list(text.outputs["upper"].string_val) == [b"AB", b"C"]
    assert list(text.outputs["raw_bytes"].string_val) == [b"ab\xff", b"c\xff"]


@pytest.mark.parametrize("model", ["half_plus_two", "half_plus_three"])
def test_classify_and_regress(server: Server, model: str) -> None:
    first = 3.0 if model == "half_plus_two" else 4.0
    request = examples(
        classification_pb2.ClassificationRequest(), "classify_x_to_y", 2.0, 4.0, model=model
    )
    response = server.predictions.Classify(request, 20)
    scores = [[c.score for c in row.classes] for row in response.result.classifications]
    assert scores == [[first], [first + 1]]
    assert response.model_spec.signature_name == "classify_x_to_y"
    request = examples(regression_pb2.RegressionRequest(), "regress_x_to_y", 2.0, model=model)
    response = server.predictions.Regress(request, 20)
    assert [r.value for r in response.result.regressions] == [first]


def test_classify_gives_labels_and_takes_a_context(server: Server) -> None:
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "half_plus_two"
    request.model_spec.signature_name = "classify_labels"
    listed = request.input.example_list_with_context
    listed.context.features.feature["x"].float_list.value.append(2.0)
    listed.examples.add()
    classes = server.predictions.Classify(request, 20).result.classifications[0].classes
    assert [(c.label, c.score) for c in classes] == [("half", 3.0)]


@pytest.mark.parametrize(
    ("signature", "values", "code", "details"),
    [
        ("other", (1.0,), "INVALID_ARGUMENT", "No signature was found with the name: other"),
        ("regress_x_to_y", (), "INVALID_ARGUMENT", "Input is empty."),
        (
            "regress_matrix",
            (1.0,),
            "INVALID_ARGUMENT",
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            "but got [1,2]",
        ),
        ("classify_labels", (1.0,), "INVALID_ARGUMENT", "Expected one output Tensor."),
    ],
)
def test_a_wrong_regress_is_refused(
    server: Server, signature: str, values: tuple[float, ...], code: str, details: str
) -> None:
    request = examples(regression_pb2.RegressionRequest(), signature, *values)
    assert failure(server.predictions.Regress, request) == (code, details)


def test_a_predict_signature_cannot_classify(server: Server) -> None:
    request = examples(classification_pb2.ClassificationRequest(), "serving_default", 1.0)
    code, details = failure(server.predictions.Classify, request)
    assert code == "FAILED_PRECONDITION"
    assert details.startswith("No classification inputs found in SignatureDef: ")


def multi(*tasks: tuple[str, str], model: str = "half_plus_two") -> Any:
    request = inference_pb2.MultiInferenceRequest()
    for signature, method in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name = model
        task.model_spec.signature_name = signature
    example = request.input.example_list.examples.add()
    example.features.feature["x"].float_list.value.append(2.0)
    return request


def test_multi_inference(server: Server) -> None:
    request = multi(("regress_x_to_y", "regress"), ("classify_x_to_y", "classify"))
    results = server.predictions.MultiInference(request, 20).results
    assert results[0].regression_result.regressions[0].value == 3.0
    assert results[1].classification_result.classifications[0].classes[0].score == 3.0
    assert [r.model_spec.signature_name for r in results] == ["regress_x_to_y", "classify_x_to_y"]
    assert {r.model_spec.version.value for r in results} == {2}


def test_multi_inference_of_a_tensorflow_2_model_whose_signatures_have_inputs_of_their_own(
    server: Server,
) -> None:
    tasks = [("regress_x_to_y", "regress"), ("classify_x_to_y", "classify")]
    results = server.predictions.MultiInference(multi(*tasks, model="half_plus_three"), 20).results
    assert results[0].regression_result.regressions[0].value == 4.0
    assert results[1].classification_result.classifications[0].classes[0].score == 4.0


@pytest.mark.parametrize(
    ("request_message", "code", "details"),
    [
        (multi(), "INVALID_ARGUMENT", "Inference request contains no tasks."),
        (
            multi(("a", "regress"), model=""),
            "INVALID_ARGUMENT",
            "Found ModelSpec with an empty model name.",
        ),
        (
            multi(("regress_x_to_y", "regress"), ("regress_x_to_y", "regress")),
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: regress_x_to_y",
        ),
        (
            multi(("other", "regress")),
            "INVALID_ARGUMENT",
            "Requested signature not found in model graph: other",
        ),
        (
            multi(("regress_x_to_y", "predict")),
            "UNIMPLEMENTED",
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        (
            multi(("regress_x_to_y", "regress"), ("regress_x2_to_y3", "regress")),
            "INVALID_ARGUMENT",
            "input inputs must be float32 of any shape. Received: string [1]",
        ),
    ],
)
def test_a_wrong_multi_inference_is_refused(
    server: Server, request_message: Any, code: str, details: str
) -> None:
    assert failure(server.predictions.MultiInference, request_message) == (code, details)


def test_an_error_that_quotes_bytes_which_are_no_text(server: Server) -> None:
    request = predict_request("half_plus_two", "regress_x_to_y", inputs=[b"\xff\xfe"])
    code, details = failure(server.predictions.Predict, request)
    assert code == "INVALID_ARGUMENT"
    assert details.startswith("Could not parse example input, value: '\\xff\\xfe'")


def test_a_signature_without_tensors_is_an_error(server: Server) -> None:
    """TensorFlow 2 writes its initialiser among the signatures."""
    request = predict_request("half_plus_three", "__saved_model_init_op")
    assert failure(server.predictions.Predict, request) == (
        "FAILED_PRECONDITION",
        "a signature must name tensors of the model's graph. Received: 'NoOp'",
    )


def test_multi_inference_stays_with_one_model(server: Server) -> None:
    request = multi(("regress_x_to_y", "regress"), ("classify_x_to_y", "classify"))
    request.tasks[1].model_spec.name = "half_plus_three"
    assert failure(server.predictions.MultiInference, request) == (
        "INVALID_ARGUMENT",
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    )


def test_metadata(server: Server) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "half_plus_two"
    response = server.predictions.GetModelMetadata(request, 20)
    assert (response.model_spec.name, response.model_spec.version.value) == ("half_plus_two", 2)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    default = signatures.signature_def["serving_default"]
    assert default.method_name == "tensorflow/serving/predict"
    assert default.inputs["x"].name == "x:0"
    request.metadata_field[0] = "graph"
    assert failure(server.predictions.GetModelMetadata, request) == (
        "INVALID_ARGUMENT",
        "Metadata field graph is not supported",
    )
    del request.metadata_field[:]
    assert failure(server.predictions.GetModelMetadata, request) == (
        "INVALID_ARGUMENT",
        "GetModelMetadataRequest must specify at least one metadata_field",
    )


def test_model_status(server: Server) -> None:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "half_plus_two"
    statuses = server.models.GetModelStatus(request, 20).model_version_status
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert [(s.version, s.state) for s in statuses] == [(2, available), (1, available)]
    assert {s.status.error_code for s in statuses} == {0}
    request.model_spec.version.value = 1
    assert len(server.models.GetModelStatus(request, 20).model_version_status) == 1
    request.model_spec.version.value = 9
    assert failure(server.models.GetModelStatus, request) == (
        "NOT_FOUND",
        "Could not find version 9 of model half_plus_two",
    )
    request.model_spec.Clear()
    request.model_spec.name = "nobody"
    assert failure(server.models.GetModelStatus, request) == (
        "NOT_FOUND",
        "Could not find any versions of model nobody",
    )


def test_reload_refuses_what_is_no_list_of_models(server: Server) -> None:
    request = model_management_pb2.ReloadConfigRequest()
    assert failure(server.models.HandleReloadConfigRequest, request) == (
        "INVALID_ARGUMENT",
        "ServerModelConfig type not supported by HandleReloadConfigRequest. "
        "Only ModelConfigList is currently supported",
    )


def test_health_and_reflection(server: Server) -> None:
    health = health_pb2_grpc.HealthStub(server.channel)
    for name in ("", "tensorflow.serving.PredictionService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=20)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflection = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = next(iter(reflection.ServerReflectionInfo(iter([question]), timeout=20)))
    names = {service.name for service in answer.list_services_response.service}
    assert {"tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"} <= names


def test_the_unix_socket_answers(server: Server) -> None:
    with grpc.insecure_channel(f"unix:{server.log.parent}/grpc.sock") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        assert list(stub.Predict(half(), 20).outputs["y"].float_val) == [3.0]


def test_a_deadline_stops_a_run(server: Server) -> None:
    request = predict_request("kinds", "slow", steps=np.int32([10**7]))
    start = time.monotonic()
    code, _ = failure(server.predictions.Predict, request, timeout=0.5)
    assert code == "DEADLINE_EXCEEDED"
    request = predict_request("kinds", "slow", steps=np.int32([1]))
    server.predictions.Predict(request, 20)  # the server is free again
    assert time.monotonic() - start < 10


def test_an_image_with_too_many_pixels_is_refused_unread(server: Server) -> None:
    bomb = tf.io.encode_png(np.zeros((2000, 2000, 1), np.uint8)).numpy()
    request = predict_request("kinds", "image", image_bytes=[bomb])
    assert failure(server.predictions.Predict, request) == (
        "INVALID_ARGUMENT",
        "images must have at most 1000000 pixels. "
        "Received: 4000000 in element 0 of input image_bytes",
    )
    small = tf.io.encode_png(np.zeros((20, 30, 1), np.uint8)).numpy()
    answer = server.predictions.Predict(predict_request("kinds", "image", image_bytes=[small]), 20)
    assert list(answer.outputs["size"].int_val) == [20, 30]


def test_bytes_that_are_no_message_are_refused(server: Server) -> None:
    path = "/tensorflow.serving.PredictionService/Predict"
    predict = server.channel.unary_unary(path)
    code, details = failure(predict, b"\xff" * 9)
    assert code == "INTERNAL"
    assert details.startswith(
        f"a request of {path} must be of its message's type. Received: Decode"
    )
    assert predict(half().SerializeToString(), timeout=20)


def test_a_stream_of_bytes_that_are_no_message_is_refused(server: Server) -> None:
    path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    info = server.channel.stream_stream(path)
    request = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
    answers = info(iter([request, b"\xff" * 9]), timeout=20)
    assert b"PredictionService" in next(answers)
    with pytest.raises(grpc.RpcError) as caught:
        list(answers)
    assert caught.value.code().name == "INTERNAL"
