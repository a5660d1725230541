"""In a real browser: the frame is dragged outwards, strokes are drawn in colour; by mouse, by touch and by keyboard."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FloatRect

from tests.conftest import make_photo
from tests.ui.pages import REPAIRED, FakeNetwork, ServedPage
from tests.ui.tabs import Tab

pytestmark = pytest.mark.browser
HEIGHT, WIDTH = 200, 300
RED, BLUE = (181, 56, 47), (127, 176, 230)  # two of the inks


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


def handle_box(tab: Tab, side: str) -> FloatRect:
    """Where a side's handle is: the browser's next frame shows it and moves it there."""
    tab.page.evaluate("new Promise(requestAnimationFrame)")
    handle = tab.page.locator(f"#frame-{side}")
    handle.wait_for(state="visible")
    box = handle.bounding_box()
    assert box is not None
    return box


def drag_handle(tab: Tab, side: str, across: float, down: float) -> None:
    """Drag a side of the frame by so many pixels of the photo."""
    scale = tab.page.evaluate("import('/static/surface.js').then(m => m.view.scale)")
    box = handle_box(tab, side)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    tab.page.mouse.move(x + across * scale, y + down * scale, steps=5)
    tab.page.mouse.up()


def extend(tab: Tab) -> None:
    """Press the button and wait until the photo has grown."""
    width, height = tab.desk("photo.width"), tab.desk("photo.height")
    tab.page.click("#repair")
    tab.wait_to_hear("Extended to")
    assert (tab.desk("photo.width"), tab.desk("photo.height")) != (width, height)


def test_frame_is_dragged_and_painted_and_undone(tab: Tab) -> None:
    original = tab.pixels()
    tab.set_size(20)
    tab.draw((60, 60), (100, 60))
    drawn = tab.mask()
    tab.choose_tool("extend")
    assert tab.page.text_content("#repair") == "Extend" and tab.page.is_disabled("#repair")
    drag_handle(tab, "left", -60, 0)
    drag_handle(tab, "bottom", 0, 40)
    left, top, right, bottom = tab.desk("extension")
    assert abs(left - 60) <= 2 and abs(bottom - 40) <= 2 and top == right == 0
    assert tab.page.text_content("#extend-size") == f"{300 + left} × {200 + bottom}"
    assert tab.page.locator("#frame-left").get_attribute("aria-valuenow") == str(left)
    drag_handle(tab, "bottom", 0, -500)
    assert tab.desk("extension") == [left, 0, 0, 0], "never inwards"
    drag_handle(tab, "bottom", 0, 40)
    bottom = tab.desk("extension")[3]
    extend(tab)

    inner = (slice(0, 200), slice(left, 300 + left))
    new = np.ones((200 + bottom, 300 + left), bool)
    new[inner] = False
    grown = tab.pixels()
    assert (grown[inner] == original).all()
    assert (grown[new] == REPAIRED).all(axis=-1).mean() > 0.8  # at the border it is blended
    assert (tab.mask()[inner] == drawn).all() and not tab.mask()[new].any(), "marks move along"
    assert tab.colour_at((left / 2, 100)) == REPAIRED
    assert tab.desk("extension") == [0, 0, 0, 0]
    assert f"{300 + left} × {200 + bottom}" in (tab.page.text_content("#photo-facts") or "")

    tab.choose_tool("brush")
    tab.draw((20, 100), (20, 150))
    both = tab.mask()
    tab.repair()
    for _ in range(2):
        tab.page.click("#undo")
    tab.wait_to_hear("Undone: brush")
    tab.page.click("#undo")
    tab.wait_to_hear("Undone: extending")
    assert (tab.pixels() == original).all() and (tab.mask() == drawn).all()
    assert tab.desk("photo.width") == 300
    tab.page.click("#undo")
    assert not tab.mask().any()
    for _ in range(3):
        tab.page.click("#redo")
    tab.wait_to_hear("Redone: brush")
    assert (tab.mask() == both).all() and (tab.pixels() == grown).all()
    tab.page.click("#undo")
    tab.page.click("#undo")
    tab.wait_to_hear("Undone: extending")
    assert (tab.pixels() == original).all()


def test_extension_outlives_a_reload_and_is_compared(tab: Tab) -> None:
    original = tab.pixels()
    tab.choose_tool("extend")
    drag_handle(tab, "right", 50, 0)
    right = tab.desk("extension")[2]
    extend(tab)
    tab.page.keyboard.press("c")
    tab.page.wait_for_timeout(300)
    tab.page.locator("#divider").focus()
    tab.page.keyboard.press("End")
    stage = tab.page.evaluate(
        "async ([x, y]) => { const { toGlass } = await import('/static/surface.js');"
        " const [left, top] = toGlass(x, y).map(Math.round);"
        " return [...document.getElementById('picture').getContext('2d')"
        ".getImageData(left, top, 1, 1).data]; }",
        [300 + right / 3, 100],
    )
    assert stage[3] == 0, "there was nothing beyond the frame"
    tab.page.keyboard.press("Escape")
    tab.page.reload()
    tab.wait_for_photo("coast.png")
    assert tab.desk("photo.width") == 300 + right
    tab.page.click("#undo")
    tab.wait_to_hear("Undone: extending")
    assert (tab.pixels() == original).all() and tab.desk("mask.width") == 300
    tab.page.click("#redo")
    tab.wait_to_hear("Redone: extending")
    assert tab.desk("mask.width") == 300 + right == tab.desk("sketch.width")


def test_frame_by_keyboard_and_numbers(tab: Tab) -> None:
    keys = tab.page.keyboard
    keys.press("f")
    handle = tab.page.locator("#frame-top")
    handle.focus()
    keys.press("ArrowUp")
    assert tab.desk("extension") == [0, 4, 0, 0], "2 % of the height"
    keys.press("Shift+ArrowUp")
    keys.press("ArrowDown")
    assert tab.desk("extension") == [0, 1, 0, 0]
    keys.press("PageUp")
    assert handle.get_attribute("aria-valuetext") == "41 pixels"
    keys.press("End")
    assert tab.desk("extension") == [0, 600, 0, 0], "four times the photo at most"
    keys.press("Home")
    keys.press("Escape")
    assert tab.desk("extension") == [0, 0, 0, 0]
    tab.page.select_option("#extend-aspect", "2:3")
    assert tab.desk("extension") == [0, 125, 0, 125]
    tab.page.fill("#extend-left", "25")
    assert tab.desk("extension") == [25, 125, 0, 125]
    assert tab.page.input_value("#extend-aspect") == ""
    tab.page.click("#extend-reset")
    tab.page.fill("#extend-left", "9999")
    keys.press("Tab")
    assert tab.page.input_value("#extend-left") == "900"
    tab.page.fill("#extend-left", "25")
    keys.press("Control+Enter")
    tab.page.locator("#glass").focus()
    keys.press("Control+Enter")
    tab.wait_to_hear("Extended to 325 by 200")
    assert tab.pixels().shape == (200, 325, 3)


def test_frame_by_touch_on_a_phone(
    page: ServedPage, open_tab: Callable[..., Tab], photo_file: Path
) -> None:
    tab = open_tab(
        page, photo_file, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    for tool in ("sketch", "extend", "hand"):
        box = tab.page.locator(f"[data-tool={tool}]").bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390, tool
    tab.page.tap("[data-tool=extend]")
    box = handle_box(tab, "right")
    assert box["width"] >= 44
    x, y = box["x"] + 22, box["y"] + 22
    client = tab.page.context.new_cdp_session(tab.page)
    client.send(
        "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
    )
    for step in range(1, 6):
        place = {"x": x + 6 * step, "y": y}
        client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [place]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    scale = 30 / tab.desk("extension[2]")
    assert tab.desk("extension[2]") > 10 and 0 < scale < 4
    extend(tab)
    assert tab.desk("photo.width") > 310


def test_cancelled_extension_leaves_the_frame(
    serve_page: Callable[..., ServedPage], open_tab: Callable[..., Tab], photo_file: Path
) -> None:
    page = serve_page()
    tab = open_tab(page, photo_file)
    tab.choose_tool("extend")
    tab.page.check("#four")
    drag_handle(tab, "right", 50, 0)
    page.network.gate.clear()
    tab.page.click("#repair")
    tab.page.wait_for_selector("#progress:not([hidden])")
    assert "Extending" in (tab.page.text_content("#progress-text") or "")
    tab.choose_tool("brush")
    tab.draw((60, 60), (100, 60))
    assert tab.desk("mask.marked") == 0, "nothing is drawn on a canvas that is about to change"
    tab.page.click("#cancel")
    page.network.gate.set()
    tab.wait_to_hear("Cancelled")
    tab.choose_tool("extend")
    assert tab.desk("photo.width") == 300 and tab.desk("extension[2]") > 0
    extend(tab)
    assert tab.page.locator("#variants [role=radio]").count() == 4
    likeliest = tab.pixels()
    tab.page.locator("#variants [role=radio]").nth(1).click()
    tab.page.wait_for_selector("#variants [data-choice='1'][aria-checked=true]")
    assert (tab.pixels() != likeliest).any()


def strokes(tab: Tab) -> np.ndarray:
    """RGBA of the sketch that the server has, once it is the page's."""
    tab.wait_for(
        """async () => {
          const { desk } = await import('/static/desk.js');
          const { Sketch } = await import('/static/sketch.js');
          const { api } = await import('/static/api.js');
          const kept = new Sketch(desk.photo.width, desk.photo.height);
          await kept.addFile(await api.sketch(desk.photo.key));
          if (kept.marked !== desk.sketch.marked) return false;
          const ink = (sketch, tile, i) => String(sketch.inks[(tile?.[i] ?? 0) - 1]);
          return kept.tiles.every((tile, index) =>
            Array.from({ length: 65536 }, (_, i) => i).every(
              (i) => ink(kept, tile, i) === ink(desk.sketch, desk.sketch.tiles[index], i)));
        }"""
    )
    import io

    data = tab.served.client.get(f"/api/photos/{tab.key}/sketch").content
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def choose_ink(tab: Tab, colour: tuple[int, ...] | None) -> None:
    value = "" if colour is None else "#" + "".join(f"{part:02x}" for part in colour)
    tab.page.click(f"#inks [data-ink='{value}']")


