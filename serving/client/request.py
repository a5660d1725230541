"""One photo repaired by a server, file to file."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from cnnlg_tf.errors import MaskError, ServingError
from cnnlg_tf.inference.painting import Network, paint, plan
from cnnlg_tf.photos import output_format, read_mask, read_photo, to_depth, write_photo
from cnnlg_tf.serving.client.blocking import Client
from cnnlg_tf.serving.client.metadata import Array


def request_repair(
    client: Client, photo_path: str | Path, mask_path: str | Path, out: str | Path
) -> None:
    """Have the server fill the hole of a photo, and write the result: what a local repair gives.

    The photo travels as an 8-bit RGB PNG, upright, whatever kind of file it is. Of a photo that is
    repaired in several steps (windows of a large one, a lower resolution where the hole is thick)
    each step is a request, as floats. Known pixels, alpha, profile and EXIF are the photo's own; a
    16-bit photo keeps its depth outside the hole.

    Raises:
        ImageError, MaskError: a file cannot be read or written, or the mask has another size.
        ServingError: the request failed, or the reply is no PNG of the photo's size.
    """
    output_format(out)
    photo, mask = read_photo(photo_path), read_mask(mask_path)
    pixels = photo.pixels
    if mask.shape != pixels.shape[:2]:
        raise MaskError(
            f"mask {mask_path} must be [height, width] like the image {pixels.shape[:2]}. "
            f"Received: mask.shape={mask.shape}"
        )
    eight_bit = to_depth(pixels, np.uint8)
    if _one_step(mask):
        reply = client.repair_bytes(_png(eight_bit), _png(mask.astype(np.uint8) * 255))
        repaired = _decode(reply, pixels.shape)
    else:
        repaired = paint(eight_bit, mask, _network(client), 1.0, None)
    repaired = to_depth(repaired, pixels.dtype)
    write_photo(out, photo.with_pixels(np.where(mask[..., np.newaxis], repaired, pixels)))


def _one_step(mask: Array) -> bool:
    """Whether the network repairs the whole photo at once."""
    if not mask.any():
        return True
    steps = [(scale, windows) for scale, windows, _ in plan(mask)]
    whole = (0, 0, *mask.shape)
    return len(steps) == 1 and steps[0][0] == 1 and [w.box for w in steps[0][1]] == [whole]


def _network(client: Client) -> Network:
    def run(image: Array, hole: Array) -> tuple[Array, Array]:
        repair = client.repair(np.clip(image, 0.0, 1.0), hole)
        return repair.repaired, repair.uncertainty[..., 0]

    return run


def _png(array: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _decode(reply: bytes, shape: tuple[int, ...]) -> Array:
    try:
        with Image.open(io.BytesIO(reply)) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ServingError(
            f"the server's reply must be a PNG. Received: {reply[:16]!r}", "INTERNAL"
        ) from error
    if pixels.shape != shape:
        raise ServingError(
            f"the server's reply must be an image of shape {shape}. Received: {pixels.shape}",
            "INTERNAL",
        )
    return pixels
