"""What each call of PredictionService does; gRPC, REST and warm-up all come here."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server.limits import Call, Limits, check_images
from cnnlg_tf.serving.server.metrics import ServerMetrics
from cnnlg_tf.serving.server.servable import Servable
from cnnlg_tf.serving.server.tensors import to_array, to_proto
from cnnlg_tf.serving.server.validation import check_inputs

DEFAULT_SIGNATURE = "serving_default"
_EXAMPLES = "inputs"  # the alias under which Classify and Regress take serialised tf.Examples
_CLASSIFY = "tensorflow/serving/classify"
_REGRESS = "tensorflow/serving/regress"


class Inference:
    """Answers requests with a given servable.

    Args:
        as_content: answer Predict in `tensor_content`; else in typed fields (`float_val`).
        check_method: demand that a signature's method_name fits the call (TensorFlow 1's do).
    """

    def __init__(
        self,
        limits: Limits,
        metrics: ServerMetrics,
        *,
        as_content: bool = False,
        check_method: bool = False,
    ) -> None:
        self._limits = limits
        self._metrics = metrics
        self._as_content = as_content
        self._check_method = check_method

    def predict(self, servable: Servable, version: int, request: Any, call: Call) -> Any:
        """PredictRequest -> PredictResponse."""
        spec = request.model_spec
        name = spec.signature_name or DEFAULT_SIGNATURE
        signature = servable.signatures.get(name)
        if signature is None:
            raise ServingError(f'Serving signature key "{name}" not found.', "FAILED_PRECONDITION")
        defaults = _defaults(signature, request.inputs)
        arrays = {
            alias: to_array(proto, alias, self._limits)
            for alias, proto in sorted([*request.inputs.items(), *defaults.items()])
        }
        outputs = self.predict_arrays(
            servable, name, arrays, _outputs(signature, request.output_filter), call, spec.name
        )
        response = predict_pb2.PredictResponse()
        _fill_spec(response.model_spec, spec.name, name, version)
        for alias, array in outputs.items():
            to_proto(array, response.outputs[alias], as_content=self._as_content)
        return response

    def predict_arrays(
        self,
        servable: Servable,
        name: str,
        arrays: Mapping[str, np.ndarray],
        aliases: Sequence[str],
        call: Call,
        model: str,
    ) -> dict[str, np.ndarray]:
        """The outputs called `aliases` of the signature `name`; `arrays` has every input."""
        self._check(servable, name, arrays)
        signature = servable.signatures[name]
        feeds = {signature.inputs[alias].name: array for alias, array in arrays.items()}
        fetches = [signature.outputs[alias].name for alias in aliases]
        outputs = self._run(servable, feeds, fetches, call, model, "Predict")
        return dict(zip(aliases, map(np.asarray, outputs), strict=True))

    def classify(self, servable: Servable, version: int, request: Any, call: Call) -> Any:
        """ClassificationRequest -> ClassificationResponse."""
        spec = request.model_spec
        name = spec.signature_name or DEFAULT_SIGNATURE
        signature = _signature(servable, name)
        feed, fetches = self._classification(signature)
        examples = self._examples(request.input, spec.name)
        self._check(servable, name, {_EXAMPLES: examples})
        arrays = self._run(servable, {feed: examples}, fetches, call, spec.name, "Classify")
        response = classification_pb2.ClassificationResponse()
        _fill_spec(response.model_spec, spec.name, name, version)
        _fill_classes(
            response.result, signature, dict(zip(fetches, arrays, strict=True)), len(examples)
        )
        return response

    def regress(self, servable: Servable, version: int, request: Any, call: Call) -> Any:
        """RegressionRequest -> RegressionResponse."""
        spec = request.model_spec
        name = spec.signature_name or DEFAULT_SIGNATURE
        feed, fetches = self._regression(_signature(servable, name))
        examples = self._examples(request.input, spec.name)
        self._check(servable, name, {_EXAMPLES: examples})
        arrays = self._run(servable, {feed: examples}, fetches, call, spec.name, "Regress")
        response = regression_pb2.RegressionResponse()
        _fill_spec(response.model_spec, spec.name, name, version)
        _fill_values(response.result, arrays[0], len(examples))
        return response

    def multi_inference(self, servable: Servable, version: int, request: Any, call: Call) -> Any:
        """MultiInferenceRequest -> MultiInferenceResponse: several signatures in one run.

        The examples are fed to each signature's own input: TensorFlow 2 gives every signature one.
        """
        feeds, wanted, names = set(), [], set()
        for task in request.tasks:
            if task.model_spec.name != request.tasks[0].model_spec.name:
                raise ServingError(
                    "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
                    "INVALID_ARGUMENT",
                )
            name = task.model_spec.signature_name or DEFAULT_SIGNATURE
            if name in names:
                raise ServingError(f"Duplicate evaluation of signature: {name}", "INVALID_ARGUMENT")
            names.add(name)
            if name not in servable.signatures:
                raise ServingError(
                    f"Requested signature not found in model graph: {name}", "INVALID_ARGUMENT"
                )
            signature = servable.signatures[name]
            if task.method_name == _CLASSIFY:
                feed, fetches = self._classification(signature)
            elif task.method_name == _REGRESS:
                feed, fetches = self._regression(signature)
            else:
                raise ServingError(
                    f"Unsupported signature method_name: {task.method_name}", "UNIMPLEMENTED"
                )
            feeds.add(feed)
            wanted.append((task, signature, fetches))
        model = request.tasks[0].model_spec.name
        examples = self._examples(request.input, model)
        for name in sorted(names):
            self._check(servable, name, {_EXAMPLES: examples})
        union = sorted({fetch for _, _, fetches in wanted for fetch in fetches})
        fed = dict.fromkeys(sorted(feeds), examples)
        arrays = self._run(servable, fed, union, call, model, "MultiInference")
        computed = dict(zip(union, arrays, strict=True))
        response = inference_pb2.MultiInferenceResponse()
        for task, signature, fetches in wanted:
            result = response.results.add()
            _fill_spec(result.model_spec, model, task.model_spec.signature_name, version)
            if task.method_name == _CLASSIFY:
                _fill_classes(result.classification_result, signature, computed, len(examples))
            else:
                _fill_values(result.regression_result, computed[fetches[0]], len(examples))
        return response

    def metadata(self, servable: Servable, version: int, request: Any, call: Call) -> Any:
        """GetModelMetadataRequest -> GetModelMetadataResponse; the one field is `signature_def`."""
        if not request.metadata_field:
            raise ServingError(
                "GetModelMetadataRequest must specify at least one metadata_field",
                "INVALID_ARGUMENT",
            )
        for field in request.metadata_field:
            if field != "signature_def":
                raise ServingError(f"Metadata field {field} is not supported", "INVALID_ARGUMENT")
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in servable.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        _fill_spec(response.model_spec, request.model_spec.name, "", version)
        response.metadata["signature_def"].Pack(signatures)
        return response

    def _check(self, servable: Servable, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Nothing that native code could stumble over gets past here."""
        check_inputs(arrays, servable.rules[name], self._limits)
        for alias, array in arrays.items():
            if array.dtype == object:
                check_images(array, alias, self._limits)

    def _examples(self, source: Any, model: str) -> np.ndarray:
        """The serialized tf.Examples of an Input, the context put before each."""
        kind = source.WhichOneof("kind")
        examples = [e.SerializeToString() for e in getattr(source, kind).examples] if kind else []
        if not examples:
            raise ServingError("Input is empty.", "INVALID_ARGUMENT")
        if kind == "example_list_with_context":
            context = source.example_list_with_context.context.SerializeToString()
            examples = [context + example for example in examples]
        self._metrics.examples(model, len(examples))
        return np.array(examples, object)

    def _run(
        self,
        servable: Servable,
        feeds: dict[str, np.ndarray],
        fetches: list[str],
        call: Call,
        model: str,
        api: str,
    ) -> list[np.ndarray]:
        start = time.monotonic()
        arrays = servable.run(feeds, fetches, call)
        self._metrics.run(model, api, time.monotonic() - start)
        return arrays

    def _classification(self, signature: Any) -> tuple[str, list[str]]:
        """The input tensor's name and the outputs' (classes, scores: those there are)."""
        self._check_method_name(signature, _CLASSIFY, "classification")
        if len(signature.outputs) not in (1, 2):
            raise ServingError(
                f"Expected one or two output Tensors, found {len(signature.outputs)}",
                "INVALID_ARGUMENT",
            )
        feed = _tensor(signature.inputs, _EXAMPLES, "classification inputs", signature)
        fetches = [
            signature.outputs[key].name for key in ("classes", "scores") if key in signature.outputs
        ]
        if not fetches:
            raise ServingError(
                "Expected classification signature outputs to contain at least one of "
                '"classes" or "scores". '
                f"Signature was: {signature}",
                "FAILED_PRECONDITION",
            )
        return feed, fetches

    def _regression(self, signature: Any) -> tuple[str, list[str]]:
        self._check_method_name(signature, _REGRESS, "regression")
        if len(signature.outputs) != 1:
            raise ServingError("Expected one output Tensor.", "INVALID_ARGUMENT")
        feed = _tensor(signature.inputs, _EXAMPLES, "regression inputs", signature)
        return feed, [_tensor(signature.outputs, "outputs", "regression outputs", signature)]

    def _check_method_name(self, signature: Any, method: str, kind: str) -> None:
        if self._check_method and signature.method_name != method:
            raise ServingError(
                f"Expected {kind} signature method_name to be {method}. "
                f"Was: {signature.method_name}",
                "INVALID_ARGUMENT",
            )
        if len(signature.inputs) != 1:
            raise ServingError("Expected one input Tensor.", "INVALID_ARGUMENT")


