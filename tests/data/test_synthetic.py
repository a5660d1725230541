import numpy as np

from cnnlg_tf.data.synthetic import SyntheticImages


def test_images_depend_on_seed_and_index_alone() -> None:
    images, again = SyntheticImages(5, 64, seed=-1), SyntheticImages(5, 64, seed=-1)
    assert len(images) == 5 and images.skipped == []
    assert np.array_equal(images.get(3), again.get(3))
    assert not np.array_equal(images.get(3), images.get(4))
    assert not np.array_equal(images.get(3), SyntheticImages(5, 64, seed=0).get(3))


def test_images_have_structure_at_every_scale() -> None:
    images = SyntheticImages(6, 96, seed=0)
    for i in range(6):
        image = images.get(i)
        assert image.shape == (96, 96, 3) and image.dtype == np.uint8
        assert image.std() > 8
        edges = np.abs(np.diff(image.astype(int), axis=1)).max(-1) > 12
        assert 0.01 < edges.mean() < 0.8


def test_the_smallest_size_works() -> None:
    images = SyntheticImages(20, 32, seed=0)
    assert all(images.get(i).shape == (32, 32, 3) for i in range(20))
