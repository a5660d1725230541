"""FFD: do the pixels in the holes look like photos? A Fréchet distance of network features; 0 = alike.

LPIPS asks whether a repair looks like the one true photo; FFD asks whether all repairs together look
like photos do, so that a crisp repair of other content scores well and fog does not. The features are
EfficientNet-Lite0's (Tan and Le, 2019) at 1/4, 1/8 and 1/16 of the photo's size, with 24, 40 and 112
channels. The network measures and is never trained on.

A feature's **cell** is the 4x4, 8x8 or 16x16 pixels around the middle of what the feature sees. A cell
counts when more than half of its pixels are missing. At each scale, over all counted cells of all
photos of one kind of mask, with means m and covariances C (n - 1) of the repaired and the true photos:

    FFD = (|m_repaired - m_true|^2 + trace(C_repaired + C_true - 2 (C_repaired C_true)^(1/2))) / trace(C_true)

With few cells it is biased upwards, for every method alike: compare within one run.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from cnnlg_tf.errors import ImageError, MaskError
from cnnlg_tf.models.photo_encoder import PhotoEncoder

SCALES = (4, 8, 16)
"""Pixels that a cell's side has, in the order of every list of features."""

_TAPS = (2, 4, 10)  # blocks whose results are the features

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """What the distance needs to know of a set of features.

    Attributes:
        count: how many features.
        mean: [channels].
        scatter: [channels, channels], the sum of (x - mean) (x - mean)^T.
    """

    count: int
    mean: Floats
    scatter: Floats

    @classmethod
    def of(cls, features: npt.NDArray[np.floating]) -> "Moments":
        """The moments of [n, channels]; n may be 0."""
        values = features.astype(np.float64)
        mean = values.mean(axis=0) if len(values) else np.zeros(values.shape[1])
        centred = values - mean
        return cls(len(values), mean, centred.T @ centred)

    def __add__(self, other: "Moments") -> "Moments":
        """The moments of both sets together (Chan et al., 1979)."""
        count = self.count + other.count
        if count == 0:
            return self
        shift = other.mean - self.mean
        mean = self.mean + shift * (other.count / count)
        between = np.outer(shift, shift) * (self.count * other.count / count)
        return Moments(count, mean, self.scatter + other.scatter + between)


def frechet_distance(repaired: Moments, true: Moments) -> float:
    """FFD at one scale, as the module's docstring defines it.

    NaN where it means nothing: under two features, or true features without variance.
    """
    if min(repaired.count, true.count) < 2:
        return float("nan")
    first, second = (each.scatter / (each.count - 1) for each in (repaired, true))
    variance = float(np.trace(second))
    if variance <= 0:
        return float("nan")
    # The trace of (A B)^(1/2) is that of (A^(1/2) B A^(1/2))^(1/2), whose matrices are symmetric:
    # eigenvalues are then real, and those below 0 are rounding.
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    common = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    distance = np.sum((repaired.mean - true.mean) ** 2) + np.trace(first) + variance - 2 * common
    return float(max(distance, 0.0) / variance)


def hole_cells(mask: npt.NDArray[np.bool_], scale: int) -> npt.NDArray[np.bool_]:
    """The cells of one scale that count: [ceil(height / scale), ceil(width / scale)].

    Args:
        mask: [height, width], True = missing.
        scale: 4, 8 or 16.
    """
    height, width = mask.shape
    top, bottom = _cell_bounds(height, scale)
    left, right = _cell_bounds(width, scale)
    integral = np.pad(np.cumsum(np.cumsum(mask, axis=0, dtype=np.int64), axis=1), ((1, 0), (1, 0)))
    rows = integral[bottom] - integral[top]
    missing = rows[:, right] - rows[:, left]
    area = np.outer(bottom - top, right - left)
    return np.asarray(2 * missing > area)


def _cell_bounds(length: int, scale: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First pixel of each cell along one axis, and the one after its last, inside the photo.

    A convolution of stride 2 with padding "same" looks at position 2 i + 1 of an even length and at
    2 i of an odd one, so that the middle of cell i is at pixel scale * i + offset.
    """
    offset, step, cells = 0, 1, length
    while step < scale:
        offset += step * (cells % 2 == 0)
        cells, step = -(-cells // 2), step * 2
    first = np.arange(cells) * scale + offset - scale // 2
    return first.clip(0), (first + scale).clip(None, length)


class PhotoFeatures:
    """EfficientNet-Lite0 up to its eleventh block: call it with a batch of images.

    Args:
        weights: an .npz as `PhotoEncoder.load_photo_weights` takes it; the default ships with the package.

    Raises:
        CheckpointError: the weights cannot be read or lack an array.
    """

    def __init__(self, weights: str | Path | None = None) -> None:
        encoder = PhotoEncoder(_TAPS)
        encoder.build((None, None, None, 3))
        encoder.load_photo_weights(weights)
        shape = tf.TensorSpec([None, None, None, 3], tf.float32)
        self._graph = tf.function(
            lambda image: encoder(2.0 * image - 1.0), input_signature=[shape], autograph=False
        )

    def __call__(self, image: npt.NDArray[np.floating]) -> list[npt.NDArray[np.float32]]:
        """[batch, height, width, 3] in [0, 1] -> [batch, height / s, width / s, c], rounded up, for each scale s.

        Raises:
            ImageError: the images are no batch of RGB images.
        """
        if image.ndim != 4 or image.shape[3] != 3:
            raise ImageError(
                "image must be a batch [batch, height, width, 3]. "
                f"Received: image.shape={image.shape}"
            )
        return [each.numpy() for each in self._graph(tf.cast(image, tf.float32))]


def hole_moments(
    features: PhotoFeatures, image: npt.NDArray[np.floating], mask: npt.NDArray[np.bool_]
) -> list[Moments]:
    """The moments of one photo's counted cells at each scale.

    Args:
        features: the network.
        image: [height, width, 3] in [0, 1], whole: a cell also sees what is around the hole.
        mask: [height, width], True = missing.

    Raises:
        ImageError: the image is not [height, width, 3].
        MaskError: the mask has another size.
    """
    if mask.shape != image.shape[:2]:
        raise MaskError(
            f"mask must be [height, width] like the image {image.shape[:2]}. "
            f"Received: mask.shape={mask.shape}"
        )
    maps = features(image[None])
    return [
        Moments.of(each[0][hole_cells(mask, scale)])
        for each, scale in zip(maps, SCALES, strict=True)
    ]
