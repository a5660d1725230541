"""Photo in, photo out: repair photos of any size with a network that sees one window at a time."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from cnnlg_tf.errors import ConfigError, ImageError
from cnnlg_tf.inference.painting import WORKING_SIDE, Network, paint
from cnnlg_tf.inference.windows import tile
from cnnlg_tf.photos import (
    Photo,
    check_mask_size,
    from_unit,
    output_format,
    read_mask,
    read_photo,
    to_unit,
    write_photo,
)

SMALLEST = 16  # pixels; the network's smallest side
OVERLAP = 32  # pixels; context of a window when damage is looked for

logger = logging.getLogger("cnnlg_tf")


@dataclass(frozen=True)
class Repair:
    """What a repair gives.

    Attributes:
        photo: [height, width, 3] of the given photo's type; known pixels are the given ones.
        mask: bool [height, width], True = was missing: the given mask, or the damage found.
        uncertainty: float32 [height, width], the standard deviation of each repaired pixel in units
            of the full range, 0 at known pixels; None unless asked for.
        samples: further repairs of the same hole, as many as asked for.
    """

    photo: np.ndarray
    mask: np.ndarray
    uncertainty: np.ndarray | None
    samples: tuple[np.ndarray, ...]


class Inpainter:
    """Repairs photos of any size from 16 x 16 pixels; time and memory follow the hole's area.

    Args:
        model: a CNNLG, the path of a checkpoint folder, or None for the model that ships.

    Raises:
        CheckpointError: the checkpoint cannot be loaded.
    """

    def __init__(self, model: Any = None) -> None:
        if model is None or isinstance(model, str | Path):
            from cnnlg_tf.checkpoint import load

            model = load(model)
        self.model = model
        image = tf.TensorSpec([1, None, None, 3], tf.float32)
        mask = tf.TensorSpec([1, None, None, 1], tf.float32)
        number = tf.TensorSpec([], tf.float32)
        seed = tf.TensorSpec([2], tf.int32)
        # one graph each for every window size: tracing takes longer than most repairs
        self._repair = tf.function(
            lambda i, m, d: model.repair(i, m, detail=d), input_signature=[image, mask, number]
        )
        self._repair_like = tf.function(
            lambda i, m, d, r: model.repair(i, m, detail=d, reference=r),
            input_signature=[image, mask, number, image],
        )
        self._sample = tf.function(
            lambda i, m, d, s: model.sample(i, m, s, detail=d),
            input_signature=[image, mask, number, seed],
        )
        self._find = tf.function(model.find_damage, input_signature=[image])

    def repair(
        self,
        photo: np.ndarray,
        mask: np.ndarray | None = None,
        *,
        detail: float = 1.0,
        samples: int = 0,
        seed: int = 0,
        uncertainty: bool = False,
        reference: np.ndarray | None = None,
    ) -> Repair:
        """Fill the hole of a photo.

        Args:
            photo: [height, width, 3] RGB: uint8, uint16, or float in [0, 1].
            mask: [height, width], missing = True, or 1, or 128 and more in uint8. None: the damage
                is looked for (blind repair). Without a hole the photo comes back as it is; where
                all is missing, the photo is painted from the prior alone.
            detail: 0 smooth .. 1 as learnt .. 2 crisp.
            samples: how many different repairs are drawn besides the expected one.
            seed: of the samples; the same seed gives the same samples.
            uncertainty: whether to give the standard deviation of each pixel.
            reference: another photo, of any size, whose textures may be copied.

        Raises:
            ImageError: the photo or reference has another shape, type or range.
            MaskError: the mask has another size than the photo.
            ConfigError: detail or samples is out of range.
        """
        _check_photo(photo, "photo")
        if not 0.0 <= detail <= 2.0:
            raise ConfigError(f"detail must be from 0 to 2. Received: {detail}")
        if samples < 0:
            raise ConfigError(f"samples must be 0 or more. Received: {samples}")
        hole = self.find_damage(photo) if mask is None else _to_hole(mask, photo)
        if not hole.any():
            what = (
                "no damage was found" if mask is None else "the mask has no missing (white) pixel"
            )
            logger.warning("%s: the photo comes back unchanged", what)
        spread = np.zeros(hole.shape, np.float32) if uncertainty else None
        expected = paint(photo, hole, self._expected(detail, reference), detail, spread)
        drawn = tuple(
            paint(photo, hole, self._drawn(detail, seed, number), detail, None)
            for number in range(samples)
        )
        return Repair(expected, hole, spread, drawn)

    def find_damage(self, photo: np.ndarray) -> np.ndarray:
        """Find what needs repair: bool [height, width], True = damaged.

        Raises:
            ImageError: the photo has another shape, type or range than `repair` wants.
        """
        _check_photo(photo, "photo")
        damage = np.zeros(photo.shape[:2], bool)
        for window in tile(photo.shape[0], photo.shape[1], WORKING_SIDE, OVERLAP):
            _, found = self._find(to_unit(photo[window.box.slices])[np.newaxis])
            inner = window.core.within(window.box).slices
            damage[window.core.slices] = found[0, ..., 0].numpy()[inner] > 0.5
        return damage

    def repair_file(
        self,
        photo: str | Path,
        mask: str | Path | None,
        output: str | Path,
        *,
        detail: float = 1.0,
        samples: int = 0,
        seed: int = 0,
        uncertainty: bool = False,
        reference: str | Path | None = None,
    ) -> list[Path]:
        """Repair a photo's file; the arguments are those of `repair`.

        Beside OUT.png come OUT_sample1.png, ... and OUT_uncertainty.png (grey, 16 bit, white = a
        standard deviation of the full range), when asked for.

        Returns:
            The files written, `output` first.

        Raises:
            ImageError, MaskError: a file cannot be read, or the output not be written.
        """
        output = Path(output)
        output_format(output)
        source = read_photo(photo)
        hole = None if mask is None else read_mask(mask)
        other = None if reference is None else read_photo(reference).pixels
        result = self.repair(
            source.pixels,
            hole,
            detail=detail,
            samples=samples,
            seed=seed,
            uncertainty=uncertainty,
            reference=other,
        )
        written = {output: source.with_pixels(result.photo)}
        for number, pixels in enumerate(result.samples, 1):
            name = output.with_stem(f"{output.stem}_sample{number}")
            written[name] = source.with_pixels(pixels)
        if result.uncertainty is not None:
            name = output.with_name(f"{output.stem}_uncertainty.png")
            grey = from_unit(result.uncertainty, np.uint16)
            written[name] = Photo(np.repeat(grey[..., np.newaxis], 3, axis=-1), grey=True)
        for path, picture in written.items():
            write_photo(path, picture)
        return list(written)

    def _expected(self, detail: float, reference: np.ndarray | None) -> Network:
        factor = tf.constant(detail, tf.float32)
        if reference is None:
            extra: tuple[np.ndarray, ...] = ()
            graph = self._repair
        else:
            _check_photo(reference, "reference")
            extra = (_shrunk(to_unit(reference))[np.newaxis],)
            graph = self._repair_like

        def run(image: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            filled, spread = graph(*_batch(image, hole), factor, *extra)
            return filled[0].numpy(), spread[0, ..., 0].numpy()

        return run

    def _drawn(self, detail: float, seed: int, number: int) -> Network:
        factor = tf.constant(detail, tf.float32)
        draws = np.random.default_rng([seed, number])

        def run(image: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            pair = tf.constant(draws.integers(0, 2**31, 2), tf.int32)
            filled = self._sample(*_batch(image, hole), factor, pair)
            return filled[0].numpy(), np.zeros(hole.shape, np.float32)

        return run


def _check_photo(photo: np.ndarray, name: str) -> None:
    if photo.ndim != 3 or photo.shape[-1] != 3 or min(photo.shape[:2]) < SMALLEST:
        raise ImageError(
            f"{name} must be [height, width, 3] with sides of at least {SMALLEST} pixels. "
            f"Received: {name}.shape={photo.shape}"
        )
    if photo.dtype in (np.uint8, np.uint16):
        return
    if not np.issubdtype(photo.dtype, np.floating):
        raise ImageError(
            f"{name} must be uint8, uint16 or float. Received: {name}.dtype={photo.dtype}"
        )
    low, high = photo.min(), photo.max()
    if not (low >= 0.0 and high <= 1.0):
        raise ImageError(f"a float {name} must lie in [0, 1]. Received: values {low} to {high}")


def _to_hole(mask: np.ndarray, photo: np.ndarray) -> np.ndarray:
    if mask.ndim == 3 and mask.shape[-1] == 1:
        mask = mask[..., 0]
    check_mask_size(mask, photo)
    hole: np.ndarray = mask >= (128 if mask.dtype == np.uint8 and mask.max() > 1 else 0.5)
    return hole


def _batch(image: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return image[np.newaxis], hole[np.newaxis, ..., np.newaxis].astype(np.float32)


def _shrunk(image: np.ndarray) -> np.ndarray:
    """At most WORKING_SIDE wide and high, at least SMALLEST."""
    height, width = image.shape[:2]
    factor = WORKING_SIDE / max(height, width)
    if factor >= 1.0:
        return image
    size = (max(SMALLEST, round(width * factor)), max(SMALLEST, round(height * factor)))
    small: np.ndarray = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small