def test_strokes_in_colour_are_erased_undone_and_followed(page: ServedPage, tab: Tab) -> None:
    assert not tab.page.is_visible("#sketch-section")
    tab.choose_tool("sketch")
    size = tab.desk("size")
    assert size < 10, "a finer pen than the brush"
    tab.set_size(6)
    choose_ink(tab, RED)
    tab.draw((50, 100), (150, 100))
    choose_ink(tab, BLUE)
    tab.draw((100, 50), (100, 90))
    both = strokes(tab)
    assert tuple(both[100, 60]) == (*RED, 255) and tuple(both[60, 100]) == (*BLUE, 255)
    assert tab.desk("mask.marked") == 0 and not both[0, 0].any()
    choose_ink(tab, None)
    tab.draw((70, 90), (70, 110))
    erased = strokes(tab)
    assert not erased[100, 70].any() and erased[100, 60].any()
    choose_ink(tab, RED)
    tab.draw((60, 100), (60, 100), button="right")
    assert not strokes(tab)[100, 60].any(), "the right button erases"
    tab.page.keyboard.press("Control+z")
    assert (strokes(tab) == erased).all()
    tab.page.keyboard.press("Control+z")
    assert (strokes(tab) == both).all()
    tab.page.click("#sketch-clear")
    assert not strokes(tab).any()
    tab.page.click("#undo")
    tab.wait_to_hear("Undone: clearing the sketch")
    assert (strokes(tab) == both).all()

    tab.page.reload()
    tab.wait_for_photo("coast.png")
    assert (strokes(tab) == both).all(), "kept over a reload"

    tab.choose_tool("rectangle")
    tab.draw((40, 80), (120, 120))
    marked = tab.mask()
    page.network.asked.clear()
    tab.repair()
    asked = page.network.asked[0]
    assert asked.sketch is not None and asked.sketch.drawn.sum() == (both[..., 3] > 0)[marked].sum()
    left = strokes(tab)
    assert not left[marked].any() and tuple(left[60, 100]) == (*BLUE, 255)
    tab.page.click("#undo")
    tab.wait_to_hear("Undone: repair")
    assert (strokes(tab) == both).all(), "undone, the strokes are there again"
    tab.page.click("#redo")
    tab.wait_to_hear("Redone: repair")
    assert (strokes(tab) == left).all()


