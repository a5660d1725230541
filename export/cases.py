"""What exports are tried on: photos or drawn pictures with holes, as arguments of each signature."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

import cnnlg_tf
from cnnlg_tf.errors import ExportError
from cnnlg_tf.export.signatures import PIXELS, SIGNATURES, Functions

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

SHAPES = ((1, 192, 256), (2, 130, 170))
"""(batch, height, width) of the cases of the report; the second is no multiple of 16."""
DRAWN_SHAPES = ((1, 64, 80), (2, 112, 72))
"""The same of the drawn pictures that end every export."""
THICK_SHAPE = (1, 300, 280)
"""One more for `pixels`: its hole is so thick that it is decoded at half the size."""
PHOTOS = 8
EXAMPLES = Path(cnnlg_tf.__file__).parent / "examples"


@dataclass(frozen=True)
class Case:
    """A signature's arguments, and what the Keras model makes of them."""

    signature: str
    inputs: dict[str, np.ndarray]
    expected: dict[str, np.ndarray]


def read_photos(folder: str | Path | None, count: int = PHOTOS, skip: int = 0) -> list[np.ndarray]:
    """Photos as float32 [height, width, 3] in [0, 1]: `count` of a folder after the first `skip`, or example crops.

    Raises:
        DataError: the folder has no photos, or one cannot be read.
        ExportError: it has fewer than `count` + `skip`.
    """
    from cnnlg_tf.data.photos import list_photos
    from cnnlg_tf.photos import decode_photo, to_unit

    if folder is None:
        files = sorted(EXAMPLES.glob("*.jpg"))
        whole = [decode_photo(p.read_bytes(), p.name).on_white() for p in files]
        crops = [crop for photo in whole for crop in _quarters(photo)]
        return [to_unit(crop) for crop in (crops[skip:] + crops[:skip])[:count]]
    paths = list_photos(Path(folder))
    if len(paths) < count + skip:
        raise ExportError(
            f"{folder} must hold at least {count + skip} photos. Received: {len(paths)}"
        )
    chosen = paths[skip : skip + count]
    return [to_unit(decode_photo(p.read_bytes(), p.name).on_white()) for p in chosen]


def make_cases(model: "CNNLG", photos: list[np.ndarray], names: list[str]) -> list[Case]:
    """Every photo at both sizes, in batches of both lengths, with holes, for each of the named signatures."""
    made, functions = [], Functions(model)
    for batch, height, width in SHAPES:
        for start in range(0, len(photos) - batch + 1, batch):
            image = np.stack([resize(p, height, width) for p in photos[start : start + batch]])
            mask = np.stack([hole_for(height, width, start + i) for i in range(batch)])
            made += [_case(functions, name, arguments(name, image, mask)) for name in names]
    return made


def drawn_cases(functions: Functions, name: str) -> list[Case]:
    """Drawn pictures of DRAWN_SHAPES for a signature, and the first again without what may be empty.

    Two pictures of the functions' shape, where they take no other.
    """
    shapes = [*DRAWN_SHAPES, THICK_SHAPE] if name == PIXELS else [*DRAWN_SHAPES]
    if functions.shape is not None:
        shapes = [functions.shape, functions.shape]
    drawn = [drawn_case(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    made = [_case(functions, name, arguments(name, image, mask)) for image, mask in drawn]
    if any(tensor.or_empty for tensor in SIGNATURES[name].inputs.values()):
        made.append(_case(functions, name, emptied(name, made[0].inputs)))
    return made


def arguments(name: str, image: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    """Each argument of a signature, made of a batch of photos and their holes (float32, [b, h, w, 3] and [.., 1]).

    A signature of 8 bits takes the first photo of the batch.
    """
    if name == PIXELS:
        image, mask = (np.round(255.0 * values[:1]).astype(np.uint8) for values in (image, mask))
    examples: dict[str, Callable[[], np.ndarray]] = {
        "image": lambda: image,
        "mask": lambda: mask,
        "guide": lambda: np.stack([_coarse(photo) for photo in image]),
        "detail": lambda: np.array(1.0, np.float32),
        "reference": lambda: np.ascontiguousarray(image[:1, :, ::-1]),
        "sketch": lambda: np.ascontiguousarray(image[:, ::-1] * _strokes(mask)),
        "sketch_mask": lambda: _strokes(mask),
        "seed": lambda: np.array([3, 5], np.int32),
        "temperature": lambda: np.array(1.0, np.float32),
        "image_bytes": lambda: _encoded(image),
        "mask_bytes": lambda: _encoded(mask[..., 0]),
    }
    return {argument: examples[argument]() for argument in SIGNATURES[name].inputs}


def emptied(name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same arguments with nothing in those that may be empty."""
    may = {argument for argument, tensor in SIGNATURES[name].inputs.items() if tensor.or_empty}
    return {
        argument: np.zeros((0, 0, 0, value.shape[-1]), np.float32) if argument in may else value
        for argument, value in inputs.items()
    }


def _strokes(mask: np.ndarray) -> np.ndarray:
    """Some lines in the holes: 1 = a stroke."""
    lines = np.zeros_like(mask)
    lines[:, ::12], lines[:, :, 5::24] = 1.0, 1.0
    return np.asarray(lines * mask)


def _case(functions: Functions, name: str, inputs: dict[str, np.ndarray]) -> Case:
    results = functions.traced(name)(*inputs.values())
    return Case(name, inputs, {key: value.numpy() for key, value in results.items()})


def _coarse(photo: np.ndarray) -> np.ndarray:
    """A photo as it is after it was half as large."""
    height, width = photo.shape[:2]
    small = resize(photo, max(1, height // 2), max(1, width // 2))
    return resize(small, height, width)


def _encoded(images: np.ndarray) -> np.ndarray:
    """PNG files, objects [batch]."""
    files = []
    for image in images:
        buffer = io.BytesIO()
        Image.fromarray(np.round(255.0 * image).astype(np.uint8)).save(buffer, "PNG")
        files.append(buffer.getvalue())
    return np.array(files, object)


def resize(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """A photo squeezed to a size, on the 8-bit grid."""
    image = Image.fromarray(np.round(255.0 * photo).astype(np.uint8))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), np.float32) / 255.0


def drawn_case(batch: int, height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth pictures with grain on the 8-bit grid, with holes: float32 image and mask."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    phase = rng.uniform(0.0, 6.28, (batch, 1, 1, 3))
    waves = np.sin(x[None, ..., None] / 9.0 + phase) + np.cos(y[None, ..., None] / 7.0 - phase)
    image = np.clip(0.5 + 0.2 * waves + rng.normal(0.0, 0.02, waves.shape), 0.0, 1.0)
    mask = np.stack([hole_for(height, width, seed + i) for i in range(batch)])
    return (np.round(255.0 * image) / 255.0).astype(np.float32), mask


def hole_for(height: int, width: int, seed: int) -> np.ndarray:
    """A box and a stroke somewhere in a picture: float32 [height, width, 1], 1 = missing."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width, 1), np.float32)
    top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
    mask[top : top + height // 4, left : left + width // 4] = 1.0
    column = rng.integers(0, width - width // 32 - 1)
    mask[height // 8 : height - height // 8, column : column + width // 32 + 1] = 1.0
    return mask


def _quarters(photo: np.ndarray) -> list[np.ndarray]:
    rows, columns = photo.shape[0] // 2, photo.shape[1] // 2
    return [photo[y : y + rows, x : x + columns] for y in (0, rows) for x in (0, columns)]
