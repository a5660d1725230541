"""Checks that a SavedModel makes itself, before anything else is computed.

TensorFlow Serving compares a request with its signature by names and types, not by ranks and sizes. A mask without its
channel axis then reaches an operation that aborts the process, and every other request with it. With these checks the
one request gets INVALID_ARGUMENT.
"""

from typing import Any

from cnnlg_tf.export.signatures import MISSING, SIGNATURES, Functions, Tensor, specs


def checked(functions: Functions, name: str) -> Any:
    """A signature's tf.function that checks ranks, sizes and values, and then calls the one without checks."""
    import tensorflow as tf

    def function(*arguments: Any) -> Any:
        named = dict(zip(SIGNATURES[name].inputs, arguments, strict=True))
        return functions[name](*checked_arguments(name, named).values())

    return tf.function(function, input_signature=specs(name), autograph=False)


def checked_arguments(signature: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a signature, as tensors that are not computed unless all checks hold."""
    import tensorflow as tf

    declared = SIGNATURES[signature].inputs
    loose = {name: _forget_shape(value) for name, value in arguments.items()}
    ranks = [_check_rank(name, loose[name], tensor) for name, tensor in declared.items()]
    with tf.control_dependencies(ranks):
        shapes = {name: _shape(value, declared[name]) for name, value in loose.items()}
    expected = _expected_shapes(shapes, declared)
    sizes = [check for name in declared for check in _check_sizes(name, shapes, expected, declared)]
    with tf.control_dependencies(sizes):
        # A reshape to what is there: the optimisers follow ranks backwards too, from a convolution to what it is given.
        shaped = {name: tf.reshape(value, expected[name]) for name, value in loose.items()}
    with tf.control_dependencies(_check_values(shaped, declared)):
        return {name: tf.identity(value) for name, value in shaped.items()}


def _forget_shape(value: Any) -> Any:
    """The same tensor, of which the graph knows nothing but its type.

    A placeholder's shape is a promise that a request need not keep, and the graph's optimisers believe it: the checks
    would be found to hold before any request came. What a condition returns can be of either branch's rank, and no
    argument has the other's.
    """
    import tensorflow as tf

    other = tf.zeros([0] * 7, value.dtype)
    return tf.cond(tf.size(value) >= 0, lambda: tf.identity(value), lambda: other)


def _check_rank(name: str, value: Any, tensor: Tensor) -> Any:
    import tensorflow as tf

    return tf.debugging.Assert(
        tf.equal(tf.rank(value), len(tensor.shape)) | (tensor.or_empty and tf.size(value) == 0),
        [f"{name} must be {tensor}. Received the shape", tf.shape(value)],
        summarize=8,
    )


def _shape(value: Any, tensor: Tensor) -> Any:
    """The shape of an argument; 0 x 0 x 0 x 3 of one without elements: JSON does not tell how many axes that has."""
    import tensorflow as tf

    shape = tf.shape(value)
    if not tensor.or_empty:
        return shape
    rank = len(tensor.shape)
    axes = tf.concat([shape, tf.zeros([rank], tf.int32)], axis=0)[:rank]
    return tf.where(tf.size(value) == 0, _nothing(tensor), axes)


def _nothing(tensor: Tensor) -> list[int]:
    return [size if isinstance(size, int) else 0 for size in tensor.shape]


def _expected_shapes(shapes: dict[str, Any], declared: dict[str, Tensor]) -> dict[str, Any]:
    """The shape that each argument must have: a named size is that of the first argument that has one of this name."""
    import tensorflow as tf

    sizes: dict[str, Any] = {}
    for name, tensor in declared.items():
        for axis, size in enumerate(tensor.shape):
            if isinstance(size, str):
                sizes.setdefault(size, shapes[name][axis])
    expected = {
        name: tf.stack([sizes[n] if isinstance(n, str) else n for n in tensor.shape])
        if tensor.shape
        else tf.zeros([0], tf.int32)
        for name, tensor in declared.items()
    }
    for name, tensor in declared.items():
        if tensor.or_empty:
            empty = tf.reduce_prod(shapes[name]) == 0
            expected[name] = tf.where(empty, _nothing(tensor), expected[name])
    return expected


def _check_sizes(
    name: str, shapes: dict[str, Any], expected: dict[str, Any], declared: dict[str, Tensor]
) -> list[Any]:
    """Fixed sizes are as declared, named ones above zero and the same in all arguments, but of what may be empty."""
    import tensorflow as tf

    tensor, shape = declared[name], shapes[name]
    text = f"{name} must be {tensor}"
    first = next(iter(declared))
    if name != first and "batch" in tensor.shape:
        text += f", like {first},"
    if tensor.or_empty:
        enough = tf.reduce_all(shape[1:3] >= tensor.least) | (tf.reduce_prod(shape) == 0)
        least = f"{name} must have sides of at least {tensor.least} pixels"
    else:
        enough, least = tf.reduce_all(shape > 0), f"{name} must have no side of 0"
    return [
        tf.debugging.Assert(
            tf.reduce_all(tf.equal(shape, expected[name])),
            [text, expected[name], "Received the shape", shape],
            summarize=8,
        ),
        tf.debugging.Assert(enough, [f"{least}. Received the shape", shape], summarize=8),
    ]


def _check_values(values: dict[str, Any], declared: dict[str, Tensor]) -> list[Any]:
    """Each argument lies in its range, an image where it is known. What a hole holds is never looked at."""
    import tensorflow as tf

    checks = []
    for name, tensor in declared.items():
        if tensor.values is None:
            continue
        value = values[name]
        if tensor.values.known_by is not None:
            value = tf.where(values[tensor.values.known_by] > MISSING, 0.0, value)
        checks.append(_check_range(f"{name} must {tensor.values}", value, *tensor.values.limits))
    if "sketch" in values:
        shapes = [tf.shape(values[name]) for name in ("sketch", "sketch_mask")]
        text = "sketch and sketch_mask must both be empty, or neither. Received the shapes"
        alike = tf.reduce_all(tf.equal(shapes[0][:3], shapes[1][:3]))
        checks.append(tf.debugging.Assert(alike, [text, *shapes], summarize=8))
    return checks


def _check_range(text: str, value: Any, least: float, most: float) -> Any:
    import tensorflow as tf

    inside = (value >= least) & (value <= most)  # NaN is neither
    wrong = tf.reduce_sum(tf.cast(~inside, tf.int64))
    finite = tf.where(tf.math.is_finite(value), value, 0.0)
    return tf.debugging.Assert(
        tf.equal(wrong, 0),
        [
            f"{text}, without NaN. Received values from",
            tf.reduce_min(finite),
            "to",
            tf.reduce_max(finite),
            "of which outside or NaN",
            wrong,
        ],
    )
