"""Sketches: strokes become edges and colours of a repair, and an absent one changes nothing."""

from typing import Any

import numpy as np
import pytest

from cnnlg_tf.models.fill import membrane_fill
from cnnlg_tf.models.sketch import (
    edges,
    fill_with_sketch,
    half_known,
    halved,
    make_sketch,
    redrawn,
    without_halos,
)

SIDE = 64


def hole() -> np.ndarray:
    mask = np.zeros((1, SIDE, SIDE, 1), np.float32)
    mask[:, 8:56, 8:56] = 1.0
    return mask


def two_sides() -> np.ndarray:
    """Blue on the left, yellow on the right: [1, h, w, 3] in [0, 1]."""
    image = np.empty((1, SIDE, SIDE, 3), np.float32)
    image[:, :, :32], image[:, :, 32:] = (0.2, 0.3, 0.8), (0.8, 0.7, 0.2)
    return image


def line(colour: tuple[float, float, float] = (0, 0, 0)) -> tuple[np.ndarray, np.ndarray]:
    """Down the middle; NaN beside it, which nobody may look at."""
    strokes = np.zeros((1, SIDE, SIDE, 1), np.float32)
    strokes[:, :, 31:33] = 1.0
    return np.where(strokes > 0.5, np.float32(colour), np.nan).astype(np.float32), strokes


def filled(image: np.ndarray, colours: np.ndarray, strokes: np.ndarray) -> np.ndarray:
    sketch = make_sketch(colours, strokes, hole())
    result: np.ndarray = fill_with_sketch((2 * image - 1) * (1 - hole()), hole(), sketch).numpy()
    return (result + 1) / 2


def test_a_line_is_an_edge_between_what_lies_on_both_sides() -> None:
    image = two_sides()
    error = np.abs(filled(image, *line()) - image)
    assert error[:, :, :31].max() < 0.05 and error[:, :, 33:].max() < 0.05
    smooth = (membrane_fill((2 * image - 1) * (1 - hole()), hole()).numpy() + 1) / 2
    assert np.abs(smooth - image).max() > 0.25


@pytest.mark.parametrize(("grey", "sign"), [(0.0, -1), (1.0, 1)])
def test_a_grey_line_between_equal_sides_is_faint_and_no_thicker_than_drawn(
    grey: float, sign: int
) -> None:
    image = np.full((1, SIDE, SIDE, 3), 0.5, np.float32)
    change = sign * (filled(image, *line((grey,) * 3)) - image)[0, 32]
    assert np.all(change[31:33] > 0.08) and np.all(change[31:33] < 0.15)
    assert np.abs(change[:30]).max() < 0.01 and np.abs(change[34:]).max() < 0.01


def test_a_coloured_line_has_its_colour_and_fills_what_it_closes_in() -> None:
    image = np.full((1, SIDE, SIDE, 3), 0.5, np.float32)
    ring = np.zeros((1, SIDE, SIDE, 1), np.float32)
    ring[:, 20:44, 20:44], ring[:, 23:41, 23:41] = 1.0, 0.0
    shown = filled(image, np.broadcast_to(np.float32([0.9, 0.1, 0.1]), image.shape), ring)[0]
    np.testing.assert_allclose(shown[21, 30], [0.9, 0.1, 0.1], atol=1e-5)
    assert shown[32, 32, 0] > 0.8 and shown[32, 32, 1] < 0.2
    np.testing.assert_allclose(shown[14, 32], 0.5, atol=0.1)


def test_strokes_outside_the_hole_and_an_empty_sketch_change_nothing() -> None:
    image = np.random.default_rng(0).uniform(0, 1, (1, SIDE, SIDE, 3)).astype(np.float32)
    given = (2 * image - 1) * (1 - hole())
    outside = 1.0 - hole()
    for strokes in (outside, 0 * outside):
        sketch = make_sketch(image, strokes, hole())
        np.testing.assert_array_equal(
            fill_with_sketch(given, hole(), sketch), membrane_fill(given, hole())
        )
        np.testing.assert_array_equal(half_known(hole(), sketch), hole())