def _defaults(signature: Any, given: Iterable[str]) -> dict[str, Any]:
    """The default TensorProtos of the inputs that are not given.

    Raises:
        ServingError: INVALID_ARGUMENT, an input is missing or unknown.
    """
    names, known = set(given), set(signature.inputs)
    optional = set(signature.defaults) - names
    if names - known or known - names - optional:
        raise ServingError(
            f"input size does not match signature: {len(names)}!={len(known)} "
            f"len({_braces(names)}) != len({_braces(known)}). "
            f"Sent extra: {_braces(names - known)}. "
            f"Missing but required: {_braces(known - names)}.",
            "INVALID_ARGUMENT",
        )
    return {alias: signature.defaults[alias] for alias in optional}


def _signature(servable: Servable, name: str) -> Any:
    if name not in servable.signatures:
        raise ServingError(f"No signature was found with the name: {name}", "INVALID_ARGUMENT")
    return servable.signatures[name]


def _tensor(infos: Mapping[str, Any], key: str, what: str, signature: Any) -> str:
    if key not in infos:
        raise ServingError(f"No {what} found in SignatureDef: {signature}", "FAILED_PRECONDITION")
    return str(infos[key].name)


def _outputs(signature: Any, wanted: Iterable[str]) -> list[str]:
    aliases = list(wanted)
    for index, alias in enumerate(aliases):
        if alias not in signature.outputs:
            raise ServingError(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_braces(signature.outputs)}.",
                "INVALID_ARGUMENT",
            )
        if alias in aliases[:index]:
            raise ServingError(f"duplicate output tensor alias: {alias}", "INVALID_ARGUMENT")
    return aliases or sorted(signature.outputs)


