"""Photo files for the signature `inpaint_bytes`, made plain here and given back whole.

The graph on the server decodes with TensorFlow, which knows neither EXIF's rotation, nor profiles,
alpha, 16 bits, nor the rule for masks. So a photo is decoded here, by the one decoder; it travels
upright as an 8-bit PNG; and what the server painted goes into the photo as it was.
"""

from dataclasses import dataclass, replace

import numpy as np

from cnnlg_tf.errors import ServingError
from cnnlg_tf.photos import (
    Metadata,
    Photo,
    check_mask_size,
    decode_mask,
    decode_photo,
    encode_photo,
    to_depth,
)


@dataclass(frozen=True)
class EncodedRepair:
    """A photo and its hole, between the request and the reply."""

    photo: Photo
    hole: np.ndarray

    @classmethod
    def of(cls, photo: bytes, mask: bytes) -> "EncodedRepair":
        """Decode a photo's and a mask's file.

        Raises:
            ImageError, MaskError: one cannot be decoded, or they differ in size.
        """
        decoded, hole = decode_photo(photo, "of the request"), decode_mask(mask, "of the request")
        check_mask_size(hole, decoded.pixels)
        return cls(decoded, hole)

    def inputs(self) -> dict[str, np.ndarray]:
        """Inputs of `inpaint_bytes`, a batch of one; what the photo hides or lacks is missing too."""
        unknown = self.hole
        if self.photo.known is not None:
            unknown = unknown | ~self.photo.known
        pixels = self.photo.pixels
        if pixels.dtype.kind == "f":
            unknown = unknown | np.isnan(pixels).any(axis=-1)
        plane = np.repeat(unknown[..., np.newaxis].astype(np.uint8) * 255, 3, axis=-1)
        return {
            "image_bytes": np.array([_png(Photo(to_depth(pixels, np.uint8)))], object),
            "mask_bytes": np.array([_png(Photo(plane, grey=True))], object),
        }

    def finish(self, reply: bytes) -> bytes:
        """A PNG: the photo with its depth, alpha and metadata, and the reply's pixels in the hole.

        Raises:
            ServingError: INTERNAL, the reply is no photo of this size.
        """
        repaired = decode_photo(reply, "of the reply").pixels
        pixels = self.photo.pixels
        if repaired.shape != pixels.shape:
            raise ServingError(
                f"the reply must be a photo of shape {pixels.shape}. Received: {repaired.shape}",
                "INTERNAL",
            )
        merged = np.where(self.hole[..., np.newaxis], to_depth(repaired, pixels.dtype), pixels)
        return encode_photo(self.photo.with_pixels(merged), "PNG", name="of the reply")


def _png(photo: Photo) -> bytes:
    return encode_photo(replace(photo, metadata=Metadata()), "PNG")
