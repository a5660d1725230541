"""Strokes as the page draws them: for each pixel one of at most 255 colours, or none. Files are PNGs with a palette."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from cnnlg_tf.errors import ImageError
from cnnlg_tf.inference.sketch import OPAQUE
from cnnlg_tf.photos import Photo, to_depth, to_unit
from cnnlg_tf.ui.limits import MAX_PIXELS
from cnnlg_tf.ui.png import INDEXED, Plain, read_plain, write_plain
from cnnlg_tf.ui.saving import open_photo

MOST_COLOURS = 255


class Sketch(NamedTuple):
    """places: uint8 [height, width], 0 = nothing drawn, n = the n-th colour; colours: uint8 [n, 3]."""

    places: np.ndarray
    colours: np.ndarray

    def layer(self, box: tuple[slice, slice], where: np.ndarray) -> Photo | None:
        """What is drawn in a part of the photo, and there where `where` is True, as `Inpainter.repair` takes it.

        None if nothing is.
        """
        places = np.where(where, self.places[box], np.uint8(0))
        if not places.any():
            return None
        palette = np.concatenate([np.zeros((1, 3), np.uint8), self.colours])
        return Photo(palette[places], np.where(places > 0, np.uint8(255), np.uint8(0)))


def encode_sketch(sketch: Sketch) -> bytes:
    """A PNG file, transparent where nothing is drawn."""
    height, width = sketch.places.shape
    colours = bytes(3) + sketch.colours.tobytes()
    return write_plain(Plain(width, height, sketch.places, colours, b"\0"), 8, INDEXED)


def decode_sketch(data: bytes, name: str) -> Sketch:
    """Strokes of any picture file with a transparent layer; more than 255 colours become 255.

    Raises:
        ImageError: it cannot be read, or has no transparent layer. RequestError: it is too large.
    """
    plain = read_plain(data, 8, INDEXED, MAX_PIXELS)
    if plain is not None and plain.opacities == b"\0" and len(plain.colours) >= 3:
        colours = np.frombuffer(plain.colours[: 3 * (MOST_COLOURS + 1)], np.uint8).reshape(-1, 3)
        if plain.rows.max() < len(colours):
            return Sketch(plain.rows, colours[1:])
    photo = open_photo(data, name)
    if photo.alpha is None:
        raise ImageError(
            f"sketch must have strokes on a transparent layer, as PNG and WebP files hold them. Received: {name}"
        )
    places = np.zeros(photo.alpha.shape, np.uint8)
    drawn = to_unit(photo.alpha) >= OPAQUE
    if not drawn.any():
        return Sketch(places, np.zeros((0, 3), np.uint8))
    strip = Image.fromarray(to_depth(photo.pixels[drawn], np.uint8)[np.newaxis])
    few = strip.quantize(MOST_COLOURS, dither=Image.Dither.NONE)
    places[drawn] = np.asarray(few)[0] + 1
    palette = np.array(few.getpalette(), np.uint8).reshape(-1, 3)
    return Sketch(places, palette[:MOST_COLOURS])
