"""Guided synthesis: what it lays is the photo's, where the guide says, alike in every batch and mode."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.models.guided_synthesis import synthesise
from cnnlg_tf.models.synthesis_scale import Synthesis

SEEDS = np.array([[1, 0], [2, 0]], np.int32)


def stripes(size: int, period: float, angle: float = 0.0) -> np.ndarray:
    """A photo of one texture: [1, size, size, 3]."""
    y, x = np.mgrid[0:size, 0:size]
    wave = np.sin(2 * np.pi * (np.cos(angle) * x + np.sin(angle) * y) / period)
    colours = np.array([0.3, 0.2, 0.1]) * wave[..., None] + 0.5
    return colours[None].astype(np.float32)


def box(size: int, low: int, high: int) -> np.ndarray:
    mask = np.zeros((1, size, size, 1), np.float32)
    mask[:, low:high, low:high] = 1.0
    return mask


def blurred(image: np.ndarray) -> np.ndarray:
    return np.asarray(tf.nn.avg_pool2d(image, 9, 1, "SAME"))


def run(image: np.ndarray, mask: np.ndarray, guide: np.ndarray, **options: object) -> Synthesis:
    hidden = np.where(mask > 0, 0.77, image).astype(np.float32)
    compact = bool(options.pop("compact", True))
    graph = graph_of(compact, *options)
    return Synthesis(*(np.asarray(x) for x in graph(hidden, mask, guide, *options.values())))


@cache
def graph_of(compact: bool, *options: str) -> Any:
    """One trace for all sizes: a trace takes longer than a run."""
    image, mask = tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([None, None, None, 1])
    kinds = {
        "reference": image,
        "seed": tf.TensorSpec([2], tf.int32),
        "temperature": tf.TensorSpec([]),
        "sure": mask,
    }

    def graph(image: tf.Tensor, mask: tf.Tensor, guide: tf.Tensor, *rest: tf.Tensor) -> Synthesis:
        return synthesise(
            image, mask, guide, compact=compact, **dict(zip(options, rest, strict=True))
        )

    signature = [image, mask, image, *(kinds[name] for name in options)]
    return tf.function(graph, input_signature=signature, autograph=False)


def test_a_periodic_texture_is_continued_where_its_guide_is_blurred() -> None:
    image, mask = stripes(96, 8.0), box(96, 28, 68)
    laid = run(image, mask, blurred(image))
    hole = mask[..., 0] > 0
    error = np.sqrt(np.mean((laid.image - image)[hole] ** 2))
    fog = np.sqrt(np.mean((blurred(image) - image)[hole] ** 2))
    assert error < 0.05 < 0.1 < fog
    assert laid.share[hole].mean() > 0.95 and laid.distance[hole].mean() < 0.15
    # known pixels, rounded to 8 bits, stay; nothing is told of them
    np.testing.assert_allclose(laid.image[~hole], image[~hole], atol=0.5 / 255 + 1e-6)
    assert not laid.share[~hole].any() and not laid.distance[~hole].any()


def test_the_guide_says_which_texture_belongs_where() -> None:
    fine, coarse = stripes(128, 6.0), stripes(128, 6.0, np.pi / 2)
    image = np.where(np.arange(128)[None, None, :, None] < 64, 0.6 * fine, 0.4 + 0.6 * coarse)
    image = image.astype(np.float32)
    mask = box(128, 40, 88)
    laid = run(image, mask, blurred(image))
    left, right = laid.image[0, 48:80, 44:60], laid.image[0, 48:80, 68:84]
    across, down = (np.abs(np.diff(x, axis=1)).mean() for x in (left, right))
    assert across > 3 * np.abs(np.diff(left, axis=0)).mean()
    assert np.abs(np.diff(right, axis=0)).mean() > 3 * down


@pytest.mark.parametrize(
    ("apart", "sure", "nearer"),
    [(20, False, True), (40, False, True), (40, True, False), (120, False, False)],
)
def test_of_sources_that_are_nearly_alike_the_nearer_is_taken(
    apart: int, sure: bool, nearer: bool
) -> None:
    """A texture, and at the photo's other end the same with as many levels more red: what the guide asks for."""
    red = np.zeros((1, 1, 256, 3), np.float32)
    red[:, :, 176:, 0] = apart / 255
    image = 0.8 * stripes(256, 8.0, 0.6)[:, :96] + red
    mask = np.zeros((1, 96, 256, 1), np.float32)
    mask[:, 32:64, 48:80] = 1.0
    guide = blurred(image) + mask * red[:, :, -1:]
    laid = run(image, mask, guide, sure=mask * sure)
    more = (laid.image - image)[:, 36:60, 52:76, 0].mean() * 255 / apart
    assert more == pytest.approx(0.0 if nearer else 1.0, abs=0.25)


