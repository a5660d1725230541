"""How close a repair is to the photo: PSNR, PSNR inside the hole, SSIM. All in float64.

Images are [height, width, 3] in [0, 1], of any float type. The perceptual distance is in lpips.py.
"""

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
    if mask.shape != first.shape[:2]:
        raise MaskError(
            f"mask must be [height, width] like the image {first.shape[:2]}. "
            f"Received: mask.shape={mask.shape}"
        )
    hole = mask.astype(bool)
    if not hole.any():
        raise MaskError("mask must have a hole to measure. Received: a mask of zeros")
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
