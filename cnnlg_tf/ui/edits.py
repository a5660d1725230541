"""One repair on the page: which pixels it replaced or added, by what, and how to take it back."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnlg_tf.files import atomic_path
from cnnlg_tf.inference.canvas import Extension
from cnnlg_tf.inference.windows import Box


def on_larger(values: np.ndarray, extension: Extension) -> np.ndarray:
    """Values [height, width, ...] of a photo on the canvas that it grows to; 0 beyond it."""
    if not any(extension):
        return values
    sides = ((extension.top, extension.bottom), (extension.left, extension.right))
    return np.pad(values, (*sides, *[(0, 0)] * (values.ndim - 2)))


def on_smaller(values: np.ndarray, extension: Extension) -> np.ndarray:
    """The reverse of `on_larger`: what lies beyond the smaller canvas is gone."""
    if not any(extension):
        return values
    height, width = values.shape[:2]
    rows, columns = extension.top + extension.bottom, extension.left + extension.right
    return values[extension.inner(height - rows, width - columns).slices].copy()


@dataclass(frozen=True)
class Edit:
    """What one repair did.

    Attributes:
        box: the part of the photo that holds every repaired pixel.
        hole: bool [h, w] of the box, True = repaired.
        before: [n, 3] of the photo's type, the hole's pixels before; of an extension none.
        choices: repairs to choose from, each [n, 3] of the photo's type; the first is the likeliest.
        uncertainty: uint8 [n], the standard deviation of each pixel, 255 = half the full range.
        extension: what the photo grew by; box and hole are of the canvas that it grew to.
    """

    box: Box
    hole: np.ndarray
    before: np.ndarray
    choices: tuple[np.ndarray, ...]
    uncertainty: np.ndarray
    extension: Extension = Extension()

    def put(self, pixels: np.ndarray, choice: int) -> None:
        """Write one choice into pixels [height, width, 3] of the canvas, in place."""
        pixels[self.box.slices][self.hole] = self.choices[choice]

    def taken_back(self, pixels: np.ndarray) -> np.ndarray:
        """The pixels [height, width, 3] without the repair: changed in place, or a copy of a smaller canvas."""
        if not any(self.extension):
            pixels[self.box.slices][self.hole] = self.before
        return on_smaller(pixels, self.extension)

    def whole_hole(self, height: int, width: int) -> np.ndarray:
        """The mask that was repaired: bool [height, width] of the canvas."""
        mask = np.zeros((height, width), bool)
        mask[self.box.slices] = self.hole
        return mask

    def save(self, path: Path) -> None:
        """Write an .npz file, whole or not at all."""
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                box=np.array(self.box),
                hole=np.packbits(self.hole),
                before=self.before,
                choices=np.stack(self.choices),
                uncertainty=self.uncertainty,
                extension=np.array(self.extension),
            )

    @classmethod
    def load(cls, path: Path) -> "Edit":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            box = Box(*(int(side) for side in data["box"]))
            height, width = box.bottom - box.top, box.right - box.left
            hole = np.unpackbits(data["hole"], count=height * width).astype(bool)
            return cls(
                box,
                hole.reshape(height, width),
                data["before"],
                tuple(data["choices"]),
                data["uncertainty"],
                Extension(*(int(side) for side in data["extension"])),
            )
