"""Writes the tiny models that the serving tests use."""

from pathlib import Path

import tensorflow as tf

v1 = tf.compat.v1


def save_half_plus_two(folder: Path) -> None:
    """y = x / 2 + 2, y2 = x / 2 + 3, y3 = x2 / 2 + 3 the way TensorFlow 1 saves it."""
    builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
    with v1.Session(graph=tf.Graph()) as session:
        half = v1.Variable(0.5, name="half")
        two, three = v1.Variable(2.0, name="two"), v1.Variable(3.0, name="three")
        examples = v1.placeholder(tf.string, [None], name="tf_example")
        parsed = v1.io.parse_example(
            examples,
            {
                "x": tf.io.FixedLenFeature([1], tf.float32),
                "x2": tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0]),
            },
        )
        x, x2 = tf.identity(parsed["x"], name="x"), tf.identity(parsed["x2"], name="x2")
        y = tf.identity(half * x + two, name="y")
        y2 = tf.identity(half * x + three, name="y2")
        y3 = tf.identity(half * x2 + three, name="y3")
        labels = tf.fill(tf.shape(y), "half")
        session.run(v1.global_variables_initializer())
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map={
                "serving_default": _signature({"x": x}, {"y": y}, "predict"),
                "regress_x_to_y": _signature({"inputs": examples}, {"outputs": y}, "regress"),
                "regress_x_to_y2": _signature({"inputs": examples}, {"outputs": y2}, "regress"),
                "regress_x2_to_y3": _signature({"inputs": x2}, {"outputs": y3}, "regress"),
                "classify_x_to_y": _signature({"inputs": examples}, {"scores": y}, "classify"),
                "classify_labels": _signature(
                    {"inputs": examples}, {"scores": y, "classes": labels}, "classify"
                ),
                "regress_matrix": _signature(
                    {"inputs": examples}, {"outputs": tf.concat([y, y], 1)}, "regress"
                ),
            },
        )
        builder.save()


def _signature(inputs: dict[str, tf.Tensor], outputs: dict[str, tf.Tensor], method: str) -> object:
    def infos(tensors: dict[str, tf.Tensor]) -> dict[str, object]:
        return {key: v1.saved_model.utils.build_tensor_info(t) for key, t in tensors.items()}

    return v1.saved_model.signature_def_utils.build_signature_def(
        infos(inputs), infos(outputs), f"tensorflow/serving/{method}"
    )


class HalfPlus(tf.Module):
    """y = x / 2 + addend, and the same from tf.Examples as TensorFlow 2 saves it."""

    def __init__(self, addend: float) -> None:
        super().__init__()
        self.half = tf.Variable(0.5)
        self.addend = tf.Variable(addend)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def predict(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": self.half * x + self.addend}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def from_examples(self, inputs: tf.Tensor) -> tf.Tensor:
        parsed = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([1], tf.float32)})
        return self.half * parsed["x"] + self.addend


def save_half_plus_three(folder: Path, addend: float = 3.0) -> None:
    model = HalfPlus(addend)
    classify = tf.function(
        lambda inputs: {"scores": model.from_examples(inputs)},
        input_signature=[tf.TensorSpec([None], tf.string, "inputs")],
    )
    regress = tf.function(
        lambda inputs: {"outputs": model.from_examples(inputs)},
        input_signature=[tf.TensorSpec([None], tf.string, "inputs")],
    )
    tf.saved_model.save(
        model,
        str(folder),
        signatures={
            "serving_default": model.predict,
            "classify_x_to_y": classify,
            "regress_x_to_y": regress,
        },
    )


class Kinds(tf.Module):
    """Signatures over other types and numbers of tensors."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def strings(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"upper": tf.strings.upper(text), "raw_bytes": tf.strings.join([text, b"\xff"])}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.int64, "number")])
    def integers(self, number: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "doubled": 2 * number,
            "small": tf.cast(number, tf.uint8),
            "even": number % 2 == 0,
            "half": tf.cast(number, tf.float16) / 2,
        }

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.float32, "a"),
            tf.TensorSpec([None], tf.float32, "b"),
        ]
    )
    def two(self, a: tf.Tensor, b: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"total": tf.reduce_sum(a, 1) + b, "scaled": a * b[:, None]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def image(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        sizes = tf.map_fn(
            lambda data: tf.shape(tf.io.decode_png(data))[:2],
            image_bytes,
            fn_output_signature=tf.int32,
        )
        return {"size": sizes}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "steps")])
    def slow(self, steps: tf.Tensor) -> dict[str, tf.Tensor]:
        value = tf.random.uniform([64, 64])
        for _ in tf.range(tf.reduce_max(steps)):
            value = tf.matmul(value, value) / 64
        return {"steps": steps + tf.cast(tf.reduce_sum(value) * 0, tf.int32)}


def save_kinds(folder: Path) -> None:
    model = Kinds()
    names = ("strings", "integers", "two", "image", "slow")
    tf.saved_model.save(
        model, str(folder), signatures={name: getattr(model, name) for name in names}
    )


def save_heavy(folder: Path) -> None:
    """y = x + w[0], where w takes 40 MB."""
    model = tf.Module()
    model.weights = tf.Variable(tf.random.normal([10_000_000]))
    model.add = tf.function(
        lambda x: {"y": x + model.weights[0]},
        input_signature=[tf.TensorSpec([None], tf.float32, "x")],
    )
    tf.saved_model.save(model, str(folder), signatures=model.add)


def save_tflite(folder: Path) -> None:
    """y = x / 2 + 2 as TensorFlow Lite, with a signature of its own."""
    folder.mkdir(parents=True)
    model = HalfPlus(2.0)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [model.predict.get_concrete_function()], model
    )
    (folder / "model.tflite").write_bytes(converter.convert())


def save_plain_tflite(folder: Path) -> bytes:
    """y = x / 2 + 2 as TensorFlow Lite, with no signature but its tensors' names."""
    folder.mkdir(parents=True)
    with v1.Session(graph=tf.Graph()) as session:
        x = v1.placeholder(tf.float32, [1, 1], name="x")
        y = tf.identity(0.5 * x + 2.0, name="y")
        content: bytes = v1.lite.TFLiteConverter.from_session(session, [x], [y]).convert()
    (folder / "model.tflite").write_bytes(content)
    return content
