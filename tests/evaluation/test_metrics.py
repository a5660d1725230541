"""PSNR and SSIM against their definitions and against scikit-image."""

import numpy as np
import pytest

from cnnlg_tf.errors import ImageError, MaskError
from cnnlg_tf.evaluation.metrics import PSNR_CEILING, hole_gradients, hole_psnr, psnr, ssim


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    image = rng.uniform(size=(40, 33, 3))
    return image, np.clip(image + rng.normal(0, 0.1, image.shape), 0, 1)


def test_psnr_of_a_constant_difference() -> None:
    black = np.zeros((8, 8, 3))
    assert psnr(black + 0.1, black) == pytest.approx(20.0)


def test_psnr_of_equal_images_is_the_ceiling() -> None:
    image = np.full((8, 8, 3), 0.3)
    assert psnr(image, image) == PSNR_CEILING


def test_psnr_does_not_lose_small_differences_in_float32() -> None:
    image = np.full((64, 64, 3), 1.0, np.float32)
    other = image.copy()
    other[0, 0, 0] = np.float32(1) - np.float32(2**-23)
    assert psnr(image, other) == PSNR_CEILING
    shifted = image - np.float32(2**-12)
    assert psnr(image, shifted) == pytest.approx(20 * np.log10(2**12))


def test_hole_psnr_ignores_known_pixels() -> None:
    reference = np.zeros((8, 8, 3))
    image = reference + 0.9
    image[2:4, 2:4] = 0.01
    mask = np.zeros((8, 8), np.uint8)
    mask[2:4, 2:4] = 1
    assert hole_psnr(image, reference, mask) == pytest.approx(40.0)


def test_ssim_equals_scikit_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    structural_similarity = pytest.importorskip(
        "skimage.metrics", reason="needs scikit-image (extra `bench`)"
    ).structural_similarity
    expected = structural_similarity(
        *pair,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=-1,
    )
    assert ssim(*pair) == pytest.approx(expected, abs=1e-12)


def test_ssim_of_equal_images_is_one(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert ssim(pair[0], pair[0]) == pytest.approx(1.0, abs=1e-12)


def test_ssim_of_flat_images_has_a_closed_form() -> None:
    a, b, c1 = 0.2, 0.6, 1e-4
    expected = (2 * a * b + c1) / (a * a + b * b + c1)
    assert ssim(np.full((16, 16, 3), a), np.full((16, 16, 3), b)) == pytest.approx(expected)


def test_gradients_by_depth() -> None:
    mask = np.zeros((80, 80), bool)
    mask[10:71, 10:71] = True  # 61 px: the middle is 31 px from what is known
    true = np.tile(np.arange(80)[None, :, None] / 100, (80, 1, 3))
    repaired = true.copy()
    repaired[:, :40] = true[:, 40:41]  # flat on the left of the middle
    bands = hole_gradients(repaired, true, mask)
    depth = np.minimum.reduce([np.arange(61) + 1, np.arange(61)[::-1] + 1])
    expected = np.minimum(depth[:, None], depth[None, :])  # of a square, along its axes
    counts = [np.sum(expected <= 8), np.sum((expected > 8) & (expected <= 24)), 13**2]
    assert [band.pixels for band in bands] == counts
    for band in bands:
        assert band.true == pytest.approx(band.pixels * 0.01 / 2)
    assert bands[2].repaired / bands[2].true == pytest.approx(7 / 13)


def test_gradients_of_a_thin_hole_have_no_deep_band() -> None:
    image = np.random.default_rng(0).uniform(size=(20, 20, 3))
    mask = np.zeros((20, 20))
    mask[5:9] = 1
    shallow, middle, deep = hole_gradients(image, image, mask)
    assert shallow.repaired == shallow.true > 0 and shallow.pixels == 80
    assert middle == deep == (0, 0.0, 0.0)
    # What touches the photo's edge is deep where nothing known is near.
    assert (
        hole_gradients(image, image, np.arange(20)[:, None] * np.ones(20) < 15)[1].pixels == 7 * 20
    )


def test_errors() -> None:
    image = np.zeros((8, 9, 3))
    with pytest.raises(ImageError, match=r"of the same size.*image.shape=\(8, 9, 3\)"):
        psnr(image, np.zeros((9, 8, 3)))
    with pytest.raises(ImageError, match="must be \\[height, width, 3\\]"):
        ssim(image[..., 0], image[..., 0])
    with pytest.raises(ImageError, match="SSIM needs images of at least 11x11"):
        ssim(image, image)
    with pytest.raises(MaskError, match=r"like the image \(8, 9\). Received: mask.shape=\(9, 8\)"):
        hole_psnr(image, image, np.ones((9, 8)))
    with pytest.raises(MaskError, match=r"mask must be \[height, width\] like the image"):
        hole_gradients(image, image, np.ones((9, 8)))
    with pytest.raises(MaskError, match="mask must have a hole"):
        hole_psnr(image, image, np.zeros((8, 9)))
