"""What every export takes and gives: tensor names, shapes and types, and the functions behind them.

Each exporter starts from `serving_functions`, so that all formats agree on names and meaning. Images are float32 RGB in
[0, 1]; masks are float32 with 1 = missing; batch, height and width are free.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

Shape = tuple[int | str, ...]


@dataclass(frozen=True)
class Tensor:
    """One argument or result: its element type and its shape, free sizes by name."""

    dtype: str
    shape: Shape

    def __str__(self) -> str:
        return f"{self.dtype} [{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Signature:
    """The arguments and results of one exported function, in order."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]

    def describe(self) -> dict[str, dict[str, str]]:
        """Plain values for a manifest, like {"inputs": {"image": "float32 [batch, height, width, 3]"}}."""
        return {
            side: {name: str(tensor) for name, tensor in tensors.items()}
            for side, tensors in (("inputs", self.inputs), ("outputs", self.outputs))
        }


IMAGE = Tensor("float32", ("batch", "height", "width", 3))
MAP = Tensor("float32", ("batch", "height", "width", 1))
ENCODED = Tensor("string", ("batch",))

DEFAULT = "serving_default"
SIGNATURES = {
    DEFAULT: Signature({"image": IMAGE, "mask": MAP}, {"repaired": IMAGE, "uncertainty": MAP}),
    "inpaint_bytes": Signature(
        {"image_bytes": ENCODED, "mask_bytes": ENCODED}, {"repaired_bytes": ENCODED}
    ),
    "sample": Signature(
        {
            "image": IMAGE,
            "mask": MAP,
            "seed": Tensor("int32", (2,)),
            "temperature": Tensor("float32", ()),
        },
        {"repaired": IMAGE},
    ),
    "find_damage": Signature({"image": IMAGE}, {"mask_probability": MAP, "mask": MAP}),
}


def available(model: "CNNLG") -> list[str]:
    """Names of the signatures that this model can serve: `find_damage` needs the damage finder."""
    return [name for name in SIGNATURES if name != "find_damage" or model.damage_finder is not None]


def serving_functions(
    model: "CNNLG", names: list[str] | None = None, *, checked: bool = False
) -> dict[str, Any]:
    """tf.functions of the named signatures (all available ones when None): tensors in, a dict of results out.

    Args:
        checked: the graphs check ranks, sizes and values themselves (`checks`), which only TensorFlow can do.
    """
    import tensorflow as tf

    from cnnlg_tf.export.checks import checked_arguments

    def serving_default(image: Any, mask: Any) -> dict[str, Any]:
        repaired, uncertainty = model.repair(image, mask)
        return {"repaired": repaired, "uncertainty": uncertainty}

    def inpaint_bytes(image_bytes: Any, mask_bytes: Any) -> dict[str, Any]:
        return {"repaired_bytes": _repair_encoded(functions[DEFAULT], image_bytes, mask_bytes)}

    def sample(image: Any, mask: Any, seed: Any, temperature: Any) -> dict[str, Any]:
        return {"repaired": model.sample(image, mask, seed, temperature)}

    def find_damage(image: Any) -> dict[str, Any]:
        probability, mask = model.find_damage(image)
        return {"mask_probability": probability, "mask": mask}

    def make(body: Callable[..., Any]) -> Any:
        def function(*arguments: Any) -> dict[str, Any]:
            named = dict(zip(SIGNATURES[body.__name__].inputs, arguments, strict=True))
            results: dict[str, Any] = body(
                **(checked_arguments(body.__name__, named) if checked else named)
            )
            return results

        return tf.function(function, input_signature=_specs(body.__name__), autograph=False)

    bodies = (serving_default, inpaint_bytes, sample, find_damage)
    functions = {body.__name__: make(body) for body in bodies}
    return {name: functions[name] for name in names or available(model)}


def _specs(name: str) -> list[Any]:
    import tensorflow as tf

    return [
        tf.TensorSpec([None if isinstance(n, str) else n for n in t.shape], t.dtype, name=argument)
        for argument, t in SIGNATURES[name].inputs.items()
    ]


def _repair_encoded(repair: Callable[..., Any], image_bytes: Any, mask_bytes: Any) -> Any:
    """Repair photos one after another, as they may differ in size: string [batch] twice -> PNG, string [batch]."""
    import tensorflow as tf

    def repair_pair(pair: tuple[Any, Any]) -> Any:
        image, missing = _decode(pair[0]), _decode_mask(pair[1])
        same = tf.debugging.assert_equal(
            tf.shape(missing)[:2],
            tf.shape(image)[:2],
            "mask_bytes must be an image as high and wide as that of image_bytes",
        )
        with tf.control_dependencies([same]):
            hole = tf.cast(missing, tf.float32)
        result = repair(tf.cast(image, tf.float32)[None] / 255.0, hole[None])
        painted = tf.cast(tf.round(255.0 * result["repaired"][0]), tf.uint8)
        return tf.io.encode_png(tf.where(hole > 0.5, painted, image))

    return tf.map_fn(
        repair_pair,
        (image_bytes, mask_bytes),
        fn_output_signature=tf.TensorSpec([], tf.string),
        parallel_iterations=1,  # one photo's memory at a time
    )


def _decode(contents: Any) -> Any:
    """uint8 [height, width, 3] of a JPEG, PNG, WebP, BMP or GIF file, told apart by its first bytes."""
    import tensorflow as tf

    # WebP and GIF files decode to colours only: ask for three channels from every format.
    image = tf.io.decode_image(contents, channels=3, expand_animations=False)
    image.set_shape([None, None, 3])
    return image


def _decode_mask(contents: Any) -> Any:
    """bool [height, width, 1], True = missing, by the rule of `cnnlg_tf.photos` for masks.

    What counts is how bright and opaque a pixel is. Of two levels the brighter is missing; of more, half and above.
    """
    import tensorflow as tf

    def with_alpha() -> Any:
        levels = tf.cast(tf.io.decode_png(contents, channels=4, dtype=tf.uint16), tf.float32)
        return tf.reduce_max(levels[..., :3], axis=-1, keepdims=True) * levels[..., 3:] / 65535.0

    def without() -> Any:
        return tf.cast(tf.reduce_max(_decode(contents), axis=-1, keepdims=True), tf.float32) * 257.0

    is_png = tf.equal(tf.strings.substr(contents, 0, 8), b"\x89PNG\r\n\x1a\n")
    bright = tf.cond(is_png, with_alpha, without)
    bright.set_shape([None, None, 1])
    most, least = tf.reduce_max(bright), tf.reduce_min(bright)
    two_levels = tf.reduce_all((bright == most) | (bright == least))
    threshold = tf.where(two_levels, most, 0.5 * 65535.0)
    return (bright >= threshold) & (bright > 0.0)