def test_edges_are_thin_strokes_and_the_rims_of_thick_ones() -> None:
    strokes = np.zeros((1, SIDE, SIDE, 1), np.float32)
    strokes[:, 10:54, 10], strokes[:, 20:44, 20:44] = 1.0, 1.0
    marked = edges(make_sketch(np.zeros((1, SIDE, SIDE, 3)), strokes, hole())).numpy()[0, :, :, 0]
    assert marked[32, 8:13].all() and not marked[32, 14]
    assert marked[32, 18:22].all() and not marked[32, 24:40].any()


def test_half_the_resolution_loses_no_line_and_no_colour() -> None:
    colours, strokes = line((0.8, 0.2, 0.4))
    strokes[:, :, 32] = 0.0
    small = halved(make_sketch(colours, strokes, hole()), hole()[:, ::2, ::2])
    assert small.strokes.numpy()[0, 4:28, 15, 0].all() and small.strokes.numpy().sum() == 24
    np.testing.assert_allclose(small.colours[0, 10, 15], [0.6, -0.6, -0.2], atol=1e-6)


def test_repairs_follow_a_sketch_and_without_one_are_as_before(tiny_model: Any) -> None:
    image, mask = two_sides(), hole()
    plain, _ = tiny_model.repair(image, mask)
    colours, strokes = line()
    guide = np.stack([np.roll(image, shift, axis=2) for shift in range(-2, 3)]).mean(axis=0)
    smooth = tiny_model.refine(image, mask, guide)
    empty, absent = np.zeros((0, 0, 0, 3), np.float32), np.full((1, 16, 16, 3), -1.0, np.float32)
    for sketch, stroke, reference, compact in (
        (empty, empty[..., :1], empty, True),
        (colours, 0 * strokes, absent, True),
        (colours, 0 * strokes, absent, False),
    ):
        said = {"sketch": sketch, "sketch_mask": stroke, "reference": reference, "compact": compact}
        repaired, _ = tiny_model.repair(image, mask, **said)
        refined = tiny_model.refine(image, mask, guide, **said)
        for received, wanted in ((repaired, plain), (refined, smooth)):
            np.testing.assert_allclose(received, wanted, rtol=0.0, atol=0.0 if compact else 1e-6)

    def across(repaired: Any) -> float:
        """Mean step over the line, in the hole's middle rows."""
        rows = np.asarray(repaired)[0, 16:48]
        return float(np.abs(rows[:, 33] - rows[:, 30]).mean())

    drawn, _ = tiny_model.repair(image, mask, sketch=colours, sketch_mask=strokes)
    sampled = tiny_model.sample(image, mask, [1, 2], 1.0, sketch=colours, sketch_mask=strokes)
    assert np.isfinite(drawn).all()
    true = across(image)
    assert min(across(drawn), across(sampled)) > 0.9 * true and across(plain) < 0.8 * true
    refined = tiny_model.refine(image, mask, guide, sketch=colours, sketch_mask=strokes)
    assert across(guide) < 0.7 * true < 0.9 * true < across(refined)


def test_a_drawn_sketch_is_followed_alike_where_an_empty_one_costs_nothing() -> None:
    (colours, strokes), mask, image = line((0.8, 0.2, 0.4)), hole(), 2.0 * two_sides() - 1.0
    looked, plain = (make_sketch(colours, strokes, mask, compact) for compact in (True, False))
    for made in (
        lambda sketch: fill_with_sketch(image, mask, sketch),
        lambda sketch: without_halos(0.3 * image, image, sketch),
        lambda sketch: redrawn(image, mask, sketch),
        edges,
    ):
        np.testing.assert_array_equal(made(looked), made(plain))


def test_a_repair_overshoots_beside_no_stroke() -> None:
    sketch = make_sketch(*line(), hole())
    smooth = np.zeros((1, SIDE, SIDE, 3), np.float32)
    wild = np.full_like(smooth, 0.9)
    kept = without_halos(wild, smooth, sketch).numpy()[0, 32, :, 0]
    np.testing.assert_allclose(kept[27:37], 0.1, atol=1e-6)
    np.testing.assert_allclose(kept[[26, 37]], 0.9, atol=1e-6)
