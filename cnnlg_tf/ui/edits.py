"""One repair on the page: which pixels it replaced, by what, and how to take it back."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnlg_tf.files import atomic_path
from cnnlg_tf.inference.windows import Box


@dataclass(frozen=True)
class Edit:
    """What one repair did.

    Attributes:
        box: the part of the photo that holds every repaired pixel.
        hole: bool [h, w] of the box, True = repaired.
        before: [n, 3] of the photo's type, the hole's pixels before.
        choices: repairs to choose from, each [n, 3] of the photo's type; the first is the likeliest.
        uncertainty: uint8 [n], the standard deviation of each pixel, 255 = half the full range.
    """

    box: Box
    hole: np.ndarray
    before: np.ndarray
    choices: tuple[np.ndarray, ...]
    uncertainty: np.ndarray

    def put(self, pixels: np.ndarray, choice: int) -> None:
        """Write one choice into the photo's pixels [height, width, 3], in place."""
        pixels[self.box.slices][self.hole] = self.choices[choice]

    def take_back(self, pixels: np.ndarray) -> None:
        """Write what was there before into the photo's pixels, in place."""
        pixels[self.box.slices][self.hole] = self.before

    def whole_hole(self, height: int, width: int) -> np.ndarray:
        """The mask that was repaired: bool [height, width] of the photo."""
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
            )