def test_strokes_are_seen_and_move_with_the_canvas(tab: Tab) -> None:
    tab.choose_tool("sketch")
    tab.set_size(12)
    choose_ink(tab, RED)
    tab.draw((100, 100), (200, 100))
    assert np.abs(np.subtract(tab.colour_at((150, 100)), RED)).max() <= 2
    before = strokes(tab)
    tab.choose_tool("extend")
    tab.page.fill("#extend-left", "40")
    tab.page.fill("#extend-top", "30")
    tab.page.keyboard.press("Tab")
    extend(tab)
    assert (strokes(tab)[30:, 40:] == before).all()
    assert np.abs(np.subtract(tab.colour_at((190, 130)), RED)).max() <= 2
    tab.page.click("#undo")
    tab.wait_to_hear("Undone: extending")
    assert (strokes(tab) == before).all()


def test_colour_is_taken_from_the_photo_and_inks_chosen_by_keys(tab: Tab) -> None:
    keys = tab.page.keyboard
    keys.press("s")
    assert tab.page.is_visible("#inks")
    tab.page.locator("#inks [aria-checked=true]").focus()
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    assert tab.desk("ink") == "#7fb0e6"
    assert tab.page.evaluate("document.activeElement.dataset.ink") == "#7fb0e6"
    seen = tab.colour_at((150, 100))
    tab.page.click("#ink-pick")
    tab.draw((150, 100), (150, 100))
    taken = tab.desk("ink")
    assert taken == tab.page.input_value("#ink") and tab.desk("sketch.marked") == 0
    assert np.abs(np.subtract([int(taken[i : i + 2], 16) for i in (1, 3, 5)], seen)).max() <= 12
    tab.page.locator("#glass").focus()
    keys.press("Enter")
    for _ in range(4):
        keys.press("ArrowRight")
    keys.press("Enter")
    assert strokes(tab)[..., 3].any()


