"""The table of signatures: what an export can be asked for, in which formats, and what computes it.

To add one, add a row to SIGNATURES, with a function of this file, and an example of each new kind of argument to
`cases.arguments`. Every exporter, the parity checks, the warm-up requests and the manifest follow the table.

Images are float32 RGB in [0, 1]; masks are float32 with 1 = missing; sizes that have names are free.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

Shape = tuple[int | str, ...]
Sizes = tuple[int, int, int]
"""(batch, height, width)."""
_LOWEST = -3.4028234663852886e38
"""Of float32's finite numbers."""
ROUNDING = 1e-3
"""How far beyond [0, 1] rounding may bring a picture's values."""
MISSING = 0.5
"""A mask above this says that a pixel is missing."""


@dataclass(frozen=True)
class Range:
    """Values that an argument may have; None: any finite number. NaN is in no range.

    known_by: the argument with 1 = missing, where this one may hold anything; None: it counts everywhere.
    tolerance: how far beyond the ends rounding may bring a value.
    """

    least: float | None
    most: float | None
    known_by: str | None = None
    tolerance: float = 0.0

    def __str__(self) -> str:
        if self.least is None:
            text = f"be at most {self.most:g}"
        elif self.most is None:
            text = f"be {self.least:g} or more"
        else:
            text = f"lie in [{self.least:g}, {self.most:g}]"
        return text + (" where it is known" if self.known_by else "")

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest value, with the tolerance, as float32 has them."""
        least = _LOWEST if self.least is None else self.least - self.tolerance
        return least, -_LOWEST if self.most is None else self.most + self.tolerance


@dataclass(frozen=True)
class Tensor:
    """One argument or result: its element type, its shape with free sizes by name, and its values.

    or_empty: an argument that may have no elements, which says nothing; least: pixels of an image's sides.
    """

    dtype: str
    shape: Shape
    values: Range | None = None
    or_empty: bool = False
    least: int = 1

    def __str__(self) -> str:
        sizes = [str(size) for size in self.shape]
        if self.least > 1:
            sizes[1:3] = [f"{size} >= {self.least}" for size in sizes[1:3]]
        text = f"{self.dtype} [{', '.join(sizes)}]"
        return f"{text} or empty" if self.or_empty else text


@dataclass(frozen=True)
class Signature:
    """One exported function.

    inputs, outputs: its arguments and results in order; parity looks at the first result.
    compute: (Functions, one tensor an argument) -> results by name.
    everywhere: every format has it; False: the SavedModel alone.
    alone: it is for an export of its own, and repairs whole photos.
    offered: whether a model can compute it.
    """

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    compute: Callable[..., dict[str, Any]]
    everywhere: bool = False
    alone: bool = False
    offered: Callable[["CNNLG"], bool] = lambda model: True

    @property
    def result(self) -> str:
        """The name of the first result."""
        return next(iter(self.outputs))

    def describe(self) -> dict[str, dict[str, str]]:
        """Plain values for a manifest, like {"inputs": {"image": "float32 [batch, height, width, 3]"}}."""
        return {
            side: {name: str(tensor) for name, tensor in tensors.items()}
            for side, tensors in (("inputs", self.inputs), ("outputs", self.outputs))
        }

    def ranges(self) -> dict[str, dict[str, Any]]:
        """Plain values for a manifest: the range of each argument that has one."""
        return {
            name: asdict(tensor.values)
            for name, tensor in self.inputs.items()
            if tensor.values is not None
        }


class Functions:
    """A model's signatures as tf.functions, each made when first asked for.

    Args:
        compact: False for runtimes without sizes that depend on data (TensorRT): the synthesis then judges every
            position of the photo, and not only those in the hole; what it lays is the same.
        shape: (batch, height, width) that is the only one taken; None: any.
    """

    def __init__(self, model: "CNNLG", *, compact: bool = True, shape: Sizes | None = None) -> None:
        self.model = model
        self.compact = compact
        self.shape = shape
        self._made: dict[str, Any] = {}
        self._written_out: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def written_out(self, name: str) -> Any:
        """The same without loops, for converters: they rewrite and round what a graph holds, not its loops' bodies."""
        from cnnlg_tf.models.loops import unrolled

        if name not in self._written_out:
            with unrolled():
                made = self._make(name)
                made.get_concrete_function()
            self._written_out[name] = made
        return self._written_out[name]

    def traced(self, name: str) -> Any:
        """Either of both, that which is traced already if there is one: their results are alike."""
        return self._written_out.get(name) or self[name]

    def _make(self, name: str) -> Any:
        import tensorflow as tf

        signature = SIGNATURES[name]

        def function(*arguments: Any) -> dict[str, Any]:
            named = dict(zip(signature.inputs, arguments, strict=True))
            return signature.compute(self, **named)

        return tf.function(function, input_signature=specs(name, self.shape), autograph=False)


def _repair(functions: Functions, image: Any, mask: Any) -> dict[str, Any]:
    repaired, uncertainty = functions.model.repair(image, mask, compact=functions.compact)
    return {"repaired": repaired, "uncertainty": uncertainty}


def _paint(functions: Functions, **arguments: Any) -> dict[str, Any]:
    repaired, uncertainty = functions.model.paint(**arguments, compact=functions.compact)
    return {"repaired": repaired, "uncertainty": uncertainty}


def _refine(functions: Functions, **arguments: Any) -> dict[str, Any]:
    return {"repaired": functions.model.refine(**arguments, compact=functions.compact)}


