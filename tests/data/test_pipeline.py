import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnlg_tf.config import DataConfig, MaskConfig, SyntheticConfig
from cnnlg_tf.data.photos import PhotoFolder
from cnnlg_tf.data.pipeline import Batch, TrainingData, open_source
from cnnlg_tf.data.synthetic import SyntheticImages
from cnnlg_tf.data.tfrecord import TFRecordFolder, pack_photos
from cnnlg_tf.errors import DataError

SYNTHETIC = DataConfig(kind="synthetic", synthetic=SyntheticConfig(length=6, size=48))


def make_data(seed: int = 0, workers: int = 1, **changes: object) -> TrainingData:
    data = SYNTHETIC.model_copy(update={"workers": workers, **changes})
    return TrainingData(data, MaskConfig(), crop=32, batch_size=4, seed=seed, damage=True)


def same(a: Batch, b: Batch) -> bool:
    return set(a) == set(b) and all(np.array_equal(a[key], b[key]) for key in a)  # type: ignore[literal-required]


def test_a_batch_keeps_its_contract() -> None:
    batch = make_data().batch(0)
    assert {key: (value.shape, value.dtype.name) for key, value in batch.items()} == {
        "image": ((4, 32, 32, 3), "uint8"),
        "mask": ((4, 32, 32, 1), "uint8"),
        "damaged": ((4, 32, 32, 3), "uint8"),
    }
    assert set(np.unique(batch["mask"])) <= {0, 1, 2}
    hole = batch["mask"][..., 0] == 1
    assert 0 < hole.mean() < 1
    change = np.abs(batch["damaged"].astype(int) - batch["image"]).max(-1)
    assert np.median(change[hole]) > 12 and np.median(change[~hole]) < 6


def test_holes_are_drawn_where_no_damage_is_asked_for() -> None:
    batch = TrainingData(SYNTHETIC, MaskConfig(), crop=32, batch_size=4, seed=0).batch(0)
    assert set(batch) == {"image", "mask"}
    assert all(0 < share < 1 for share in batch["mask"].mean((1, 2, 3)))


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    data, again = make_data(), make_data()
    batches = [data.batch(step) for step in range(8)]
    assert all(same(again.batch(step), batches[step]) for step in (7, 2, 0))
    assert not same(batches[0], batches[1])
    assert not same(make_data(seed=1).batch(0), batches[0])
    assert same(make_data(seed=-5).batch(3), make_data(seed=-5).batch(3))


def test_a_share_of_crops_is_made_new_and_the_others_stay() -> None:
    """Whether a crop varies changes nothing about the others: each has a generator of its own."""

    def squares(varied: float) -> np.ndarray:
        data = TrainingData(
            SYNTHETIC.model_copy(update={"varied": varied}), MaskConfig(), 32, 8, seed=2
        )
        return np.concatenate([data.batch(step)["image"] for step in range(6)])

    plain, some, every = (squares(share) for share in (0.0, 0.4, 1.0))
    kept = [np.array_equal(a, b) for a, b in zip(plain, some, strict=True)]
    assert 0.35 < np.mean(kept) < 0.85
    assert not any(np.array_equal(a, b) for a, b in zip(plain, every, strict=True))
    made = ~np.array(kept)
    assert np.array_equal(some[made], every[made])


def test_a_resumed_run_sees_the_same_batches_with_any_number_of_workers() -> None:
    expected = [make_data().batch(step) for step in range(12)]
    for workers, start in ((1, 0), (3, 0), (2, 7)):
        with make_data(workers=workers).iterate(start, 12) as batches:
            got = list(batches)
        assert len(got) == 12 - start
        assert all(same(a, b) for a, b in zip(got, expected[start:], strict=True))


def test_each_epoch_visits_every_image_once() -> None:
    class Counting:
        """Six images, each of one grey level: its index."""

        def __len__(self) -> int:
            return 6

        def get(self, index: int) -> np.ndarray:
            return np.full((40, 40, 3), index, np.uint8)

    data = TrainingData(SYNTHETIC, MaskConfig(), 32, 4, 0, source=Counting())
    seen = [int(i) for step in range(9) for i in data.batch(step)["image"][:, 0, 0, 0]]
    epochs = [seen[at : at + 6] for at in range(0, 36, 6)]
    assert all(sorted(epoch) == list(range(6)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


@pytest.mark.parametrize("size", [(20, 24), (32, 32), (33, 200), (300, 90)])
def test_crops_fit_photos_of_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    class One:
        def __len__(self) -> int:
            return 1

        def get(self, index: int) -> np.ndarray:
            y, x = np.mgrid[: size[0], : size[1]]
            return np.stack([y % 256, x % 256, y * 0], -1).astype(np.uint8)

    data = TrainingData(SYNTHETIC, MaskConfig(), 32, 2, 0, source=One())
    steps, flipped = set(), set()
    for step in range(12):
        for image in data.batch(step)["image"]:
            down = np.median(np.diff(image[:, 5, 0].astype(int)))
            right = np.median(np.diff(image[5, :, 1].astype(int)))
            steps.add(float(down))
            flipped.add(right < 0)
    assert flipped == {False, True}
    limit = 2.01 if min(size) >= 64 else max(1.1, min(size) / 32)
    assert 0 < min(steps) and max(steps) <= np.ceil(limit)


def test_it_notes_when_each_batch_was_handed_over() -> None:
    with make_data().iterate(0, 3) as batches:
        began = time.perf_counter()
        next(batches)
        between = time.perf_counter()
        list(batches)
    first, *others = batches.handed
    assert began < first < between
    assert len(others) == 2 and between < min(others)


def test_closing_stops_the_threads() -> None:
    with make_data(workers=2).iterate(0) as batches:
        next(batches)
        mine = {thread for thread in batches._pool._threads if thread.is_alive()}
        assert mine
    with pytest.raises(StopIteration):
        next(batches)
    for thread in mine:
        thread.join(timeout=5)
        assert not thread.is_alive()


def test_an_error_in_a_thread_reaches_the_consumer(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    data = TrainingData(DataConfig(root=tmp_path), MaskConfig(), 32, 1, 0)
    with data.iterate(0) as batches, pytest.raises(DataError, match="none of its 1 images"):
        next(batches)


def test_a_dataset_gives_the_same_batches_with_fixed_shapes() -> None:
    data = make_data(workers=2)
    dataset = data.iterate(3, 8).dataset()
    assert dataset.element_spec["image"].shape == (4, 32, 32, 3)
    got = list(dataset.as_numpy_iterator())
    assert len(got) == 5
    assert all(same(batch, data.batch(3 + i)) for i, batch in enumerate(got))


def test_sources_open_by_kind(photo_folder: Callable[..., Path], tmp_path: Path) -> None:
    root = photo_folder(count=3)
    pack_photos(root, tmp_path / "packed")
    folder = open_source(DataConfig(root=root))
    packed = open_source(DataConfig(kind="tfrecord", root=tmp_path / "packed"))
    assert isinstance(folder, PhotoFolder) and isinstance(packed, TFRecordFolder)
    assert isinstance(open_source(SYNTHETIC), SyntheticImages)
    first, second = (
        TrainingData(SYNTHETIC, MaskConfig(), 32, 2, 0, s, damage=True) for s in (folder, packed)
    )
    assert same(first.batch(0), second.batch(0))