def test_what_a_network_cannot_do_is_not_shown(
    serve_page: Callable[..., ServedPage], open_tab: Callable[..., Tab], photo_file: Path
) -> None:
    """Extending takes no more than filling; strokes take a network that follows them."""
    tab = open_tab(serve_page(network=FakeNetwork(can=frozenset())), photo_file)
    assert not tab.page.is_visible("[data-tool=sketch]")
    tab.page.keyboard.press("s")
    assert tab.desk("tool") == "brush"
    assert tab.page.is_visible("[data-tool=extend]")
    assert not tab.page.is_visible("#find-damage") and not tab.page.is_visible("#detail")


def test_search_shows_progress_and_is_cancelled(
    serve_page: Callable[..., ServedPage],
    open_tab: Callable[..., Tab],
    photo_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = serve_page()
    look = FakeNetwork.find_damage
    seen = []

    def slow(self: FakeNetwork, image: np.ndarray) -> np.ndarray:
        seen.append(image.shape)
        assert len(seen) == 1 or self.gate.wait(30)
        return look(self, image)

    monkeypatch.setattr(FakeNetwork, "find_damage", slow)
    Image.fromarray(make_photo(1200, 1500)).save(photo_file)
    tab = open_tab(page, photo_file)
    page.network.gate.clear()
    tab.page.click("#find-damage")
    tab.page.wait_for_selector(
        "#progress-text:text-matches('Looking for damage: \\\\d+ %, .* left')"
    )
    assert float(tab.page.get_attribute("#progress-bar", "value") or 0) > 0
    tab.page.click("#cancel")
    page.network.gate.set()
    tab.wait_to_hear("Cancelled")
    assert tab.desk("mask.marked") == 0 and not tab.page.is_visible("#sensitivity")
    assert len(seen) <= 3, "it stops at the next window"
    tab.page.click("#find-damage")
    tab.page.wait_for_selector("#sensitivity-row:not([hidden])")
