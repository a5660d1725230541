"""In a real browser: draw, repair, undo, redo, choose, compare; by mouse, by touch and by keyboard alone."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.inference.holes import grown
from cnnlg_tf.ui.bits import encode_bits
from cnnlg_tf.ui.repair_routes import wishes_of
from cnnlg_tf.ui.repairing import Wishes
from tests.conftest import make_photo
from tests.ui.pages import REPAIRED, ServedPage
from tests.ui.tabs import Tab

pytestmark = pytest.mark.browser
HEIGHT, WIDTH = 200, 300


@pytest.fixture
def photo_file(tmp_path: Path) -> Path:
    """A PNG file of 300 x 200 pixels."""
    path = tmp_path / "coast.png"
    Image.fromarray(make_photo(HEIGHT, WIDTH)).save(path)
    return path


@pytest.fixture
def tab(page: ServedPage, open_tab: Callable[..., Tab], photo_file: Path) -> Tab:
    """The page with the photo open."""
    return open_tab(page, photo_file)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    """bool: pixels whose centre is within `radius` of a place."""
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    return np.hypot(xs - x, ys - y) <= radius


def differs(mask: np.ndarray, expected: np.ndarray) -> float:
    """Share of the expected pixels that are wrong: strokes go over whole screen pixels."""
    return float((mask != expected).sum() / expected.sum())


def test_brush_and_eraser_mark_discs_and_stripes(tab: Tab) -> None:
    tab.set_size(30)
    tab.draw((60, 60), (60, 60))
    assert differs(tab.mask(), disc(60, 60, 15)) < 0.1
    tab.draw((100, 100), (200, 100))
    mask = tab.mask()
    stripe = mask[:, 110:190]
    assert np.abs(stripe.sum(axis=0) - 30).max() <= 1, "as thick all along"
    assert stripe[86:114].all()
    tab.choose_tool("eraser")
    tab.draw((150, 50), (150, 150))
    mask = tab.mask()
    assert not mask[86:114, 140:160].any() and mask[90:110, 110:130].all()
    tab.choose_tool("brush")
    tab.draw((120, 100), (120, 100), button="right")
    assert not tab.mask()[95:105, 115:125].any(), "the right button erases"


def test_rectangle_lasso_and_line(tab: Tab) -> None:
    tab.choose_tool("rectangle")
    tab.draw((20, 30), (120, 90))
    mask = tab.mask()
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert np.abs([rows[0] - 30, rows[-1] - 89, columns[0] - 20, columns[-1] - 119]).max() <= 1
    assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    tab.page.click("#mask-clear")
    tab.choose_tool("lasso")
    tab.draw((100, 20), (200, 20), (200, 180), (100, 180))
    mask = tab.mask()
    assert mask[25:175, 105:195].all() and not mask[:, :98].any() and not mask[:, 202:].any()
    tab.page.click("#mask-clear")
    tab.choose_tool("line")
    tab.set_size(10)
    tab.draw((50, 50), (250, 150))
    mask = tab.mask()
    assert mask[100, 150] and mask[75, 100] and not mask[50, 250]
    length = np.hypot(200, 100)
    assert abs(mask.sum() / (10 * length + 25 * np.pi) - 1) < 0.05


def test_repair_undo_redo_of_mask_and_repairs(tab: Tab) -> None:
    original = tab.pixels()
    tab.set_size(20)
    tab.draw((60, 60), (100, 60))
    first = tab.mask()
    tab.draw((200, 100), (200, 150))
    both = tab.mask()
    tab.page.keyboard.press("Control+z")
    assert (tab.mask() == first).all()
    tab.page.keyboard.press("Control+Shift+z")
    assert (tab.mask() == both).all()

    tab.repair()
    repaired = tab.pixels()
    assert (repaired[both] == REPAIRED).all() and (repaired[~both] == original[~both]).all()
    assert not tab.mask().any(), "what was repaired is not marked any more"
    assert tab.colour_at((80, 60)) == REPAIRED

    tab.page.click("#undo")
    tab.wait_to_hear("Undone: repair")
    assert (tab.pixels() == original).all() and (tab.mask() == both).all()
    tab.page.click("#undo")
    tab.page.click("#undo")
    assert not tab.mask().any() and tab.page.is_disabled("#undo")
    for _ in range(3):
        tab.page.click("#redo")
    tab.wait_to_hear("Redone: repair")
    assert (tab.pixels() == repaired).all() and not tab.mask().any()
    assert tab.colour_at((80, 60)) == REPAIRED
    assert tab.page.is_disabled("#redo")


def test_variants_are_chosen_by_mouse_and_keyboard(tab: Tab) -> None:
    tab.page.check("#four")
    tab.draw((60, 60), (100, 60))
    tab.repair()
    buttons = tab.page.locator("#variants [role=radio]")
    assert buttons.count() == 4
    assert [buttons.nth(i).get_attribute("aria-checked") for i in range(4)] == [
        "true",
        "false",
        "false",
        "false",
    ]
    likeliest = tab.pixels()
    buttons.nth(2).click()
    tab.page.wait_for_selector("#variants [data-choice='2'][aria-checked=true]")
    third = tab.pixels()
    assert (third != likeliest).any()
    tab.page.keyboard.press("ArrowRight")
    tab.page.wait_for_selector("#variants [data-choice='3'][aria-checked=true]")
    assert (tab.pixels() != third).any()
    assert tab.page.evaluate("document.activeElement.dataset.choice") == "3"
    tab.page.wait_for_timeout(300)
    assert tab.colour_at((80, 60)) == tuple(tab.pixels()[60, 80])


def test_repair_after_each_stroke(tab: Tab) -> None:
    tab.page.check("#auto")
    tab.draw((60, 60), (60, 60))
    tab.wait_for_repairs(0)
    tab.draw((200, 100), (200, 100))
    tab.wait_for_repairs(1)
    pixels = tab.pixels()
    assert tuple(pixels[60, 60]) == tuple(pixels[100, 200]) == REPAIRED
    assert tab.desk("photo.repairs") == 2


def test_compare_and_hold_to_see_the_original(tab: Tab) -> None:
    original = tab.pixels()
    tab.choose_tool("rectangle")
    tab.draw((2, 2), (298, 198))
    tab.repair()
    tab.page.keyboard.press("c")
    tab.page.wait_for_selector("#divider:not([hidden])")
    tab.page.wait_for_timeout(300)

    def near(place: tuple[int, int]) -> bool:
        shown = np.subtract(tab.colour_at(place), original[place[1], place[0]])
        return bool(np.abs(shown).max() < 40)

    assert near((50, 100)) and tab.colour_at((250, 100)) == REPAIRED
    handle = tab.page.locator("#divider")
    handle.focus()
    tab.page.keyboard.press("End")
    assert handle.get_attribute("aria-valuenow") == "98"
    assert near((250, 100))
    tab.page.keyboard.press("Escape")
    tab.page.wait_for_selector("#divider", state="hidden")
    assert tab.colour_at((50, 100)) == REPAIRED
    tab.page.keyboard.down("o")
    assert near((50, 100))
    tab.page.keyboard.up("o")
    assert tab.colour_at((50, 100)) == REPAIRED


def test_uncertainty_is_shown_where_it_was_repaired(tab: Tab) -> None:
    tab.draw((60, 60), (100, 60))
    tab.repair()
    known = tab.colour_at((250, 150))
    tab.page.check("#uncertainty")
    tab.page.wait_for_timeout(400)
    assert tab.colour_at((80, 60)) != REPAIRED and tab.colour_at((250, 150)) == known
    tab.page.uncheck("#uncertainty")
    tab.page.wait_for_timeout(100)
    assert tab.colour_at((80, 60)) == REPAIRED


def test_mask_file_goes_out_and_in(tab: Tab, tmp_path: Path) -> None:
    tab.set_size(25)
    tab.draw((60, 60), (150, 120))
    drawn = tab.mask()
    with tab.page.expect_download() as saving:
        tab.page.click("#mask-save")
    path = tmp_path / "saved.png"
    saving.value.save_as(path)
    assert saving.value.suggested_filename == "coast_mask.png"
    assert (np.asarray(Image.open(path)) == drawn).all()
    tab.page.click("#mask-invert")
    assert (tab.mask() == ~drawn).all()
    tab.page.set_input_files("#mask-file", str(path))
    tab.wait_to_hear("loading a mask")
    assert (tab.mask() == drawn).all()
    tab.page.fill("#grow-by", "5")
    tab.page.click("#mask-grow")
    tab.wait_to_hear("growing")
    grown = tab.mask()
    assert grown[drawn].all() and grown.sum() > 1.3 * drawn.sum()
    tab.page.keyboard.press("Control+z")
    assert (tab.mask() == drawn).all()


def test_mask_of_another_size_is_refused(tab: Tab, tmp_path: Path) -> None:
    Image.new("L", (10, 10), 255).save(tmp_path / "small.png")
    tab.draw((60, 60), (150, 120))
    drawn = tab.mask()
    tab.page.set_input_files("#mask-file", str(tmp_path / "small.png"))
    told = tab.page.wait_for_selector(".toast.bad")
    assert told is not None and "(200, 300)" in (told.text_content() or "")
    assert (tab.mask() == drawn).all()


def test_zoom_and_pan_keep_strokes_in_place(tab: Tab) -> None:
    tab.set_size(10)
    x, y = (round(side) for side in tab.on_screen((40, 150)))
    place = tab.in_photo(x, y)
    tab.page.mouse.move(x, y)
    before = tab.page.evaluate("import('/static/surface.js').then(m => m.view.scale)")
    for _ in range(6):
        tab.page.mouse.wheel(0, -200)
    after = tab.page.evaluate("import('/static/surface.js').then(m => m.view.scale)")
    assert after > 4 * before
    assert np.hypot(*np.subtract(tab.on_screen(place), (x, y))) < 0.1, (
        "what is under the pointer stays"
    )
    tab.page.keyboard.down("Space")
    tab.page.mouse.down()
    tab.page.mouse.move(x + 80, y - 60, steps=4)
    tab.page.mouse.up()
    tab.page.keyboard.up("Space")
    moved = np.subtract(tab.on_screen(place), (x, y))
    assert np.hypot(*(moved - (80, -60))) < 2
    assert tab.desk("mask.marked") == 0, "moving the view draws nothing"
    tab.draw(place, place)
    assert differs(tab.mask(), disc(*place, 5)) < 0.2
    tab.page.keyboard.press("0")
    tab.draw((250, 50), (250, 50))
    assert tab.mask()[50, 250]


def test_keyboard_alone(page: ServedPage, open_tab: Callable[..., Tab], photo_file: Path) -> None:
    """From the open photo to a saved repair without a pointer."""
    tab = open_tab(page, photo_file)
    keys = tab.page.keyboard
    for _ in range(40):
        keys.press("Tab")
        if tab.page.evaluate("document.activeElement.id") == "glass":
            break
    assert tab.page.evaluate("document.activeElement.id") == "glass"
    size = tab.desk("size")
    keys.press("]")
    assert tab.desk("size") > size
    keys.press("Enter")
    for _ in range(5):
        keys.press("ArrowRight")
    keys.press("Enter")
    stroke = tab.mask()
    assert stroke[100, 150] and stroke.sum() > 300
    keys.press("r")
    for _ in range(6):
        keys.press("ArrowDown")
    keys.press("Enter")
    keys.press("ArrowRight")
    keys.press("Shift+ArrowDown")
    keys.press("Enter")
    assert tab.mask().sum() > stroke.sum()
    keys.press("Control+Enter")
    tab.wait_for_repairs(0)
    assert tuple(tab.pixels()[100, 150]) == REPAIRED
    keys.press("Control+s")
    tab.page.wait_for_selector("#save-dialog[open]")
    keys.press("Tab")
    for _ in range(4):
        if tab.page.evaluate("document.activeElement.id") == "save-download":
            break
        keys.press("Tab")
    with tab.page.expect_download() as saving:
        keys.press("Enter")
    assert saving.value.suggested_filename == "coast_repaired.png"
    keys.press("Shift+?")
    tab.page.wait_for_selector("#help-dialog[open]")
    keys.press("Escape")
    tab.page.wait_for_selector("#help-dialog", state="hidden")


def test_pen_and_fingers(tab: Tab) -> None:
    """A finger draws, two move the view, a pen's other end erases; after a pen fingers only move."""
    send = """([kind, type, x, y, id, buttons]) => document.getElementById('glass').dispatchEvent(
        new PointerEvent(type, { pointerType: kind, pointerId: id, clientX: x, clientY: y, buttons,
        button: buttons === 32 ? 5 : 0, bubbles: true, cancelable: true, isPrimary: id === 1 }))"""
    tab.page.evaluate("document.getElementById('glass').setPointerCapture = () => {}")

    def pointer(
        kind: str, kind_of_event: str, place: tuple[float, float], number: int = 1, buttons: int = 1
    ) -> None:
        tab.page.evaluate(
            send, [kind, f"pointer{kind_of_event}", *tab.on_screen(place), number, buttons]
        )

    tab.set_size(20)
    pointer("touch", "down", (60, 60))
    pointer("touch", "move", (100, 60))
    pointer("touch", "up", (100, 60), buttons=0)
    stroke = tab.mask()
    assert stroke[60, 80]
    scale = tab.page.evaluate("import('/static/surface.js').then(m => m.view.scale)")
    pointer("touch", "down", (100, 150), 1)
    pointer("touch", "down", (200, 150), 2)
    pointer("touch", "move", (250, 150), 2)
    pointer("touch", "up", (250, 150), 2, 0)
    pointer("touch", "up", (100, 150), 1, 0)
    assert tab.page.evaluate("import('/static/surface.js').then(m => m.view.scale)") > 1.2 * scale
    assert (tab.mask() == stroke).all(), "the first finger's dot is taken back"
    tab.page.keyboard.press("0")
    pointer("pen", "down", (80, 60), 3, 32)
    pointer("pen", "move", (82, 60), 3, 32)
    pointer("pen", "up", (82, 60), 3, 0)
    assert not tab.mask()[60, 80]
    before = tab.mask()
    pointer("touch", "down", (200, 100))
    pointer("touch", "move", (220, 120))
    pointer("touch", "up", (220, 120), buttons=0)
    assert (tab.mask() == before).all()


