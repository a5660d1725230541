"""Drawn prints: every kind shows where its mask says, and only there; all chance comes from the generator."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from cnnlg_tf.data.damage import IGNORED, KINDS, DamagedPrint, PrintMaker
from cnnlg_tf.data.damage.ageing import PLAIN, draw_tone
from cnnlg_tf.data.damage.layer import Layer
from cnnlg_tf.data.damage.lookalikes import LOOKALIKES
from cnnlg_tf.data.damage.prints import lay
from cnnlg_tf.data.stamps import Stamps
from cnnlg_tf.data.synthetic import dead_leaves
from cnnlg_tf.errors import DataError


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return dead_leaves(160, np.random.default_rng(0))[:120]


@pytest.fixture
def maker(stamp_root: Path) -> PrintMaker:
    return PrintMaker(Stamps(stamp_root))


def change(shown: DamagedPrint) -> np.ndarray:
    return np.abs(shown.damaged.astype(int) - shown.whole).max(-1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_shows_where_its_mask_says_and_only_there(
    kind: str, maker: PrintMaker, photo: np.ndarray
) -> None:
    shares = []
    for seed in range(8):
        shown = maker.photo(photo, np.random.default_rng(seed), (kind,))
        assert shown.kinds == (kind,)
        assert shown.damaged.dtype == shown.whole.dtype == shown.mask.dtype == np.uint8
        assert shown.damaged.shape == shown.whole.shape == (*shown.mask.shape, 3) == photo.shape
        assert set(np.unique(shown.mask)) <= {0, 1, IGNORED}
        shares.append(float((shown.mask == 1).mean()))
        if shares[-1] > 0.002:
            marked, free = change(shown)[shown.mask == 1], change(shown)[shown.mask == 0]
            assert np.median(marked) > 12 and np.median(free) < 6
    assert 0.002 < np.mean(shares) < 0.5


def test_chance_comes_from_the_generator_alone(maker: PrintMaker, photo: np.ndarray) -> None:
    square = photo[:96, :96]
    first, again, other = (maker.crop(square, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first.damaged, again.damaged) and np.array_equal(first.mask, again.mask)
    assert not np.array_equal(first.damaged, other.damaged)


def test_prints_are_clean_as_often_as_asked(photo: np.ndarray) -> None:
    square = photo[:64, :64]
    whole = PrintMaker(clean=1.0, lookalike=1.0)
    for seed in range(20):
        shown = whole.crop(square, np.random.default_rng(seed))
        assert shown.kinds == () and not shown.mask.any()
        assert np.array_equal(shown.damaged, shown.whole)
    kinds = [PrintMaker(clean=0.5).crop(square, np.random.default_rng(s)).kinds for s in range(200)]
    assert 70 < sum(not k for k in kinds) < 130
    assert {k for drawn in kinds for k in drawn} <= set(KINDS) - {"stamp"}


def test_kinds_are_drawn_as_often_as_asked(photo: np.ndarray) -> None:
    maker, square = PrintMaker(clean=0.0, kinds={"dust": 3.0, "fold": 1.0}), photo[:32, :32]
    drawn = [k for s in range(150) for k in maker.crop(square, np.random.default_rng(s)).kinds]
    assert set(drawn) == {"dust", "fold"} and 0.65 < drawn.count("dust") / len(drawn) < 0.85
    with pytest.raises(DataError, match=r"must be among crack, .* folder of stamps\). Received: x"):
        PrintMaker(kinds={"x": 1.0})
    with pytest.raises(DataError, match="Received: stamp"):
        PrintMaker(kinds={"stamp": 1.0})


def test_a_finer_scan_shows_the_photo_larger(maker: PrintMaker, photo: np.ndarray) -> None:
    shown = maker.photo(photo, np.random.default_rng(0), ("crack",), scale=2.5)
    assert shown.damaged.shape == (300, 400, 3)
    small = cv2.resize(shown.whole, (160, 120), interpolation=cv2.INTER_AREA).mean(-1)
    assert np.corrcoef(small.ravel(), photo.mean(-1).ravel())[0, 1] > 0.9


def test_a_share_of_crops_is_seen_enlarged(photo: np.ndarray) -> None:
    """Enlarged, a mask is made of squares of 2 x 2; as drawn it is not."""
    square = photo[:96, :96]
    for share in (0.0, 0.3, 1.0):
        maker, doubled = PrintMaker(clean=0.0, enlarged=share), 0
        for seed in range(60):
            shown = maker.crop(square, np.random.default_rng(seed))
            assert shown.damaged.shape == shown.whole.shape == square.shape
            assert shown.mask.shape == square.shape[:2]
            squares = shown.mask.reshape(48, 2, 48, 2).transpose(0, 2, 1, 3).reshape(-1, 4)
            doubled += bool((squares == squares[:, :1]).all() and shown.mask.any())
        assert abs(doubled / 60 - share) < 0.15


def test_faint_and_unseen_damage_counts_neither_way() -> None:
    base = np.full((8, 40, 3), 100, np.float32)
    opacity = np.zeros((8, 40), np.float32)
    opacity[:, 8:16], opacity[:, 16:24], opacity[:, 24:32] = 1.0, 0.15, 0.9
    paint = np.full((8, 40, 3), 250, np.float32)
    paint[:, 24:32] = 108  # hides the photo in nearly its own colour
    covered, mask = lay(base, [Layer(opacity, paint)], PLAIN)
    assert [int(mask[4, x]) for x in (3, 12, 20, 28, 36)] == [0, 1, IGNORED, IGNORED, 0]
    assert covered[4, 12, 0] == 250 and covered[4, 3, 0] == 100


def test_shading_is_drawn_and_does_not_count() -> None:
    base = np.full((4, 4, 3), 100, np.float32)
    shade = Layer(np.ones((4, 4), np.float32), gain=np.full(3, 0.5, np.float32), marks=False)
    covered, mask = lay(base, [shade], PLAIN)
    assert covered.max() == 50 and not mask.any()


def test_tones_keep_their_black_below_their_white() -> None:
    ramp = np.repeat(np.linspace(0, 255, 32, dtype=np.float32)[None, :, None], 3, -1)
    for seed in range(40):
        toned = draw_tone(np.random.default_rng(seed)).of(ramp)
        assert toned.min() >= -1 and toned.max() <= 256
        assert np.all(np.diff(toned.mean(-1)) > 0)


@pytest.mark.parametrize("kind", sorted(LOOKALIKES))
def test_a_lookalike_changes_the_photo_and_stays_an_image(kind: str, photo: np.ndarray) -> None:
    image = photo[:100, :100].astype(np.float32)
    changed = 0
    for seed in range(5):
        drawn = LOOKALIKES[kind](image, np.random.default_rng(seed))
        assert drawn.shape == image.shape and np.all(np.isfinite(drawn))
        assert -60 < drawn.min() and drawn.max() < 320
        changed += bool(np.abs(drawn - image).max() > 10)
    assert changed >= 4


def test_a_crop_is_drawn_quickly_enough_to_train_on_two_cores(photo: np.ndarray) -> None:
    maker, square = PrintMaker(), photo[:96, :96]
    start = time.process_time()
    for seed in range(30):
        maker.crop(square, np.random.default_rng(seed))
    assert (time.process_time() - start) / 30 < 0.1  # some 6 ms on an idle core
