"""How close a repair is to the photo: PSNR, PSNR inside the hole, SSIM; and how sharp. All in float64.

Images are [height, width, 3] in [0, 1], of any float type. Measures by networks are in lpips.py and
ffd.py.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cnnlg_tf.errors import ImageError, MaskError

Image = npt.NDArray[np.floating]

PSNR_CEILING = 100.0
"""dB given for images whose mean squared error is below 1e-10, so that averages stay finite."""

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2

DEPTHS = (8.0, 24.0)
"""Pixels from the hole's border where the bands of `hole_gradients` end; the last has no end."""


class Gradients(NamedTuple):
    """Sums over one band of a hole: of how many pixels, and of both images' gradients there."""

    pixels: int
    repaired: float
    true: float


def psnr(image: Image, reference: Image) -> float:
    """Peak signal-to-noise ratio over all pixels and channels, in dB, at most PSNR_CEILING.

    Raises:
        ImageError: the two are not [height, width, 3] of the same size.
    """
    first, second = _pair(image, reference)
    return _decibels(float(np.mean(np.square(first - second))))


def hole_psnr(image: Image, reference: Image, mask: npt.NDArray[np.generic]) -> float:
    """PSNR over the hole's pixels only, in dB. `mask` is [height, width], 1 or True = missing.

    Raises:
        ImageError: as for `psnr`.
        MaskError: the mask has another size, or no hole.
    """
    first, second = _pair(image, reference)
    hole = _hole(mask, first.shape[:2])
    return _decibels(float(np.mean(np.square(first[hole] - second[hole]))))


def ssim(image: Image, reference: Image) -> float:
    """Structural similarity (Wang et al., 2004), averaged over the RGB channels; 1 = the same.

    An 11x11 Gaussian window of sigma 1.5, population covariance, and the mean over windows that lie
    inside the image.

    Raises:
        ImageError: as for `psnr`, or an image smaller than the window.
    """
    x, y = _pair(image, reference)
    if min(x.shape[:2]) < SSIM_WINDOW:
        raise ImageError(
            f"SSIM needs images of at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels. "
            f"Received: shape={x.shape}"
        )
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    edge = SSIM_WINDOW // 2
    return float(np.mean((luminance * structure)[edge:-edge, edge:-edge]))


def hole_gradients(
    image: Image, reference: Image, mask: npt.NDArray[np.generic]
) -> tuple[Gradients, ...]:
    """What sharpness by depth is made of: sums over the hole's bands of `DEPTHS`, outermost first.

    A pixel's gradient is the mean, over RGB and both directions, of the absolute difference to the
    next pixel. Its depth is the distance to the nearest known pixel: up to 8 px, up to 24, deeper.

    Raises:
        ImageError: as for `psnr`.
        MaskError: as for `hole_psnr`.
    """
    first, second = _pair(image, reference)
    hole = _hole(mask, first.shape[:2])
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    band = np.digitize(depth, DEPTHS, right=True)
    gradients = _gradient(first), _gradient(second)
    found = []
    for number in range(len(DEPTHS) + 1):
        inside = hole & (band == number)
        repaired, true = (float(each[inside].sum()) for each in gradients)
        found.append(Gradients(int(inside.sum()), repaired, true))
    return tuple(found)


def _gradient(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """[height, width, 3] -> [height, width]; the last row and column repeat the one before."""
    down = np.abs(np.diff(image, axis=0)).mean(axis=2)
    right = np.abs(np.diff(image, axis=1)).mean(axis=2)
    down, right = np.pad(down, ((0, 1), (0, 0)), "edge"), np.pad(right, ((0, 0), (0, 1)), "edge")
    return np.asarray((down + right) / 2)


def _hole(mask: npt.NDArray[np.generic], size: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    if mask.shape != size:
        raise MaskError(
            f"mask must be [height, width] like the image {size}. Received: mask.shape={mask.shape}"
        )
    hole = mask.astype(bool)
    if not hole.any():
        raise MaskError("mask must have a hole to measure. Received: a mask of zeros")
    return hole


def _pair(
    image: Image, reference: Image
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if image.shape != reference.shape or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(
            "image and reference must be [height, width, 3] of the same size. "
            f"Received: image.shape={image.shape}, reference.shape={reference.shape}"
        )
    return image.astype(np.float64), reference.astype(np.float64)


def _decibels(mean_squared_error: float) -> float:
    floor = 10 ** (-PSNR_CEILING / 10)
    return float(-10 * np.log10(max(mean_squared_error, floor)))


def _blur(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    blurred = cv2.GaussianBlur(values, (SSIM_WINDOW, SSIM_WINDOW), SSIM_SIGMA)
    return np.asarray(blurred, dtype=np.float64)
