"""Photos, masks and seeds as inputs of the model's signatures, and its outputs as results."""

from typing import Any, NamedTuple

import numpy as np

from cnnlg_tf.errors import ImageError, MaskError, ServingError
from cnnlg_tf.serving.client.metadata import Array, Arrays

_HALF = 2**32
_LEAST_REFERENCE = 16  # pixels


class RepairOutputs(NamedTuple):
    """`repaired` [..., height, width, 3] in [0, 1]; `uncertainty` [..., 1], standard deviations."""

    repaired: Array
    uncertainty: Array


class DamageOutputs(NamedTuple):
    """`mask_probability` in [0, 1] and `mask` (1 = missing), both [..., height, width, 1]."""

    mask_probability: Array
    mask: Array


def repair_inputs(image: Any, mask: Any) -> dict[str, Any]:
    """Inputs of the signature `serving_default`."""
    photo = photo_batch(image)
    return {"image": photo, "mask": mask_batch(mask, photo)}


def sample_inputs(image: Any, mask: Any, seed: int, temperature: float) -> dict[str, Any]:
    """Inputs of the signature `sample`."""
    return {
        **repair_inputs(image, mask),
        "seed": seed_pair(seed),
        "temperature": np.float32(temperature),
    }


def refine_inputs(
    image: Any,
    mask: Any,
    guide: Any,
    detail: float,
    reference: Any,
    sketch: Any,
    sketch_mask: Any,
) -> dict[str, Any]:
    """Inputs of the signature `refine`."""
    inputs = repair_inputs(image, mask)
    enlarged = photo_batch(guide, "guide")
    if enlarged.shape != inputs["image"].shape:
        raise ImageError(
            f"guide must be {inputs['image'].shape[1:]} like the image. "
            f"Received: guide.shape={np.shape(guide)}"
        )
    return {
        **inputs,
        "guide": enlarged,
        **_said(inputs["image"], detail, reference, sketch, sketch_mask),
    }


def paint_inputs(
    image: Any,
    mask: Any,
    sketch: Any,
    sketch_mask: Any,
    reference: Any,
    detail: float,
    seed: int,
    temperature: float,
) -> dict[str, Any]:
    """Inputs of the signature `paint`."""
    inputs = sample_inputs(image, mask, seed, temperature)
    return inputs | _said(inputs["image"], detail, reference, sketch, sketch_mask)


def as_repair(image: Any, outputs: Arrays) -> RepairOutputs:
    """Outputs of `serving_default`, batched as `image` was."""
    return RepairOutputs(
        as_output(image, outputs, "repaired"), as_output(image, outputs, "uncertainty")
    )


def as_damage(image: Any, outputs: Arrays) -> DamageOutputs:
    """Outputs of `find_damage`, batched as `image` was."""
    probability = as_output(image, outputs, "mask_probability")
    return DamageOutputs(probability, as_output(image, outputs, "mask"))


def photo_batch(image: Any, name: str = "image") -> Array:
    """float32 [batch, height, width, 3] in [0, 1].

    The image may be floats in [0, 1] or uint8, with or without the batch axis. `name`: for errors.

    Raises:
        ImageError: another shape, dtype or range.
    """
    array = _unit_floats(image, name, ImageError)
    if array.ndim not in (3, 4) or array.shape[-1] != 3 or array.size == 0:
        raise ImageError(
            f"{name} must be [height, width, 3] or [batch, height, width, 3]. "
            f"Received: {name}.shape={np.shape(image)}"
        )
    return array if array.ndim == 4 else array[np.newaxis]


