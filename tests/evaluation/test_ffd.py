"""FFD: the network against given values, cells and distance against their definitions."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import CheckpointError, ImageError, MaskError
from cnnlg_tf.evaluation.ffd import (
    SCALES,
    Moments,
    PhotoFeatures,
    frechet_distance,
    hole_cells,
    hole_moments,
)

PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "photos" / "val"
EXAMPLES = Path(__file__).parents[2] / "cnnlg_tf" / "examples"


@pytest.fixture(scope="module")
def network() -> PhotoFeatures:
    return PhotoFeatures()


def _read(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def _whole(network: PhotoFeatures, image: np.ndarray) -> list[Moments]:
    """The moments over all positions."""
    return [Moments.of(each.reshape(-1, each.shape[-1])) for each in network(image[None] / 255.0)]


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos of the given values are not at hand")
def test_given_values(network: PhotoFeatures) -> None:
    """Whose features agree with an independent implementation's within 1e-4."""
    image = _read(PHOTOS / "101085.jpg")
    given = (
        ((121, 81, 24), 0.98779, 7.04658, (-2.0283, -5.3518, 5.1216)),
        ((61, 41, 40), 0.10634, 5.91359, (-6.0769, 4.2499, 2.4016)),
        ((31, 21, 112), -0.02721, 5.09216, (-4.4475, -5.9315, -0.7717)),
    )
    for (found,), (shape, mean, absolute, first) in zip(
        network(image[None] / 255.0), given, strict=True
    ):
        assert found.shape == shape
        assert found.mean() == pytest.approx(mean, abs=1e-4)
        assert np.abs(found).mean() == pytest.approx(absolute, rel=1e-4)
        assert found[10, 10, :3] == pytest.approx(first, abs=1e-3)
    true = _whole(network, image)
    for other, distances in (
        (_read(PHOTOS / "101087.jpg"), (0.25174, 0.29100, 0.37246)),
        (cv2.GaussianBlur(image, (0, 0), 2.0), (0.44212, 0.30569, 0.17958)),
    ):
        found = map(frechet_distance, _whole(network, other), true)
        assert tuple(found) == pytest.approx(distances, rel=1e-3)


def test_values_of_a_shipped_photo(network: PhotoFeatures) -> None:
    """What the network gave on the day when it agreed with the values above."""
    image = _read(EXAMPLES / "wren.jpg")[:96, :128]
    given = ((4.9635, 9.2848), (4.0487, 5.8160), (3.2066, 0.16545))
    for (found,), (absolute, value), scale in zip(
        network(image[None] / 255.0), given, SCALES, strict=True
    ):
        assert found.shape[:2] == (96 // scale, 128 // scale)
        assert np.abs(found).mean() == pytest.approx(absolute, rel=1e-3)
        assert found[2, 3, 1] == pytest.approx(value, rel=1e-3)
    blurred = _whole(network, cv2.GaussianBlur(image, (0, 0), 2.0))
    found = tuple(map(frechet_distance, blurred, _whole(network, image)))
    assert found == pytest.approx((0.009924, 0.033700, 0.060113), rel=1e-2)


def test_distance_of_known_gaussians() -> None:
    """Diagonal covariances commute, and so the root is that of the products."""
    a, b, shift = np.array([1.0, 4.0, 9.0]), np.array([4.0, 4.0, 1.0]), np.array([1.0, 0.0, 2.0])
    repaired = Moments(11, shift, 10 * np.diag(a))
    true = Moments(21, np.zeros(3), 20 * np.diag(b))
    expected = (5 + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)) / 9
    assert frechet_distance(repaired, true) == pytest.approx(expected)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turned = [Moments(m.count, turn @ m.mean, turn @ m.scatter @ turn.T) for m in (repaired, true)]
    assert frechet_distance(*turned) == pytest.approx(expected)
    assert frechet_distance(true, true) == pytest.approx(0, abs=1e-12)


def test_distance_of_fewer_features_than_channels() -> None:
    """Singular covariances have a root too; what is equal is at distance 0."""
    few = Moments.of(np.random.default_rng(0).normal(size=(4, 40)))
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)
    nothing = Moments.of(np.zeros((0, 40)))
    assert np.isnan(frechet_distance(few, nothing))
    assert np.isnan(frechet_distance(few, Moments.of(np.ones((5, 40)))))  # no variance to divide by


