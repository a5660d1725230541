"""A SavedModel answers a wrong request with an error: run as TF-Serving runs it, in a session that checks no feeds."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.export.cases import arguments
from cnnlg_tf.export.checks import checked
from cnnlg_tf.export.signatures import Functions, available

Call = Callable[..., dict[str, np.ndarray]]


class LightModel:
    """Answers every signature as a CNNLG does, through convolutions, but computes next to nothing."""

    merge = damage_finder = True

    def paint(
        self,
        image: tf.Tensor,
        mask: tf.Tensor,
        detail: Any = 1.0,
        reference: Any = (),
        sketch: Any = (),
        sketch_mask: Any = (),
        seed: Any = (),
        temperature: Any = 0.0,
        compact: bool = True,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        said = [self._seen(x) for x in (reference, sketch) if tf.is_tensor(x)]
        colour = tf.add_n([self._seen(image), 0.1 * tf.cast(temperature, tf.float32), *said])
        return tf.where(mask > 0.5, tf.clip_by_value(detail * colour, 0.0, 1.0), image), 0.1 * mask

    repair = paint

    def sample(
        self, image: tf.Tensor, mask: tf.Tensor, seed: Any, temperature: Any, compact: bool = True
    ) -> tf.Tensor:
        return self.paint(image, mask, seed=seed, temperature=temperature)[0]

    def refine(
        self, image: tf.Tensor, mask: tf.Tensor, guide: tf.Tensor, **options: Any
    ) -> tf.Tensor:
        return self.paint(image, mask, **options)[0] + 0.0 * self._seen(guide)

    def find_damage(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        probability = tf.nn.conv2d(image, tf.fill([3, 3, 3, 1], 0.03), 1, "SAME")
        return probability, tf.round(probability)

    @staticmethod
    def _seen(image: tf.Tensor) -> tf.Tensor:
        """A number; a convolution of what has the wrong rank would end the process."""
        return 0.01 * tf.reduce_sum(tf.nn.conv2d(image, tf.fill([1, 1, 3, 1], 0.01), 1, "SAME"))


def save_light(folder: Path) -> Path:
    """A SavedModel of `LightModel` with all signatures of a CNNLG."""
    functions = Functions(LightModel())  # type: ignore[arg-type]
    names = available(functions.model)
    made = {name: checked(functions, name).get_concrete_function() for name in names}
    tf.saved_model.save(tf.Module(), str(folder), signatures=made)
    return folder


def served(by_default: str) -> pytest.MarkDecorator:
    """Of which SavedModel `call` is; that of a whole model takes minutes."""
    whole = pytest.param("saved_model", marks=pytest.mark.slow)
    return pytest.mark.parametrize("call", [by_default, whole], indirect=True)


@pytest.fixture(scope="module")
def call(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Call]:
    """Run a signature: call(name, **arguments) -> results by name."""
    if request.param == "light":
        folder = save_light(tmp_path_factory.mktemp("light") / "1")
    else:
        folder = request.getfixturevalue(request.param)
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    with graph.as_default():
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))

    def run(signature: str = "serving_default", **feeds: Any) -> dict[str, np.ndarray]:
        made = loaded.signature_def[signature]

        def handle(info: Any) -> Any:
            return graph.get_tensor_by_name(info.name)._as_tf_output()

        names = list(made.outputs)
        results = session._call_tf_sessionrun(
            None,
            {handle(made.inputs[name]): value for name, value in feeds.items()},
            [handle(made.outputs[name]) for name in names],
            [],
            None,
        )
        return dict(zip(names, results, strict=True))

    yield run
    session.close()


def request(*shape: int) -> dict[str, np.ndarray]:
    image = np.random.default_rng(0).random((*shape, 3), np.float32)
    mask = np.zeros((*shape, 1), np.float32)
    mask[:, 8:16, 8:20] = 1.0
    return {"image": image, "mask": mask}


GOOD = request(2, 32, 48)
IMAGE, MASK = GOOD["image"], GOOD["mask"]


def with_value(value: float, row: int) -> np.ndarray:
    """The image with one pixel changed: row 0 is known, row 8 in the hole."""
    image = IMAGE.copy()
    image[1, row, 10] = value
    return image


@served("plain_saved_model")
@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({"mask": MASK[..., 0]}, "mask must be float32 [batch, height, width, 1]."),
        ({"mask": MASK[0]}, "mask must be float32 [batch, height, width, 1]."),
        ({"mask": MASK[..., None]}, "Received the shape] [2 32 48 1 1]"),
        ({"mask": np.float32(1.0)}, "mask must be"),
        ({"image": IMAGE[..., 0]}, "image must be float32 [batch, height, width, 3]. Received the shape] [2 32 48]"),
        ({"image": IMAGE[0]}, "image must be"),
        ({"image": IMAGE[..., :1]}, "image must be float32 [batch, height, width, 3]"),
        ({"image": np.concatenate([IMAGE, MASK], -1)}, "image must be"),
        ({"mask": MASK[:, :31]}, "like image,] [2 32 48 1] [Received the shape] [2 31 48 1]"),
        ({"mask": MASK[:, :, :40]}, "like image"),
        ({"mask": MASK[:1]}, "like image"),
        ({"mask": np.repeat(MASK, 3, -1)}, "like image"),
        ({"image": IMAGE[:0], "mask": MASK[:0]}, "image must have no side of 0"),
        ({"image": IMAGE[:, :0], "mask": MASK[:, :0]}, "no side of 0"),
        ({"image": IMAGE[:, :, :0], "mask": MASK[:, :, :0]}, "no side of 0"),
        ({"image": 255.0 * IMAGE}, "image must lie in [0, 1] where it is known, without NaN"),
        ({"image": 2.0 * IMAGE - 1.0}, "image must lie in [0, 1]"),
        ({"image": with_value(np.nan, row=0)}, "of which outside or NaN] [3]"),
        ({"image": with_value(np.inf, row=0)}, "image must lie in [0, 1]"),
        ({"mask": 255.0 * MASK}, "mask must lie in [0, 1], without NaN. Received values from] [0] [to] [255]"),
        ({"mask": MASK * np.float32(np.nan)}, "mask must lie in [0, 1]"),
        ({"mask": -MASK}, "mask must lie in [0, 1]"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_an_invalid_argument(
    call: Call, feeds: dict[str, Any], message: str
) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        call(**(GOOD | feeds))
    assert message in str(caught.value)
    assert call(**GOOD)["repaired"].shape == IMAGE.shape  # and the next one is served


@served("light")
@pytest.mark.parametrize(
    ("signature", "feeds", "message"),
    [
        ("sample", {"seed": np.zeros(3, np.int32)}, "seed must be int32 [2]"),
        ("sample", {"seed": np.zeros((1, 2), np.int32)}, "seed must be int32 [2]"),
        ("sample", {"temperature": np.ones(1, np.float32)}, "temperature must be float32 []"),
        ("sample", {"temperature": np.float32(-1.0)}, "temperature must be 0 or more"),
        ("sample", {"temperature": np.float32(np.nan)}, "temperature must be 0 or more"),
        ("sample", {"mask": MASK[..., 0]}, "mask must be float32"),
        ("refine", {"guide": IMAGE[:, :31]}, "like image,] [2 32 48 3] [Received the shape] [2 31 48 3]"),
        ("refine", {"guide": IMAGE * np.float32(np.nan)}, "guide must lie in [0, 1]"),
        ("refine", {"detail": np.float32(2.5)}, "detail must lie in [0, 2], without NaN. Received values from] [2.5]"),
        ("refine", {"detail": np.ones(1, np.float32)}, "detail must be float32 []"),
        ("refine", {"reference": IMAGE[0]}, "reference must be float32 [references, reference_height >= 16,"),
        ("refine", {"reference": IMAGE[:, :8]}, "sides of at least 16 pixels. Received the shape] [2 8 48 3]"),
        ("paint", {"sketch": IMAGE[:, :31]}, "sketch must be float32 [batch, height, width, 3] or empty, like image,]"),
        ("paint", {"sketch": IMAGE[0]}, "sketch must be float32 [batch, height, width, 3] or empty."),
        ("paint", {"sketch": IMAGE[:0]}, "sketch and sketch_mask must both be empty, or neither"),
        ("paint", {"sketch_mask": 2.0 * MASK}, "sketch_mask must lie in [0, 1]"),
        ("paint", {"sketch": IMAGE + 1.0}, "sketch must lie in [0, 1]"),
        ("paint", {"reference": IMAGE[:, :, :15]}, "reference must have sides of at least 16 pixels"),
        ("paint", {"seed": np.zeros(3, np.int32)}, "seed must be int32 [2]"),
        ("refine", {"reference": IMAGE + 1.0}, "reference must be at most 1, without NaN"),
        ("refine", {"reference": IMAGE * np.float32(np.nan)}, "reference must be at most 1"),
        ("find_damage", {"image": IMAGE[0]}, "image must be float32"),
        ("find_damage", {"image": 255.0 * IMAGE}, "image must lie in [0, 1], without NaN"),
    ],
)  # fmt: skip
def test_the_other_signatures_check_too(
    call: Call, signature: str, feeds: dict[str, Any], message: str
) -> None:
    good = arguments(signature, IMAGE, MASK)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        call(signature, **(good | feeds))
    assert message in str(caught.value)
    assert call(signature, **good)


@served("light")
@pytest.mark.parametrize("shape", [(0,), (0, 0, 0, 3), (2, 0, 0, 3), (0, 16, 16, 3)])
def test_what_is_empty_may_have_any_shape(call: Call, shape: tuple[int, ...]) -> None:
    """JSON writes them all as []."""
    given = arguments("paint", IMAGE, MASK) | {"temperature": np.float32(0.0)}
    nothing = np.zeros(shape, np.float32)
    empty = {"sketch": nothing, "sketch_mask": nothing[..., :1], "reference": nothing}
    plain, painted = call(**GOOD), call("paint", **(given | empty))
    for name in ("repaired", "uncertainty"):
        np.testing.assert_array_equal(painted[name], plain[name])


@served("plain_saved_model")
def test_encoded_requests_are_checked(call: Call) -> None:
    photo = tf.io.encode_png((255 * IMAGE[0]).astype(np.uint8)).numpy()
    mask = tf.io.encode_png((255 * MASK[0]).astype(np.uint8)).numpy()
    wrong: list[tuple[Any, Any]] = [
        (np.array([photo], object), np.array([mask, mask], object)),
        (np.array([[photo]], object), np.array([[mask]], object)),
        (np.array([photo], object), np.array([b""], object)),
        (np.array([b"no image"], object), np.array([mask], object)),
        (np.array([photo[: len(photo) // 2]], object), np.array([mask], object)),
        (np.array([], object), np.array([], object)),
    ]
    for image_bytes, mask_bytes in wrong:
        with pytest.raises(tf.errors.InvalidArgumentError):
            call("inpaint_bytes", image_bytes=image_bytes, mask_bytes=mask_bytes)
    good = {"image_bytes": np.array([photo], object), "mask_bytes": np.array([mask], object)}
    assert call("inpaint_bytes", **good)["repaired_bytes"].shape == (1,)


@served("plain_saved_model")
def test_what_rounding_adds_is_taken(call: Call) -> None:
    image = np.float32(1.0005) * np.ones_like(IMAGE)
    assert np.array_equal(
        call(**(GOOD | {"image": image}))["repaired"][MASK[..., 0] == 0], image[MASK[..., 0] == 0]
    )


def encoded(pixels: np.ndarray) -> bytes:
    return bytes(tf.io.encode_png(pixels).numpy())


@pytest.mark.parametrize("missing", [1, 77, 255])
def test_masks_in_files_mean_what_they_mean_elsewhere(missing: int) -> None:
    from cnnlg_tf.export.encoded import decode_mask

    hole = np.zeros((8, 9, 1), bool)
    hole[2:4, 3:] = True
    grey = np.where(hole, np.uint8(missing), np.uint8(0))
    white = np.full((8, 9, 3), 255, np.uint8)
    files = [
        encoded(grey),
        encoded(np.repeat(grey, 3, -1)),
        encoded(grey.astype(np.uint16)),
        encoded(np.concatenate([white, grey], -1)),  # strokes in alpha
    ]
    for contents in files:
        assert np.array_equal(decode_mask(tf.constant(contents)), hole)
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    assert np.array_equal(decode_mask(tf.constant(encoded(ramp))), ramp > 127)
    assert not np.any(decode_mask(tf.constant(encoded(0 * ramp))))
    assert np.all(decode_mask(tf.constant(encoded(0 * ramp + missing))))
