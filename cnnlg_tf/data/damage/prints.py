"""Draw a damaged print: photo, look-alikes, tone, enlargement, layers of damage, scan; and where it is damaged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from cnnlg_tf.data.damage.ageing import PLAIN, Pixels, Scan, Tone, draw_scan, draw_tone
from cnnlg_tf.data.damage.edges import borders, tape, tears, torn
from cnnlg_tf.data.damage.layer import Floats, Layer, Rng, blur
from cnnlg_tf.data.damage.lines import cracks, folds, hairs, pen, scratches
from cnnlg_tf.data.damage.lookalikes import draw_lookalike
from cnnlg_tf.data.damage.overpaint import overpaint
from cnnlg_tf.data.damage.spots import blots, dust, flakes, mould, stains
from cnnlg_tf.data.damage.stamped import lay_stamps
from cnnlg_tf.data.stamps import Stamps
from cnnlg_tf.errors import DataError

IGNORED = 2  # in a print's mask: faint damage and soft edges, neither right nor wrong to find
DENSE, FAINT = 0.3, 0.06  # opacity from which a pixel is damaged, and up to which it is whole
SEEN, UNSEEN = 16.0, 4.0  # and by how much of 255 its colour must change

_Draw = Callable[[int, int, float, Rng], list[Layer]]
_DRAWS: dict[str, tuple[_Draw, float]] = {  # and how often each is drawn
    "crack": (cracks, 1.5),
    "fold": (folds, 1.0),
    "scratch": (scratches, 1.3),
    "dust": (dust, 1.2),
    "hair": (hairs, 0.9),
    "blot": (blots, 0.8),
    "stain": (stains, 0.8),
    "mould": (mould, 0.7),
    "flake": (flakes, 0.7),
    "torn": (torn, 1.0),
    "tear": (tears, 0.6),
    "tape": (tape, 0.5),
    "ink": (pen, 0.6),
    "border": (borders, 0.5),
    "overpaint": (overpaint, 0.6),
}
_STAMPED = 1.6  # how often stamps are, where a folder of them is given
KINDS = (*_DRAWS, "stamp")


@dataclass(frozen=True)
class DamagedPrint:
    """A scan of a damaged print, and of the same print undamaged.

    Attributes:
        whole, damaged: uint8 [height, width, 3].
        mask: uint8 [height, width]: 1 = damaged, 0 = whole, IGNORED = too faint to count either way.
        kinds: what the damage is; empty where there is none.
    """

    whole: Pixels
    damaged: Pixels
    mask: Pixels
    kinds: tuple[str, ...]

    def enlarged(self, side: int) -> "DamagedPrint":
        """The file at [side, side], as a viewer or a finder enlarges it."""

        def resize(image: Pixels, how: int) -> Pixels:
            return np.asarray(cv2.resize(image, (side, side), interpolation=how), np.uint8)

        whole, damaged = (resize(image, cv2.INTER_CUBIC) for image in (self.whole, self.damaged))
        return DamagedPrint(whole, damaged, resize(self.mask, cv2.INTER_NEAREST), self.kinds)


class PrintMaker:
    """Draws damaged prints; all chance comes from the generator that each call is given.

    Args:
        stamps: stamps of damage, laid over some of the prints; none when None.
        clean: share of prints without damage.
        lookalike: share of prints with something drawn in that only looks like damage.
        kinds: how often each kind is drawn; all as they are met with when None or empty.
        enlarged: share of crops that show a print at twice its size, as a finder looks at small photos.

    Raises:
        DataError: an unknown kind, or stamps without a folder of them.
    """

    def __init__(
        self,
        stamps: Stamps | None = None,
        clean: float = 0.3,
        lookalike: float = 0.25,
        kinds: Mapping[str, float] | None = None,
        enlarged: float = 0.5,
    ) -> None:
        self.stamps = stamps
        self.clean = clean
        self.lookalike = lookalike
        self.enlarged = enlarged
        draws: dict[str, tuple[_Draw, float]] = dict(_DRAWS)
        if stamps is not None:
            draws["stamp"] = (partial(lay_stamps, stamps), _STAMPED)
        self._draws = {kind: draw for kind, (draw, _) in draws.items()}
        often = kinds or {kind: share for kind, (_, share) in draws.items()}
        unknown = sorted(set(often) - set(draws))
        if unknown:
            raise DataError(
                f"kinds of damage must be among {', '.join(draws)} (stamp with a folder of stamps). "
                f"Received: {', '.join(unknown)}"
            )
        self._often = {kind: share / sum(often.values()) for kind, share in often.items()}

    def crop(self, square: Pixels, rng: Rng) -> DamagedPrint:
        """A print of the square's size, that shows a part of it where the scan is drawn finer or enlarged."""
        side = square.shape[0]
        if rng.random() >= self.enlarged:
            return self._crop(square, rng)
        return self._crop(_part(square, side // 2, rng), rng).enlarged(side)

    def photo(
        self,
        photo: Pixels,
        rng: Rng,
        kinds: tuple[str, ...] | None = None,
        scale: float = 1.0,
        stamp: int | None = None,
    ) -> DamagedPrint:
        """A print of the whole photo at `scale` scan pixels a photo's pixel, with the kinds given or drawn.

        `stamp` chooses which stamp is laid. Nothing that only looks like damage is drawn in.
        """
        scan = draw_scan(rng, scale)
        height, width = (round(side * scale) for side in photo.shape[:2])
        kinds = self._kinds_of(rng) if kinds is None else kinds
        return self._print(photo, height, width, scan, kinds, rng, stamp=stamp, lookalike=0.0)

    def _crop(self, square: Pixels, rng: Rng) -> DamagedPrint:
        side, scan = square.shape[0], draw_scan(rng)
        part = _part(square, max(16, round(side / scan.scale)), rng)
        return self._print(part, side, side, scan, self._kinds_of(rng), rng)

    def _kinds_of(self, rng: Rng) -> tuple[str, ...]:
        if rng.random() < self.clean:
            return ()
        count = int(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))
        drawn = rng.choice(list(self._often), count, p=list(self._often.values()))
        return tuple(str(kind) for kind in drawn)

    def _print(
        self,
        photo: Pixels,
        height: int,
        width: int,
        scan: Scan,
        kinds: tuple[str, ...],
        rng: Rng,
        stamp: int | None = None,
        lookalike: float | None = None,
    ) -> DamagedPrint:
        image = photo.astype(np.float32)
        if rng.random() < (self.lookalike if lookalike is None else lookalike):
            image = draw_lookalike(image, rng)
        tone = draw_tone(rng)
        toned_last = rng.random() < 0.4  # the scan was turned grey or sepia, damage and all
        before, after = (PLAIN, tone) if toned_last else (tone, PLAIN)
        base = scan.enlarge(before.of(image), (width, height))
        layers = [
            layer
            for kind in kinds
            for layer in self._layers(kind, height, width, _unit(scan.scale, rng), stamp, rng)
        ]
        covered, mask = lay(base, layers, after)
        return DamagedPrint(
            whole=scan.finish(after.of(base)),
            damaged=scan.finish(after.of(covered)),
            mask=mask,
            kinds=kinds,
        )

    def _layers(
        self, kind: str, height: int, width: int, unit: float, stamp: int | None, rng: Rng
    ) -> list[Layer]:
        if kind == "stamp" and self.stamps is not None and stamp is not None:
            return lay_stamps(self.stamps, height, width, unit, rng, stamp)
        return self._draws[kind](height, width, unit, rng)


def _part(square: Pixels, side: int, rng: Rng) -> Pixels:
    top, left = (int(rng.integers(0, square.shape[0] - side + 1)) for _ in range(2))
    return square[top : top + side, left : left + side]


def lay(base: Floats, layers: list[Layer], tone: Tone) -> tuple[Floats, Pixels]:
    """The photo under all layers, and its mask: what is dense enough and seen to have changed."""
    through: Floats = np.ones(base.shape[:2], np.float32)
    covered = base
    for layer in layers:
        covered = layer.over(covered)
        if layer.marks:
            through = through * (1 - layer.opacity)
    change = _greatest(np.abs(tone.of(covered) - tone.of(base))) if layers else 0 * through
    change = blur(change, 0.6)  # a grain that happens to have the paint's colour is no hole in it
    mask = np.full(through.shape, IGNORED, np.uint8)
    mask[(through > 1 - FAINT) | (change < UNSEEN)] = 0
    mask[(through < 1 - DENSE) & (change > SEEN)] = 1
    return covered, mask


def _greatest(image: Floats) -> Floats:
    """The greatest of each pixel's channels: [h, w, 3] -> [h, w]; several times as fast as a reduction of so few."""
    red, green, blue = np.moveaxis(image, -1, 0)
    greatest: Floats = np.maximum(np.maximum(red, green), blue)
    return greatest


def _unit(scale: float, rng: Rng) -> float:
    """Pixels that a line of 1 px at scan scale 1 is wide: finer scans show damage thicker, most of the time."""
    return float(np.clip(scale ** rng.uniform(0.2, 1.0) * np.exp(rng.normal(0, 0.2)), 0.8, 5.0))