def test_moments_add_up() -> None:
    features = np.random.default_rng(0).normal(3, 2, (50, 5))
    whole = Moments.of(features)
    parts = [Moments.of(part) for part in np.split(features, [0, 7, 8])]
    total = sum(parts[1:], parts[0])
    assert total.count == 50
    np.testing.assert_allclose(total.mean, features.mean(axis=0))
    np.testing.assert_allclose(total.scatter / 49, np.cov(features.T))
    np.testing.assert_allclose(total.scatter, whole.scatter)
    assert (parts[0] + parts[0]).count == 0


@pytest.mark.parametrize("size", [(64, 64), (48, 80), (61, 77), (97, 50)])
@pytest.mark.parametrize("scale", SCALES)
def test_cells_are_where_the_features_look(
    network: PhotoFeatures, size: tuple[int, int], scale: int
) -> None:
    """A bright dot moves the feature of the cell that it lies in the most, if it lies in the middle."""
    number = SCALES.index(scale)
    image = np.full((*size, 3), 0.5)
    calm = network(image[None])[number][0]
    rows, columns = calm.shape[:2]
    at = (rows // 2, columns // 2)
    mask = np.zeros(size, bool)
    assert hole_cells(mask, scale).shape == (rows, columns) and not hole_cells(mask, scale).any()
    assert hole_cells(~mask, scale).all()
    # The pixels that alone can make this cell count are its area; its middle is theirs.
    inside = []
    for axis in (0, 1):
        hits = []
        for start in range(size[axis]):
            line = np.arange(size[axis]) < start
            whole = line[:, None] & ~mask if axis == 0 else line[None, :] & ~mask
            hits.append(bool(hole_cells(whole, scale)[at]))
        inside.append(hits.index(True) - 1)  # just past half of the area is missing
    dotted = image.copy()
    dotted[inside[0] - 1 : inside[0] + 2, inside[1] - 1 : inside[1] + 2] = 1.0
    moved = np.square(network(dotted[None])[number][0] - calm).sum(axis=-1)
    peak = np.unravel_index(moved.argmax(), moved.shape)
    assert max(abs(peak[0] - at[0]), abs(peak[1] - at[1])) <= 1
    weights = moved / moved.sum()
    middle = [
        (weights.sum(axis=1 - axis) * np.arange(n)).sum() for axis, n in enumerate(moved.shape)
    ]
    assert np.abs(np.subtract(middle, at)).max() < 0.5


def test_a_cell_counts_when_it_is_mostly_missing() -> None:
    mask = np.zeros((16, 16), bool)
    mask[1:5, 1:3] = True  # half of the cell whose area is rows and columns 1 to 4
    assert not hole_cells(mask, 4).any()
    mask[1, 3] = True
    assert np.argwhere(hole_cells(mask, 4)).tolist() == [[0, 0]]


def test_moments_of_a_photo_are_those_of_its_hole(network: PhotoFeatures) -> None:
    image = np.random.default_rng(0).uniform(size=(64, 96, 3))
    mask = np.zeros((64, 96), bool)
    mask[20:52, 30:70] = True
    found = hole_moments(network, image, mask)
    for moments, scale, maps in zip(found, SCALES, network(image[None]), strict=True):
        cells = hole_cells(mask, scale)
        assert moments.count == cells.sum() > 0
        np.testing.assert_allclose(moments.mean, maps[0][cells].mean(axis=0), rtol=1e-5)


def test_errors(network: PhotoFeatures, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"must be a batch .*image.shape=\(8, 8, 3\)"):
        network(np.zeros((8, 8, 3)))
    with pytest.raises(
        MaskError, match=r"like the image \(32, 32\). Received: mask.shape=\(32, 31"
    ):
        hole_moments(network, np.zeros((32, 32, 3)), np.ones((32, 31), bool))
    with pytest.raises(CheckpointError, match="encoder's weights .* cannot be read"):
        PhotoFeatures(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", stem_kernel=np.zeros(3))
    with pytest.raises(CheckpointError, match="stem_bias"):
        PhotoFeatures(tmp_path / "other.npz")