def _inpaint_bytes(functions: Functions, image_bytes: Any, mask_bytes: Any) -> dict[str, Any]:
    from cnnlg_tf.export.encoded import repair_encoded

    return {"repaired_bytes": repair_encoded(functions[DEFAULT], image_bytes, mask_bytes)}


def _sample(
    functions: Functions, image: Any, mask: Any, seed: Any, temperature: Any
) -> dict[str, Any]:
    model, compact = functions.model, functions.compact
    return {"repaired": model.sample(image, mask, seed, temperature, compact=compact)}


def _find_damage(functions: Functions, image: Any) -> dict[str, Any]:
    probability, mask = functions.model.find_damage(image)
    return {"mask_probability": probability, "mask": mask}


def _repair_photo(functions: Functions, image: Any, mask: Any) -> dict[str, Any]:
    from cnnlg_tf.models.whole_photo import repair_photo

    return {"repaired": repair_photo(functions.model, image, mask, functions.compact)}


def _lays_pixels(model: "CNNLG") -> bool:
    return model.merge is not None


def _finds_damage(model: "CNNLG") -> bool:
    return model.damage_finder is not None


IMAGE = Tensor("float32", ("batch", "height", "width", 3))
MAP = Tensor("float32", ("batch", "height", "width", 1))
PHOTO_TO_REPAIR = replace(IMAGE, values=Range(0, 1, known_by="mask", tolerance=ROUNDING))
WHOLE_PHOTO = replace(IMAGE, values=Range(0, 1, tolerance=ROUNDING))
MASK = replace(MAP, values=Range(0, 1, tolerance=ROUNDING))
SKETCH = replace(WHOLE_PHOTO, or_empty=True)
STROKES = replace(MASK, or_empty=True)
"""1 = a stroke of the sketch; without any there is no sketch."""
REFERENCE = Tensor(
    "float32",
    ("references", "reference_height", "reference_width", 3),
    Range(None, 1, tolerance=ROUNDING),
    or_empty=True,
    least=16,
)
"""Photos to copy from, for the whole batch; below 0 there is nothing, and photos of nothing are none."""
DETAIL = Tensor("float32", (), Range(0, 2))
TEMPERATURE = Tensor("float32", (), Range(0, None))
SEED = Tensor("int32", (2,))
ENCODED = Tensor("string", ("batch",))
PHOTO = Tensor("uint8", (1, "height", "width", 3))
HOLE = Tensor("uint8", (1, "height", "width", 1))
"""255 = missing."""

SAID = {"sketch": SKETCH, "sketch_mask": STROKES, "reference": REFERENCE, "detail": DETAIL}
"""Of how the hole is filled."""

DEFAULT = "serving_default"
PAINT, REFINE, SAMPLE, FIND_DAMAGE = "paint", "refine", "sample", "find_damage"
PIXELS = "pixels"
SIGNATURES = {
    DEFAULT: Signature(
        {"image": PHOTO_TO_REPAIR, "mask": MASK},
        {"repaired": IMAGE, "uncertainty": MAP},
        _repair,
        everywhere=True,
    ),
    PAINT: Signature(
        {
            "image": PHOTO_TO_REPAIR,
            "mask": MASK,
            **SAID,
            "seed": SEED,
            "temperature": TEMPERATURE,
        },
        {"repaired": IMAGE, "uncertainty": MAP},
        _paint,
        everywhere=True,
        offered=_lays_pixels,
    ),
    REFINE: Signature(
        {"image": PHOTO_TO_REPAIR, "mask": MASK, "guide": WHOLE_PHOTO, **SAID},
        {"repaired": IMAGE},
        _refine,
        everywhere=True,
        offered=_lays_pixels,
    ),
    "inpaint_bytes": Signature(
        {"image_bytes": ENCODED, "mask_bytes": ENCODED},
        {"repaired_bytes": ENCODED},
        _inpaint_bytes,
    ),
    SAMPLE: Signature(
        {"image": PHOTO_TO_REPAIR, "mask": MASK, "seed": SEED, "temperature": TEMPERATURE},
        {"repaired": IMAGE},
        _sample,
    ),
    FIND_DAMAGE: Signature(
        {"image": WHOLE_PHOTO},
        {"mask_probability": MAP, "mask": MAP},
        _find_damage,
        offered=_finds_damage,
    ),
    PIXELS: Signature(
        {"image": PHOTO, "mask": HOLE},
        {"repaired": PHOTO},
        _repair_photo,
        alone=True,
    ),
}


def available(model: "CNNLG", *, everywhere: bool = False) -> list[str]:
    """Names of the signatures that an export of this model has; `everywhere`: of those that every format has."""
    return [
        name
        for name, signature in SIGNATURES.items()
        if signature.offered(model)
        and not signature.alone
        and (signature.everywhere or not everywhere)
    ]


def artefact(name: str, suffix: str) -> str:
    """The file of a signature, in formats of one graph a file: model.onnx for the default, else refine.onnx."""
    return f"model{suffix}" if name == DEFAULT else f"{name}{suffix}"


def specs(name: str, shape: Sizes | None = None) -> list[Any]:
    """A tf.TensorSpec for each argument of a signature; `shape`: (batch, height, width) that is not free."""
    import tensorflow as tf

    sizes = dict(zip(("batch", "height", "width"), shape or (), strict=bool(shape)))
    return [
        tf.TensorSpec(
            [sizes.get(n) if isinstance(n, str) else n for n in t.shape], t.dtype, name=argument
        )
        for argument, t in SIGNATURES[name].inputs.items()
    ]