def test_damage_becomes_a_mask_that_follows_the_slider(
    page: ServedPage,
    open_tab: Callable[..., Tab],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lifts = []

    def heard(given: Mapping[str, Any]) -> Wishes:
        wishes = wishes_of(given)
        lifts.append(wishes.lift)
        return wishes

    monkeypatch.setattr("cnnlg_tf.ui.repair_routes.wishes_of", heard)
    torn = np.minimum(make_photo(HEIGHT, WIDTH), 120)
    torn[50:60, 50:150] = 250
    torn[60:70, 50:150] = 195
    Image.fromarray(torn).save(tmp_path / "torn.png")
    tab = open_tab(page, tmp_path / "torn.png")
    tab.set_size(20)
    tab.draw((250, 100), (250, 100))
    own = tab.mask()
    assert not tab.page.is_visible("#sensitivity")
    tab.page.click("#find-damage")
    tab.page.wait_for_selector("#sensitivity-row:not([hidden])")
    tab.wait_to_hear("Damage found")
    bright = torn.min(axis=-1)
    assert (tab.mask() == (own | grown(bright >= 195, 2))).all(), "own strokes stay"
    tab.page.fill("#sensitivity", "30")
    tab.wait_for("async () => (await import('/static/desk.js')).desk.mask.marked < 2200")
    assert (tab.mask() == (own | grown(bright >= 250, 2))).all()
    tab.page.click("#undo")
    assert (tab.mask() == own).all(), "all of the slider is one step"
    tab.page.click("#redo")
    tab.repair()
    assert (tab.pixels()[bright >= 250] == REPAIRED).all()
    assert not tab.page.is_visible("#sensitivity")
    tab.draw((250, 100), (250, 100))
    tab.repair()
    assert lifts == [True, False], "what was found, not what was marked alone"


@pytest.mark.parametrize("kind", ["full", "blocks", "noise", "one"])
def test_mask_of_any_shape_is_read_and_written_exactly(
    page: ServedPage, open_tab: Callable[..., Tab], kind: str
) -> None:
    """517 x 700: tiles at the edges are cut, and a row ends within a byte."""
    rng = np.random.default_rng(0)
    mask = np.zeros((700, 517), bool)
    if kind == "full":
        mask[:] = True
    elif kind == "blocks":
        mask[100:600, 200:517] = True
    elif kind == "noise":
        mask = rng.random((700, 517)) < 0.5
    else:
        mask[699, 516] = True
    key = page.open(make_photo(700, 517))["key"]
    page.client.put(f"/api/photos/{key}/mask", content=encode_bits(mask))
    tab = open_tab(page)
    tab.page.goto(f"{page.origin}/#{key}")
    tab.page.reload()
    tab.page.wait_for_selector("body[data-ready]")
    assert tab.desk("mask.marked") == mask.sum()
    assert (tab.mask() == mask).all(), "what the page would write is what it read"
    tab.page.click("#mask-invert")
    assert (tab.mask() == ~mask).all()
    tab.page.click("#undo")
    assert (tab.mask() == mask).all()