def _fill_spec(spec: Any, model: str, signature: str, version: int) -> None:
    spec.name = model
    spec.signature_name = signature
    spec.version.value = version


def _fill_classes(
    result: Any, signature: Any, computed: Mapping[str, np.ndarray], examples: int
) -> None:
    columns = {}
    for key, dtype, label in (("classes", "O", "DT_STRING"), ("scores", "f", "DT_FLOAT")):
        if key not in signature.outputs:
            continue
        array = computed[signature.outputs[key].name]
        if array.ndim != 2:
            raise ServingError(
                f"Expected Tensor shape: [batch_size num_classes] but got {_shape(array)}",
                "INVALID_ARGUMENT",
            )
        if array.dtype.char != dtype:
            raise ServingError(
                f"Expected {key} Tensor of {label}. Got: {array.dtype}", "INVALID_ARGUMENT"
            )
        if len(array) != examples:
            raise ServingError(
                f"Expected {key} output batch size of {examples}. Got: {len(array)}",
                "INVALID_ARGUMENT",
            )
        columns[key] = array
    widths = {key: array.shape[1] for key, array in columns.items()}
    if len(set(widths.values())) > 1:
        raise ServingError(
            "Tensors class and score should match in dim_size(1). "
            f"Got {widths['classes']} vs. {widths['scores']}",
            "INVALID_ARGUMENT",
        )
    for row in range(examples):
        classifications = result.classifications.add()
        for column in range(max(widths.values())):
            entry = classifications.classes.add()
            if "classes" in columns:
                entry.label = columns["classes"][row, column].decode("utf-8", "replace")
            if "scores" in columns:
                entry.score = columns["scores"][row, column]


def _fill_values(result: Any, array: np.ndarray, examples: int) -> None:
    if array.ndim != 1 and (array.ndim != 2 or array.shape[1] != 1):
        raise ServingError(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            f"but got {_shape(array)}",
            "INVALID_ARGUMENT",
        )
    if len(array) != examples:
        raise ServingError(
            f"Input batch size did not match output batch size: {examples} vs. {len(array)}",
            "INVALID_ARGUMENT",
        )
    if array.dtype != np.float32:
        raise ServingError(
            f"Expected output Tensor of DT_FLOAT.  Got: {array.dtype}", "INVALID_ARGUMENT"
        )
    for value in array.ravel().tolist():
        result.regressions.add().value = value


def _braces(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _shape(array: np.ndarray) -> str:
    return "[" + ",".join(map(str, array.shape)) + "]"
