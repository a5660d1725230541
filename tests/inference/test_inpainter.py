"""Photo in, photo out: known pixels exact, holes filled, at any size, type and shape of hole."""

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import CancelledError, ConfigError, ImageError, MaskError
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.painting import paint
from cnnlg_tf.photos import read_photo
from tests.networks import MeanFill


def rough(height: int, width: int, dtype: Any = np.uint8) -> np.ndarray:
    values = np.random.default_rng(0).random((height, width, 3))
    if np.issubdtype(dtype, np.floating):
        return values.astype(dtype)
    return (values * np.iinfo(dtype).max).astype(dtype)


def strokes(height: int, width: int, thickness: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    cv2.line(mask, (width // 8, height // 8), (width // 2, height // 2), 255, thickness)
    return mask


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_known_pixels_are_exact_in_every_type(mean_fill: Any, dtype: Any) -> None:
    photo, mask = rough(70, 90, dtype), strokes(70, 90, 9)
    result = Inpainter(mean_fill).repair(photo, mask)
    hole = mask > 0
    assert result.photo.dtype == dtype
    assert np.array_equal(result.photo[~hole], photo[~hole])
    full = 1.0 if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max
    assert np.abs(result.photo[hole] / full - 0.5).max() < 0.05
    assert np.array_equal(result.mask, hole)
    assert np.allclose(result.uncertainty, 0.25 * hole)


@pytest.mark.parametrize("shape", [(16, 16), (17, 1300), (600, 560)])
@pytest.mark.parametrize("kind", ["thin", "thick", "all but one", "all"])
def test_any_size_and_hole(mean_fill: Any, shape: tuple[int, int], kind: str) -> None:
    photo = rough(*shape)
    mask = strokes(*shape, 5) if kind == "thin" else np.full(shape, 255, np.uint8)
    if kind == "thick":
        mask[: shape[0] // 3] = 0
    if kind == "all but one":
        mask[0, 0] = 0
    result = Inpainter(mean_fill).repair(photo, mask)
    hole = mask > 0
    assert np.array_equal(result.photo[~hole], photo[~hole])
    if kind == "all":
        plain = Inpainter(MeanFill(can=frozenset())).repair(photo, mask).photo
        assert np.all(plain == 128)


def test_the_network_sees_the_hole_and_not_the_photo(mean_fill: Any) -> None:
    photo, mask = rough(1000, 1200), np.zeros((1000, 1200), np.uint8)
    mask[700:720, 900:930] = 255
    Inpainter(mean_fill).repair(photo, mask)
    assert len(mean_fill.seen) == 1
    assert max(mean_fill.seen[0]) <= 192
    mask[200:700, 300:900] = 255
    Inpainter(mean_fill).repair(photo, mask)
    assert all(max(seen) <= 512 for seen in mean_fill.seen)


def test_thick_holes_are_refined_at_each_finer_resolution() -> None:
    """The last refinement's pattern, over fainter ones of the coarser, is whole: every pixel has it."""
    photo, mask = np.full((1400, 1200, 3), 100, np.uint8), np.zeros((1400, 1200), bool)
    mask[200:1100, 150:950] = True
    network = MeanFill()
    repaired = Inpainter(network).repair(photo, mask).photo
    assert max(max(shape) for shape in network.refined) <= 512 and len(network.refined) > 6
    inside = repaired[300:1000, 250:850, 0].astype(int)
    steps = np.diff(inside, axis=0)  # up and down from row to row
    assert (np.sign(steps[1:]) == -np.sign(steps[:-1])).mean() > 0.97
    assert 20 < np.abs(steps).mean() < 30
    assert np.array_equal(repaired[~mask], photo[~mask])
    smooth = Inpainter(MeanFill(can=frozenset())).repair(photo, mask).photo
    assert np.ptp(smooth[mask]) <= 1


@pytest.mark.parametrize(
    ("side", "box", "seen"),
    [(256, 120, [(256, 256)]), (400, 40, [(400, 400)]), (400, 120, [(200, 200)])],
)
def test_thick_holes_of_larger_photos_are_repaired_at_the_size_of_the_training(
    mean_fill: Any, side: int, box: int, seen: list[tuple[int, int]]
) -> None:
    photo, mask = rough(side, side), np.zeros((side, side), bool)
    mask[100 : 100 + box, 100 : 100 + box] = True
    repaired = Inpainter(mean_fill).repair(photo, mask).photo
    assert [(height, width) for height, width, *_ in mean_fill.seen] == seen
    assert np.array_equal(repaired[~mask], photo[~mask])


def test_samples_follow_the_seed(mean_fill: Any) -> None:
    photo, mask = rough(60, 60), strokes(60, 60, 9)
    inpainter = Inpainter(mean_fill)
    first = inpainter.repair(photo, mask, samples=2, seed=7).samples
    again = inpainter.repair(photo, mask, samples=2, seed=7).samples
    other = inpainter.repair(photo, mask, samples=1, seed=8).samples
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], other[0])
    for sample in first:
        assert np.array_equal(sample[mask == 0], photo[mask == 0])


def test_references_reach_the_network(mean_fill: Any) -> None:
    photo, mask = rough(60, 60), strokes(60, 60, 9)
    reference = np.full((40, 1200, 3), 51, np.uint8)
    result = Inpainter(mean_fill).repair(photo, mask, reference=reference, samples=1)
    assert np.all(result.photo[mask > 0] == 51)
    Inpainter(mean_fill).repair(photo, mask, reference=[reference, photo[::-1]])
    assert [len(seen.reference) for seen in mean_fill.conditions] == [1, 1, 2]


def test_what_the_network_cannot_do_is_told_before_any_work(photo: np.ndarray) -> None:
    network = MeanFill(can=frozenset())
    inpainter, hole = Inpainter(network), np.ones(photo.shape[:2], bool)
    message = (
        "another detail than 1 and a reference photo must be among what the network can do. "
        "Received: a stand-in, which can do none of these"
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        inpainter.repair(photo, hole, detail=0.5, reference=photo)
    with pytest.raises(ConfigError, match="samples must be among"):
        inpainter.repair(photo, hole, samples=1)
    with pytest.raises(ConfigError, match=r"finding damage \(blind repair\) must be among"):
        inpainter.repair(photo)
    assert network.seen == []


@pytest.mark.parametrize("value", [np.nan, 255.0, -np.inf])
def test_what_a_hole_holds_does_not_matter(mean_fill: Any, value: float) -> None:
    photo, mask = rough(40, 50, np.float32), strokes(40, 50, 9)
    expected = Inpainter(mean_fill).repair(photo, mask).photo
    damaged = np.where(mask[..., None] > 0, np.float32(value), photo)
    assert np.array_equal(Inpainter(mean_fill).repair(damaged, mask).photo, expected)


def test_a_narrow_network_gets_narrow_windows() -> None:
    network = MeanFill(widest=128)
    photo, mask = rough(300, 200), np.zeros((300, 200), bool)
    mask[20:280, 90:110] = True
    result = Inpainter(network).repair(photo, mask)
    assert np.array_equal(result.photo[~mask], photo[~mask]) and len(network.seen) > 1
    white = photo // 2
    white[5:9, 5:190] = 255
    assert np.array_equal(Inpainter(network).find_damage(white).mask, (white == 255).all(-1))


def test_progress_and_cancelling(mean_fill: Any) -> None:
    photo, mask = rough(560, 1030), np.zeros((560, 1030), bool)
    mask[20:30, 10:1000] = mask[400:410, 10:1000] = True
    shares: list[float] = []
    Inpainter(mean_fill).repair(photo, mask, samples=1, progress=shares.append)
    assert shares == sorted(shares) and len(shares) > 4 and shares[-1] == 1.0
    assert 0.5 in shares  # the expected repair is half of the work
    mean_fill.seen.clear()
    with pytest.raises(CancelledError, match="the repair was cancelled"):
        Inpainter(mean_fill).repair(photo, mask, cancelled=lambda: len(mean_fill.seen) == 2)
    assert len(mean_fill.seen) == 2


def test_colours_that_are_hidden_are_not_looked_at(mean_fill: Any) -> None:
    photo = np.full((60, 60, 3), 100, np.uint8)
    hole, hidden = np.zeros((60, 60), bool), np.zeros((60, 60), bool)
    hole[20:30, 20:30] = hidden[:, 40:] = True
    photo[hidden] = 255
    painted, uncertainty = paint(photo, hole, mean_fill, hidden=hidden)
    assert np.all(painted[hole] == 100) and np.all(painted[hidden] == 255)
    assert np.array_equal(uncertainty > 0, hole)


def test_blind_repair_finds_damage_over_all_tiles(mean_fill: Any, caplog: Any) -> None:
    photo = (rough(560, 1030) * 0.5).astype(np.uint8)
    damaged = photo.copy()
    cv2.line(damaged, (5, 5), (1020, 550), (255, 255, 255), 3)
    result = Inpainter(mean_fill).repair(damaged, grow=0)
    assert np.array_equal(result.mask, (damaged == 255).all(axis=-1))
    assert result.photo.max() < 255
    assert not caplog.records
    clean = Inpainter(mean_fill).repair(photo)
    assert np.array_equal(clean.photo, photo)
    assert "no damage was found: the photo comes back unchanged" in caplog.text


def test_mask_without_a_hole(mean_fill: Any, photo: np.ndarray, caplog: Any) -> None:
    result = Inpainter(mean_fill).repair(photo, np.zeros(photo.shape[:2], bool), samples=1)
    assert np.array_equal(result.photo, photo) and np.array_equal(result.samples[0], photo)
    assert "no missing (white) pixel: the photo comes back unchanged" in caplog.text
    assert not mean_fill.seen


@pytest.mark.parametrize(
    "form", ["array", "PIL", "path", "string", "lists", "integers", "bytes", "RGBA", "float16"]
)
def test_photos_and_masks_in_many_forms(
    mean_fill: Any,
    photo: np.ndarray,
    mask: np.ndarray,
    photo_path: Path,
    mask_path: Path,
    form: str,
) -> None:
    forms: dict[str, tuple[Any, Any]] = {
        "array": (photo, mask > 0),
        "PIL": (Image.fromarray(photo), Image.fromarray(mask)),
        "path": (photo_path, mask_path),
        "string": (str(photo_path), str(mask_path)),
        "lists": (photo.tolist(), (mask > 0).tolist()),
        "integers": (photo.astype(np.int64), (mask // 255).astype(np.int64)),
        "bytes": (photo_path.read_bytes(), mask_path.read_bytes()),
        "RGBA": (np.dstack([photo, np.full_like(mask, 9)]), np.dstack([mask] * 3)),
        "float16": ((photo / 255).astype(np.float16), mask / 255),
    }
    given, hole = forms[form]
    result = Inpainter(mean_fill).repair(given, hole)
    assert np.array_equal(result.mask, mask > 0)
    if form == "float16":
        assert np.array_equal(result.photo[mask == 0], given[mask == 0])
    else:
        assert result.photo.dtype == np.uint8
        assert np.array_equal(result.photo[mask == 0], photo[mask == 0])


def test_what_lies_under_alpha_0_is_not_known(mean_fill: Any) -> None:
    photo, mask = np.full((60, 60, 4), 100, np.uint8), np.zeros((60, 60), bool)
    mask[20:30, 20:30] = True
    photo[:, 40:] = (255, 255, 255, 0)
    assert np.all(Inpainter(mean_fill).repair(photo, mask).photo[mask] == 100)
    assert not Inpainter(mean_fill).find_damage(photo).mask.any()


@pytest.mark.parametrize(
    "mask",
    [
        np.eye(20, dtype=bool),
        np.eye(20, dtype=np.uint8),
        np.eye(20, dtype=np.uint8)[..., np.newaxis] * 255,
        np.eye(20, dtype=np.float32) * 0.6,
    ],
)
def test_mask_types(mean_fill: Any, mask: np.ndarray) -> None:
    assert np.array_equal(Inpainter(mean_fill).repair(rough(20, 20), mask).mask, np.eye(20) > 0)


BAD_PHOTOS = [
    (np.zeros((20, 15), np.uint8), "photo must be [height, width, 3] with sides of at least 16"),
    (np.zeros((15, 20, 3), np.uint8), "Received: photo.shape=(15, 20, 3)"),
    (np.zeros((20, 20, 5), np.uint8), "photo must be an array [height, width, 3] of uint8"),
    (np.full((20, 20, 3), 256), "integers from 0 to 255. Received: int64, 256 to 256"),
    (np.zeros((20, 20, 3), complex), "Received: ndarray of complex128"),
    (
        np.full((20, 20, 3), 255.0),
        "float photo must lie in [0, 1] outside the hole. Received: values 255.0 to 255.0",
    ),
    (
        np.where(np.eye(20)[..., None], np.nan, np.ones((20, 20, 3))),
        "must lie in [0, 1] outside the hole. Received: values nan to nan",
    ),
]


@pytest.mark.parametrize(("photo", "message"), BAD_PHOTOS)
def test_bad_photos(mean_fill: Any, photo: np.ndarray, message: str) -> None:
    with pytest.raises(ImageError, match=re.escape(message)):
        Inpainter(mean_fill).repair(photo, np.zeros(photo.shape[:2], bool))


def test_bad_mask_and_options(mean_fill: Any, photo: np.ndarray, mask: np.ndarray) -> None:
    inpainter = Inpainter(mean_fill)
    message = "mask must be [height, width] like the photo (48, 64). Received: mask.shape=(47, 64)"
    with pytest.raises(MaskError, match=re.escape(message)):
        inpainter.repair(photo, mask[1:])
    with pytest.raises(ConfigError, match="detail must be from 0 to 2. Received: 3"):
        inpainter.repair(photo, mask, detail=3.0)
    with pytest.raises(ConfigError, match="samples must be 0 or more. Received: -1"):
        inpainter.repair(photo, mask, samples=-1)
    with pytest.raises(ImageError, match=r"reference must be \[height, width, 3\] with sides"):
        inpainter.repair(photo, mask, reference=photo[:15])
    with pytest.raises(ImageError, match=r"a float reference must lie in \[0, 1\]"):
        inpainter.repair(photo, mask, reference=[photo, photo * 1.0])


def test_repair_file_writes_what_was_asked_for(
    mean_fill: Any, photo_path: Path, mask_path: Path, photo: np.ndarray, tmp_path: Path
) -> None:
    output = tmp_path / "out" / "fixed.tiff"
    written = Inpainter(mean_fill).repair_file(
        photo_path, mask_path, output, samples=2, uncertainty=True
    )
    names = ["fixed.tiff", "fixed_sample1.tiff", "fixed_sample2.tiff", "fixed_uncertainty.png"]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in output.parent.iterdir()) == names
    known = np.asarray(Image.open(mask_path)) == 0
    assert np.array_equal(read_photo(output).pixels[known], photo[known])
    uncertainty = read_photo(written[-1])
    assert uncertainty.grey and np.all(uncertainty.pixels[known] == 0)
    assert np.all(uncertainty.pixels[~known] == round(0.25 * 65535))


def test_grey_and_alpha_survive_a_repair(
    mean_fill: Any, mask_path: Path, photo: np.ndarray, tmp_path: Path
) -> None:
    image = Image.fromarray(photo[..., 0])
    image.putalpha(Image.fromarray(photo[..., 1]))
    image.save(tmp_path / "grey.png")
    Inpainter(mean_fill).repair_file(tmp_path / "grey.png", mask_path, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as repaired:
        assert repaired.mode == "LA"
        assert np.array_equal(np.asarray(repaired)[..., 1], photo[..., 1])


def test_output_name_is_checked_before_any_work(mean_fill: Any, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="must end in one of"):
        Inpainter(mean_fill).repair_file(tmp_path / "none.png", None, tmp_path / "out.xyz")