def mask_batch(mask: Any, photo: Array, name: str = "mask") -> Array:
    """float32 [batch, height, width, 1], 1 = missing, from a mask of `photo_batch`'s result.

    The mask may be bool, floats in [0, 1] or uint8 (0 and 255, or 0 and 1), with or without the
    batch and channel axes. One mask serves a whole batch.

    Raises:
        MaskError: another shape, dtype or range.
    """
    array = np.asarray(mask)
    if array.dtype == np.uint8 and array.size and array.max() <= 1:
        array = array.astype(bool)
    array = _unit_floats(array, name, MaskError)
    batch, height, width, _ = photo.shape
    if array.shape in ((height, width), (batch, height, width)):
        array = array[..., np.newaxis]
    if array.shape == (height, width, 1):
        array = array[np.newaxis]
    if array.shape == (1, height, width, 1):
        array = np.repeat(array, batch, axis=0)
    if array.shape != (batch, height, width, 1):
        raise MaskError(
            f"{name} must be [height, width] like the image ({height}, {width}). "
            f"Received: {name}.shape={np.shape(mask)}"
        )
    return array


def _said(
    photo: Array, detail: float, reference: Any, sketch: Any, sketch_mask: Any
) -> dict[str, Any]:
    """How `photo`, a batch, is to be filled; empty arguments where nothing is said."""
    if (sketch is None) != (sketch_mask is None):
        raise ImageError(
            "a sketch and a sketch_mask, where its strokes are, come together. Received: one of them"
        )
    drawn = {"sketch": _empty(3), "sketch_mask": _empty(1)}
    if sketch is not None:
        colours = photo_batch(sketch, "sketch")
        if colours.shape != photo.shape:
            raise ImageError(
                f"sketch must be {photo.shape[1:]} like the image. "
                f"Received: sketch.shape={np.shape(sketch)}"
            )
        drawn = {"sketch": colours, "sketch_mask": mask_batch(sketch_mask, photo, "sketch_mask")}
    photos = _empty(3) if reference is None else photo_batch(reference, "reference")
    if photos.size and min(photos.shape[1:3]) < _LEAST_REFERENCE:
        raise ImageError(
            f"reference must have sides of at least {_LEAST_REFERENCE} pixels. "
            f"Received: reference.shape={np.shape(reference)}"
        )
    return {**drawn, "reference": photos, "detail": np.array(detail, np.float32)}


def _empty(channels: int) -> Array:
    return np.zeros((0, 0, 0, channels), np.float32)


def seed_pair(seed: int) -> Array:
    """int32 [2], the low and the high half of a seed. Raises ServingError outside [0, 2**64)."""
    if not 0 <= seed < _HALF**2:
        raise ServingError(
            f"seed must be from 0 to 2**64 - 1. Received: {seed}", "INVALID_ARGUMENT"
        )
    return np.array([seed % _HALF, seed // _HALF], np.uint32).view(np.int32)


def as_output(image: Any, outputs: Arrays, name: str) -> Array:
    """One output, without its batch axis when `image` came without one.

    Raises:
        ServingError: the reply lacks it, as that of another model would.
    """
    batch = _found(outputs, name)
    return batch[0] if np.ndim(image) == 3 else batch


def as_bytes(outputs: Arrays) -> bytes:
    """The only photo in the outputs of `inpaint_bytes`. Raises ServingError when there is none."""
    return bytes(_found(outputs, "repaired_bytes")[0])


def _found(outputs: Arrays, name: str) -> Array:
    if name not in outputs or outputs[name].ndim == 0 or len(outputs[name]) == 0:
        shapes = {key: list(value.shape) for key, value in outputs.items()}
        raise ServingError(
            f"the reply must hold a batch of {name!r}. Received: {shapes}", "INTERNAL"
        )
    return outputs[name]


def _unit_floats(value: Any, name: str, error: type[ImageError] | type[MaskError]) -> Array:
    array = np.asarray(value)
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255)
    if array.dtype != bool and array.dtype.kind != "f":
        raise error(
            f"{name} must be floats in [0, 1] or uint8. Received: {name}.dtype={array.dtype}"
        )
    array = array.astype(np.float32)
    # Written so that NaN fails too.
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        raise error(
            f"{name} must lie in [0, 1]. Received: from {array.min():.4g} to {array.max():.4g}"
        )
    return array