def test_beyond_the_frame_the_guide_says_nothing_of_what_is_fine() -> None:
    """A guide of fine stripes, which are grey at coarser scales; a photo of such stripes, and of grain."""
    rng = np.random.default_rng(0)
    grain = np.asarray(tf.nn.avg_pool2d(rng.uniform(0, 1, (1, 128, 160, 3)), 3, 1, "SAME"))
    lines = np.tile([0.3, 0.3, 0.7, 0.7], 40)[None, None, :, None]
    image = np.where(np.arange(128)[None, :, None, None] < 32, lines, grain).astype(np.float32)
    guide = np.broadcast_to(lines, image.shape).astype(np.float32)

    def striped(columns: slice) -> float:
        """How much of the stripes is in rows of grain."""
        mask = np.zeros((1, 128, 160, 1), np.float32)
        mask[:, 48:112, columns] = 1.0
        mask[:, :, columns] += float(columns.stop == 160)  # all of the strip
        mask = np.minimum(mask, 1.0)
        laid = run(image, mask, guide).image[0, 64:96, columns]
        return float(np.corrcoef(laid.ravel(), guide[0, 64:96, columns].ravel())[0, 1])

    within, beyond = striped(slice(56, 104)), striped(slice(112, 160))
    assert within > 0.6 and beyond < 0.5 * within


def test_strokes_are_left_to_the_guide() -> None:
    image, mask = stripes(64, 8.0), np.zeros((1, 64, 64, 1), np.float32)
    mask[:, :, 30:34] = 1.0
    guide = np.full_like(image, 0.25)
    laid = run(image, mask, guide)
    assert not laid.share.any()
    np.testing.assert_allclose(laid.image[mask[..., 0] > 0], 0.25, atol=0.5 / 255)


@pytest.mark.parametrize("size", [16, 32, 48])
def test_where_nothing_can_be_copied_the_guide_stays(size: int) -> None:
    image = stripes(size, 8.0)
    guide = np.full_like(image, 0.4)
    for mask in (np.ones((1, size, size, 1), np.float32), box(size, 2, size - 2)):
        laid = run(image, mask, guide)
        hole = mask[..., 0] > 0
        assert np.isfinite(laid.image).all()
        np.testing.assert_allclose(laid.image[hole], 0.4, atol=0.5 / 255 + 1e-6)
        assert not laid.share.any()


def test_each_photo_of_a_batch_is_repaired_as_if_alone() -> None:
    images = [stripes(64, 8.0), 0.5 * stripes(64, 5.0, 1.0) + 0.4]
    masks = [box(64, 20, 44), box(64, 12, 40)]
    alone = [run(i, m, blurred(i)) for i, m in zip(images, masks, strict=True)]
    image, mask = np.concatenate(images), np.concatenate(masks)
    together = run(image, mask, blurred(image))
    for part, singles in zip(together, zip(*alone, strict=True), strict=True):
        np.testing.assert_allclose(part, np.concatenate(singles), atol=1e-5)


@pytest.mark.parametrize("reference", [pytest.param(False, marks=pytest.mark.slow), True])
def test_judging_every_position_gives_the_same(reference: bool) -> None:
    rng = np.random.default_rng(0)
    grain = rng.uniform(-0.2, 0.2, (2, 160, 160, 3)).astype(np.float32)
    image = np.concatenate([stripes(160, 7.0, 0.5), stripes(160, 11.0, 1.0)]) + grain
    image = np.clip(image, 0.0, 1.0)
    mask = np.concatenate([box(160, 20, 100), box(160, 60, 100)])
    mask[0, 130:134] = 1.0  # sources are rare and scattered
    guide = 0.7 * blurred(image[:, ::-1]) + 0.1  # coarse scales find nothing good: the few decide
    texture = grain[:1] + 0.4
    options = {"reference": texture, "seed": SEEDS[0], "temperature": np.float32(1.0)}
    more = options if reference else {}
    listed, all_judged = (run(image, mask, guide, compact=c, **more) for c in (True, False))
    for one, other in zip(listed, all_judged, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    graphs = [graph_of(compact, *more).get_concrete_function().graph for compact in (True, False)]
    # what becomes NonZero, which TensorRT does not take
    assert ["Where" in {node.op for node in g.as_graph_def().node} for g in graphs] == [True, False]


def test_a_reference_of_another_size_is_copied_from() -> None:
    image, texture = np.full((1, 64, 64, 3), 0.1, np.float32), stripes(96, 8.0)[:, :48]
    mask = box(64, 12, 52)
    guide = blurred(stripes(64, 8.0))
    plain = run(image, mask, guide)
    helped = run(image, mask, guide, reference=texture, seed=SEEDS[0], temperature=np.float32(0.0))

    def contrast(laid: Synthesis) -> float:
        return float(np.std(laid.image[0, 20:44, 20:44]))

    assert contrast(plain) < 0.02 and contrast(helped) > 0.12


def test_samples_copy_from_other_places() -> None:
    rng = np.random.default_rng(0)
    noise = np.asarray(
        tf.nn.avg_pool2d(rng.uniform(0, 1, (1, 192, 192, 3)).astype(np.float32), 3, 1, "SAME")
    )
    mask, guide = box(192, 80, 112), np.full_like(noise, 0.5)
    bright = np.full_like(noise, 0.95)
    draws = [
        run(noise, mask, guide, reference=bright, seed=seed, temperature=np.float32(1.0)).image
        for seed in (SEEDS[0], SEEDS[1], SEEDS[0])
    ]
    assert np.array_equal(draws[0], draws[2])
    hole = mask[..., 0] > 0
    assert np.abs(draws[0] - draws[1])[hole].mean() > 0.01
