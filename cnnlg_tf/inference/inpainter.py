"""Photo in, photo out: repair photos of any size with a network that sees one window at a time."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlg_tf.certainty import GROWTH
from cnnlg_tf.errors import ConfigError, ImageError
from cnnlg_tf.inference import damage as damage_on_photos
from cnnlg_tf.inference.canvas import Extension, extended
from cnnlg_tf.inference.damage import Damage, overlay
from cnnlg_tf.inference.holes import blend_rim, grown, rim_weights
from cnnlg_tf.inference.network import SMALLEST_SIDE, Conditions, Network, check_ability
from cnnlg_tf.inference.new_picture import new_picture
from cnnlg_tf.inference.painting import Cancelled, Progress, paint
from cnnlg_tf.inference.placing import with_references
from cnnlg_tf.inference.sketch import as_sketch
from cnnlg_tf.inference.stains import lift_stains
from cnnlg_tf.inference.windows import Box
from cnnlg_tf.open import open_network
from cnnlg_tf.photos import (
    Photo,
    as_mask,
    as_photo,
    check_mask_size,
    copy_photo,
    from_unit,
    output_format,
    to_unit,
    write_photo,
)

if TYPE_CHECKING:
    from cnnlg_tf.models.cnnlg import CNNLG

LONGEST_NAME = 255  # bytes
LARGEST_NEW = 4096  # pixels, of a picture's side

logger = logging.getLogger("cnnlg_tf")


@dataclass(frozen=True)
class Repair:
    """What a repair gives.

    Attributes:
        photo: RGB [height, width, 3] of the given photo's type; known pixels are the given ones.
        mask: bool [height, width], True = was filled, lifted or blended: the given mask, or the damage
            found, with what it grew by.
        uncertainty: float32 [height, width], the standard deviation of each painted pixel in units
            of the full range, 0 at others.
        samples: further repairs of the same hole, as many as asked for.
        damage: what blind repair found; None where a mask was given.
    """

    photo: np.ndarray
    mask: np.ndarray
    uncertainty: np.ndarray
    samples: tuple[np.ndarray, ...]
    damage: Damage | None = None


class Inpainter:
    """Repairs photos of any size from 16 x 16 pixels; time and memory follow the hole's area.

    Args:
        network: a Network, or what `open_network` takes: None for the model that ships, a CNNLG,
            the path of a checkpoint or of an export, a server's address.

    Raises:
        CnnlgError: it cannot be opened; `open_network` says which.
    """

    def __init__(self, network: "Network | CNNLG | str | Path | None" = None) -> None:
        self.network = open_network(network)

    def repair(
        self,
        photo: Any,
        mask: Any = None,
        *,
        detail: float = 1.0,
        reference: Any = None,
        sketch: Any = None,
        samples: int = 0,
        seed: int = 0,
        temperature: float = 1.0,
        sensitivity: float = 0.5,
        grow: int | None = None,
        lift: bool | None = None,
        feather: int = 0,
        stages: Sequence[Box] = (),
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Repair:
        """Fill the hole of a photo.

        Args:
            photo: what `as_photo` takes: an array or lists [height, width, 3] of uint8, uint16 or
                floats in [0, 1] (anything, NaN too, inside the hole), a PIL image, a path, a Photo.
                Colours under alpha 0 are not looked at.
            mask: what `as_mask` takes: an array or lists [height, width], missing = True, 1 or
                white, a PIL image, a path. None: the damage is looked for (blind repair). Without a
                hole the photo comes back as it is; where all is missing, the photo is painted from
                the prior alone.
            detail: 0 smooth .. 1 as learnt .. 2 crisp.
            reference: another photo, or a list of them, of any size. Where one shows the same scene, what it shows of
                the hole is put in its place; else its textures may be copied.
            sketch: strokes on a transparent layer, as large as the photo, which the repair follows inside the hole:
                what `as_photo` takes, with an alpha. Grey ones say where an edge is, others what colour too.
            samples: how many different repairs are drawn besides the expected one.
            seed: of the samples; the same seed gives the same samples.
            temperature: of the samples: 0 all as expected .. 1 as far apart as the model has learnt.
            sensitivity: of blind repair: 0 repairs what is certainly damaged .. 1 all that may be.
            grow: pixels around the hole that count as missing too; None: 0 around a mask, `GROWTH` around
                damage that was found, for it ends softly.
            lift: whether stains that the photo shows through are lifted, not painted over
                (`cnnlg_tf.inference.stains`); None: where damage was found, not under a mask, which says that nothing
                there is to be looked at.
            feather: pixels around the grown hole over which the repair fades into the photo: at a
                distance of d pixels it counts 1 - d / (feather + 1). Known pixels that far change;
                with 0 none does.
            stages: parts of the photo, each within the next, that are filled one after the other as if nothing lay
                around them; what is in none is not filled. None: all at once.
            progress: called with the share of the work that is done, 0 to 1.
            cancelled: called before each step; True stops the work.

        Raises:
            ImageError: the photo or a reference has another shape, type or range.
            MaskError: the mask has another size than the photo.
            ConfigError: an option is out of range, or nothing that this network can do.
            CancelledError: `cancelled` said so.
        """
        if samples < 0:
            raise ConfigError(f"samples must be 0 or more. Received: {samples}")
        source = as_photo(photo)
        pixels = _own_numbers(photo, source)
        _check_size(pixels, "photo")
        hole = None if mask is None else as_mask(mask)
        if hole is not None:
            check_mask_size(hole, pixels)
            hole = grown(hole, grow or 0)
        _check_range(pixels, "photo", hole)
        references = _as_references(reference)
        strokes = None if sketch is None else as_sketch(sketch, *pixels.shape[:2])
        expected = Conditions(detail, references, sketch=strokes)
        drawn = [
            replace(expected, seed=_seed_of_sample(seed, number), temperature=temperature)
            for number in range(samples)
        ]
        steps = [expected, *drawn]
        check_ability(self.network, frozenset().union(*(step.abilities for step in steps)))
        found = None
        if hole is None:
            found = self.find_damage(source, sensitivity=sensitivity)
            hole = grown(found.mask, GROWTH if grow is None else grow)
        if not hole.any():
            what = (
                "no damage was found" if mask is None else "the mask has no missing (white) pixel"
            )
            logger.warning("%s: the photo comes back unchanged", what)
        weights = rim_weights(hole, feather) if feather else None
        changed = hole if weights is None else weights > 0.0
        hidden = None if source.known is None else ~source.known
        if strokes is not None and not (strokes.drawn & changed).any():
            logger.warning(
                "the sketch has no stroke where the photo is painted: nothing follows it"
            )
        start, left = with_references(pixels, changed, hidden, references)
        if lift or (lift is None and mask is None):
            start, left = lift_stains(start, left, hidden)
        boxes = [box.slices for box in stages] or [(slice(None), slice(None))]
        painted = []
        for number, step in enumerate(steps):
            filled, uncertainty = start.copy(), np.zeros(changed.shape, np.float32)
            for turn, box in enumerate(boxes):
                to_do = left[box].copy()
                if turn:
                    before = np.zeros_like(left)
                    before[boxes[turn - 1]] = True
                    to_do &= ~before[box]
                filled[box], added = paint(
                    filled[box],
                    to_do,
                    self.network,
                    step.within(box),
                    hidden=None if hidden is None else hidden[box],
                    progress=_part(progress, number * len(boxes) + turn, len(steps) * len(boxes)),
                    cancelled=cancelled,
                )
                uncertainty[box] += added
            if weights is not None:
                blend_rim(pixels, filled, weights)
                uncertainty *= weights
            painted.append((filled, uncertainty))
        (repaired, uncertainty), *others = painted
        return Repair(repaired, changed, uncertainty, tuple(sample for sample, _ in others), found)

    def extend(self, photo: Any, extension: Extension | str, **options: Any) -> Repair:
        """Paint on beyond a photo's borders; the photo itself stays as it is.

        The canvas grows in rings of a third of its height and width at most, as thick as training has seen.

        Args:
            photo: as `repair` takes it.
            extension: what it grows by, such as "left=20%,top=300", or "16:9" for an aspect.
            options: further ones of `repair`; a sketch is as large as the canvas.

        Returns:
            A repair of the whole canvas; `mask` is what is new.

        Raises:
            ConfigError: the extension cannot be read, is 0, or more than `canvas.MOST` times the photo.
        """
        canvas, missing, stages = extended(as_photo(photo), extension)
        return self.repair(canvas, missing, stages=stages, **options)

    def extend_file(
        self, photo: Any, extension: Extension | str, output: str | Path, **options: Any
    ) -> list[Path]:
        """The same into a file, with the photo's alpha, profile and EXIF; options are those of `repair_file`."""
        canvas, missing, stages = extended(as_photo(photo), extension)
        return self.repair_file(canvas, missing, output, stages=stages, **options)

    def new(
        self,
        height: int,
        width: int,
        *,
        reference: Any = None,
        seed: int = 0,
        temperature: float = 1.0,
        detail: float = 1.0,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Draw a picture from nothing, in the manner of references: uint8 [height, width, 3].

        Args:
            height, width: pixels, from 16 to `LARGEST_NEW`.
            reference: a photo, or a list of them, whose colours and textures it takes; None: the prior alone.
            seed: another picture for every number.
            temperature, detail: as in `repair`.

        Raises:
            ImageError: a reference has another shape, type or range. ConfigError: an option is out of range, or nothing
            that this network can do.
        """
        if not SMALLEST_SIDE <= min(height, width) <= max(height, width) <= LARGEST_NEW:
            raise ConfigError(
                f"a new picture must have sides from {SMALLEST_SIDE} to {LARGEST_NEW} pixels. "
                f"Received: {width}x{height}"
            )
        references = _as_references(reference)
        conditions = Conditions(detail, references, _seed_of_sample(seed, 0), temperature)
        check_ability(self.network, conditions.abilities)
        picture = new_picture(height, width, self.network, conditions, progress)
        return from_unit(picture, np.uint8)

    def find_damage(self, photo: Any, *, sensitivity: float = 0.5) -> Damage:
        """Find what needs repair; nothing under alpha 0 does.

        Args:
            photo: as `repair` takes it.
            sensitivity: 0 takes what is certainly damaged .. 1 all that may be.

        Raises:
            ImageError: the photo has another shape, type or range than `repair` wants.
            ConfigError: the network cannot find damage, or sensitivity is out of range.
        """
        check_ability(self.network, frozenset({"find_damage"}))
        source = as_photo(photo)
        pixels = source.pixels
        _check_size(pixels, "photo")
        _check_range(pixels, "photo", None)
        found = damage_on_photos.find_damage(
            to_unit(pixels), self.network.find_damage, self.network.widest, sensitivity
        )
        return found if source.known is None else found.within(source.known)

    def repair_file(
        self,
        photo: Any,
        mask: Any,
        output: str | Path,
        *,
        uncertainty: bool = False,
        save_mask: bool = False,
        preview: bool = False,
        quality: int | None = None,
        on_repair: Callable[[Repair], None] | None = None,
        **options: Any,
    ) -> list[Path]:
        """Repair a photo and write the result's file; arguments and further options are those of `repair`.

        Beside OUT.png come OUT_sample1.png, ..., OUT_uncertainty.png (grey, 16 bit, white = a
        standard deviation of the full range), OUT_mask.png (white = was repaired) and
        OUT_preview.png (the photo, red where it was repaired), when asked for. `output` is written
        last: where it is, they are. A photo without a hole is copied as it is, byte for byte, where
        it was read from a file of the output's format and no quality is asked for.

        Args:
            quality: of a lossy file, 1 to 100; None: what `encode_photo` says.
            on_repair: called with the repair before it is written.

        Returns:
            The files written, `output` first.

        Raises:
            ImageError, MaskError: a file cannot be read, or the output not be written.
        """
        output = Path(output)
        names = names_beside(
            output,
            samples=options.get("samples", 0),
            uncertainty=uncertainty,
            save_mask=save_mask,
            preview=preview,
        )
        for name in (output, *names):
            check_name(name)
        form = output_format(output)
        source = as_photo(photo)
        result = self.repair(source, mask, **options)
        if on_repair is not None:
            on_repair(result)
        pictures = [source.with_pixels(pixels) for pixels in result.samples]
        if uncertainty:
            pictures.append(_grey(from_unit(result.uncertainty, np.uint16)))
        if save_mask:
            pictures.append(_grey(np.where(result.mask, np.uint8(255), np.uint8(0))))
        if preview:
            pictures.append(Photo(overlay(source.pixels, result.mask)))
        for name, picture in zip(names, pictures, strict=True):
            write_photo(name, picture, quality=quality)
        if (
            source.file is not None
            and source.form == form
            and quality is None
            and not result.mask.any()
        ):
            copy_photo(source.file, output)
        else:
            write_photo(output, source.with_pixels(result.photo), quality=quality)
        return [output, *names]


def names_beside(
    output: Path,
    *,
    samples: int = 0,
    uncertainty: bool = False,
    save_mask: bool = False,
    preview: bool = False,
) -> list[Path]:
    """What `repair_file` writes beside an output, in its order."""
    names = [output.with_stem(f"{output.stem}_sample{n}") for n in range(1, samples + 1)]
    extras = {"uncertainty": uncertainty, "mask": save_mask, "preview": preview}
    return names + [
        output.with_name(f"{output.stem}_{extra}.png") for extra, wanted in extras.items() if wanted
    ]


def _grey(values: np.ndarray) -> Photo:
    return Photo(np.repeat(values[..., np.newaxis], 3, axis=-1), grey=True)


def check_name(path: Path) -> None:
    """Raise ImageError for a file name that is longer than file systems take."""
    size = len(os.fsencode(path.name))
    if size > LONGEST_NAME:
        raise ImageError(
            f"an output's name must have at most {LONGEST_NAME} bytes. "
            f"Received: {size} bytes, {path.name}"
        )


def _seed_of_sample(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0])


def _part(progress: Progress | None, number: int, count: int) -> Progress | None:
    """What one of several repairs, as long as each other, tells about its share."""
    if progress is None:
        return None
    return lambda share: progress((number + share) / count)


def _as_references(given: Any) -> tuple[np.ndarray, ...]:
    """Each of one or several photos as float32 [h, w, 3] in [0, 1]."""
    references = []
    for photo in given if isinstance(given, list | tuple) else [given]:
        if photo is not None:
            pixels = as_photo(photo, "reference").pixels
            _check_size(pixels, "reference")
            _check_range(pixels, "reference", None)
            references.append(to_unit(pixels))
    return tuple(references)


def _own_numbers(given: Any, photo: Photo) -> np.ndarray:
    """The photo's pixels in the type they came in: float64 must come back to the last bit."""
    if isinstance(given, np.ndarray) and given.dtype.kind == "f" and given.shape[2:] == (3,):
        return given
    return photo.pixels


def _check_size(pixels: np.ndarray, name: str) -> None:
    if min(pixels.shape[:2]) < SMALLEST_SIDE:
        raise ImageError(
            f"{name} must be [height, width, 3] with sides of at least {SMALLEST_SIDE} pixels. "
            f"Received: {name}.shape={pixels.shape}"
        )


def _check_range(pixels: np.ndarray, name: str, hole: np.ndarray | None) -> None:
    """Floats lie in [0, 1] outside the hole; what is inside does not matter."""
    if pixels.dtype.kind != "f":
        return
    known = pixels if hole is None else pixels[~hole]
    if not known.size:
        return
    low, high = known.min(), known.max()
    if not (low >= 0.0 and high <= 1.0):
        where = "" if hole is None else " outside the hole"
        raise ImageError(
            f"a float {name} must lie in [0, 1]{where}. Received: values {low} to {high}"
        )
